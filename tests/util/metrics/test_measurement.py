"""Measured images, and what is reported.

The packages lpips and pyiqa are stand-ins here: small modules of their names that note how they are called.
"""

import math
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image

from sample_images import photograph
from util.image_io.references import References
from util.metrics.measurement import Measurement
from util.metrics.scores import Metric, loe, matched_mean, psnr, ssim

LPIPS = """
import sys
import torch
built = []
print("Setting up"); print("a warning", file=sys.stderr)
class LPIPS(torch.nn.Module):
    def __init__(self, net, verbose):
        super().__init__()
        print("Loading", net); built.append(net)
        {fail}
    def forward(self, first, second):
        assert first.min() >= -1 and first.min() < 0 and first.shape == second.shape
        return (first - second).abs().mean().reshape(1, 1, 1, 1)
"""
PYIQA = """
import time
built, inside, most = [], 0, 0
def create_metric(name, device):
    built.append((name, device))
    return score
def score(image):
    global inside, most
    assert image.shape[:2] == (1, 3) and image.min() >= 0
    if image.shape[3] < 20:
        raise ValueError("too small\\nfor a block")
    inside += 1; most = max(most, inside); time.sleep(0.01); inside -= 1
    return image.mean() if image.max() else image.mean() / 0
"""
WEIGHTS = ("checkpoints/alexnet-owt-7be5be79.pth", "pyiqa/niqe_modelparameters.mat")


@pytest.fixture(autouse=True)
def neither_package(monkeypatch, tmp_path):
    """No package, whatever is installed, and no weights."""
    monkeypatch.setitem(sys.modules, "lpips", None)
    monkeypatch.setitem(sys.modules, "pyiqa", None)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))


@pytest.fixture
def packages(monkeypatch, tmp_path):
    """A function that puts the stand-ins where Python finds them, and empty files of weights."""

    def install(fail="pass", weights=True):
        for name, code in (("lpips", LPIPS.replace("{fail}", fail)), ("pyiqa", PYIQA)):
            monkeypatch.delitem(sys.modules, name)
            (tmp_path / "packages").mkdir(exist_ok=True)
            (tmp_path / "packages" / f"{name}.py").write_text(code)
        monkeypatch.syspath_prepend(tmp_path / "packages")
        for file in WEIGHTS if weights else ():
            (tmp_path / "torch/hub" / file).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "torch/hub" / file).touch()

    return install


DARK, BRIGHT = photograph((30, 24), brightness=0.2), photograph((30, 24))


@pytest.fixture
def folders(tmp_path):
    """Folders of inputs and of references; a function saves a reference."""
    (tmp_path / "low").mkdir()

    def save(name, image=BRIGHT):
        (tmp_path / "high" / name).parent.mkdir(parents=True, exist_ok=True)
        image.save(tmp_path / "high" / name)

    save("other.png")
    return tmp_path / "low", tmp_path / "high", save


def against(low, high, *names):
    """The references of images of some names."""
    return References(high, [low / name for name in names or ["a.png"]], low)


def test_without_a_reference(folders):
    measurement = Measurement(gt_mean=True)
    assert measurement.metrics == {"loe": Metric("LOE", "", False, 1)}
    assert measurement.notices == ["NIQE is left out: the package pyiqa is not installed"]
    enhanced = photograph((30, 24), "chelsea")
    assert measurement.measure(folders[0] / "a.png", DARK, enhanced) == ({"loe": loe(enhanced, DARK)}, None)
    assert measurement.measure(folders[0] / "a.png", DARK, enhanced.resize((60, 48))) == ({}, None)


def test_with_a_reference(folders):
    low, high, save = folders
    save("a.BMP")
    measurement = Measurement(against(low, high))
    assert list(measurement.metrics) == ["psnr", "ssim", "loe"]
    assert [notice.split()[0] for notice in measurement.notices] == ["LPIPS", "NIQE"]
    values, problem = measurement.measure(low / "a.png", DARK, DARK)
    assert problem is None
    assert values == {"psnr": psnr(DARK, BRIGHT), "ssim": ssim(DARK, BRIGHT), "loe": 0}
    assert list(values) == list(measurement.metrics)


def test_the_figures_at_matched_brightness_are_labelled(folders):
    low, high, save = folders
    save("a.png")
    measurement = Measurement(against(low, high), gt_mean=True)
    assert list(measurement.metrics) == ["psnr", "ssim", "psnr_gt_mean", "ssim_gt_mean", "loe"]
    assert measurement.metrics["psnr_gt_mean"].label == "PSNR (GT mean)"
    values, _ = measurement.measure(low / "a.png", DARK, DARK)
    matched = matched_mean(DARK, BRIGHT)
    assert (values["psnr_gt_mean"], values["ssim_gt_mean"]) == (psnr(matched, BRIGHT), ssim(matched, BRIGHT))
    assert values["psnr"] == psnr(DARK, BRIGHT) < values["psnr_gt_mean"]


@pytest.mark.parametrize("kind", ["missing", "two", "damaged", "size"])
def test_what_is_wrong_with_a_reference_is_one_line(folders, kind):
    low, high, save = folders
    if kind == "two":
        save("a.png")
        save("a.bmp")
    elif kind == "damaged":
        (high / "a.png").write_text("not an image")
    elif kind == "size":
        save("a.png", BRIGHT.resize((24, 30)))
    values, problem = Measurement(against(low, high), gt_mean=True).measure(low / "a.png", DARK, DARK)
    assert values == {"loe": 0}
    assert (
        problem
        == {
            "missing": f"{low}/a.png: no reference of this name in {high}",
            "two": f"{low}/a.png: several references of this name: {high}/a.bmp and {high}/a.png; keep one",
            "damaged": f"{high}/a.png: cannot read this image (not an image, or damaged); replace or remove it",
            "size": f"{high}/a.png: 24x30, the image is 30x24; not compared",
        }[kind]
    )


def test_small_images_have_no_ssim(folders):
    low, high, save = folders
    small = photograph((10, 40))
    save("a.png", small)
    values, problem = Measurement(against(low, high), gt_mean=True).measure(low / "a.png", small, small)
    assert values == {"psnr": math.inf, "psnr_gt_mean": math.inf, "loe": 0}
    assert problem == "SSIM needs 11 pixels each way, the image is 10x40"


def test_lpips_and_niqe_are_built_once_and_in_silence(folders, packages, capfd):
    low, high, save = folders
    save("a.png")
    packages()
    measurement = Measurement(against(low, high))
    assert list(measurement.metrics) == ["psnr", "ssim", "lpips", "niqe", "loe"]
    assert measurement.notices == []
    for _ in range(2):
        values, problem = measurement.measure(low / "a.png", DARK, DARK)
        assert problem is None
    difference = np.abs(np.asarray(DARK, dtype=float) - np.asarray(BRIGHT)).mean() / 127.5
    assert values["lpips"] == pytest.approx(difference, rel=1e-5)
    assert values["niqe"] == pytest.approx(np.asarray(DARK).mean() / 255, rel=1e-5)
    assert (sys.modules["lpips"].built, sys.modules["pyiqa"].built) == (["alex"], [("niqe", "cpu")])
    assert capfd.readouterr() == ("", "")


def test_lpips_is_not_built_without_a_reference(folders, packages):
    packages()
    measurement = Measurement()
    assert (list(measurement.metrics), measurement.notices) == (["niqe", "loe"], [])
    assert "lpips" not in sys.modules


def test_weights_are_not_downloaded(folders, packages, tmp_path):
    packages(weights=False)
    measurement = Measurement(against(*folders[:2]))
    assert list(measurement.metrics) == ["psnr", "ssim", "loe"]
    for notice, name, file, package in zip(
        measurement.notices, ("LPIPS", "NIQE"), WEIGHTS, ("lpips", "pyiqa"), strict=True
    ):
        assert notice.startswith(f"{name} is left out: no weights {tmp_path / 'torch/hub' / file}; python -c ")
        assert package not in sys.modules


def test_a_package_that_does_not_work_is_a_notice(folders, packages, capfd):
    packages(fail='raise RuntimeError("damaged\\nweights")')
    measurement = Measurement(against(*folders[:2]))
    assert measurement.notices == ["LPIPS is left out: the package lpips does not work (RuntimeError: damaged weights)"]
    assert list(measurement.metrics) == ["psnr", "ssim", "niqe", "loe"]
    assert capfd.readouterr() == ("", "")


def test_what_a_network_cannot_measure_is_reported(folders, packages):
    packages()
    measurement = Measurement()
    small, black = photograph((15, 30)), Image.new("RGB", (30, 30))
    problem = "NIQE cannot be measured (ValueError: too small for a block)"
    assert measurement.measure("a.png", small, small) == ({"loe": 0}, problem)
    assert measurement.measure("a.png", black, black) == ({"loe": 0}, "NIQE has no value for this image")


def test_threads_measure_the_same_and_the_networks_one_at_a_time(folders, packages):
    low, high, save = folders
    images = [photograph((30, 24), brightness=0.2 + 0.1 * i) for i in range(6)]
    for i in range(6):
        save(f"{i}.png")
    packages()
    measurement = Measurement(against(low, high, *(f"{i}.png" for i in range(6))), gt_mean=True)
    start = threading.Barrier(3)

    def measure(i):
        if i < 3:
            start.wait(10)
        return measurement.measure(low / f"{i}.png", DARK, images[i])

    with ThreadPoolExecutor(3) as pool:
        together = list(pool.map(measure, range(6)))
    assert together == [measurement.measure(low / f"{i}.png", DARK, images[i]) for i in range(6)]
    assert len({values["psnr"] for values, _ in together}) == 6
    assert sys.modules["pyiqa"].most == 1
