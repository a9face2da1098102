"""What python test.py leaves behind: results in other formats, figures, stages, and a run that goes on."""

import csv
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from commands import ROOT, error_line, error_lines, open_to, run
from sample_images import enhancer_folder, levels, photograph, save_deep_png
from util.metrics.scores import psnr, ssim

pytestmark = pytest.mark.commands


@pytest.fixture(scope="module")
def saves(tmp_path_factory):
    root = tmp_path_factory.mktemp("weights") / "saves"
    enhancer_folder(root / "small")
    return root


def enhance(folder, saves, *flags):
    return run("test.py", "--checkpoints_dir", saves, "--name", "small", "--num_threads", "2", *flags, cwd=folder)


def images_of(done):
    return Path(done.stdout.splitlines()[-1]).parent / "images"


@pytest.fixture(scope="module")
def measured(tmp_path_factory, saves):
    """A run with references: one fits, one has another size, one is missing; one input has 16 bits."""
    folder = tmp_path_factory.mktemp("measured")
    (folder / "low" / "sub").mkdir(parents=True)
    (folder / "high" / "sub").mkdir(parents=True)
    photograph((40, 32), brightness=0.2).save(folder / "low" / "fits.png")
    photograph((40, 32)).save(folder / "high" / "fits.webp", lossless=True)
    photograph((40, 32), "chelsea", 0.2).save(folder / "low" / "sub" / "other.png")
    photograph((32, 40), "chelsea").save(folder / "high" / "sub" / "other.png")
    save_deep_png(folder / "low" / "deep.png", levels(photograph((24, 16), brightness=0.2)).astype(np.uint16) * 257)
    flags = ["--reference", "high", "--gt_mean", "--save_stages", "--batch_size", "2", "--strength", "0.5"]
    return folder, enhance(folder, saves, "--dataroot", "low", *flags)


def test_problems_with_references_are_told_and_stop_nothing(measured):
    done = measured[1]
    assert done.returncode == 1
    lines = error_lines(done)
    assert len(lines) == 3 and lines[2] == "2 of 3 images could not be measured"
    assert "deep.png: no reference of this name in high" in lines[0]
    assert lines[1] == "error: high/sub/other.png: 32x40, the image is 40x32; not compared"
    page = Path(done.stdout.splitlines()[-1]).read_text()
    assert "no reference of this name in high" in page and "32x40, the image is 40x32" in page


def test_figures_are_those_of_the_saved_images(measured):
    folder, done = measured
    results = images_of(done).parent
    report = json.loads((results / "metrics.json").read_text())
    values = {image["name"]: image["metrics"] for image in report["pictures"]}
    saved, reference = Image.open(results / "images" / "fits_fake_B.png"), Image.open(folder / "high" / "fits.webp")
    assert values["fits"]["psnr"] == pytest.approx(psnr(saved, reference))
    assert values["fits"]["ssim"] == pytest.approx(ssim(saved, reference))
    assert {"psnr_gt_mean", "ssim_gt_mean", "loe"} <= set(values["fits"])
    assert set(values["other"]) == set(values["deep"]) == {"loe"}
    assert report["mean"]["psnr"] == values["fits"]["psnr"] and report["count"]["loe"] == 3
    rows = list(csv.DictReader((results / "metrics.csv").open()))
    assert [row["name"] for row in rows] == ["deep", "fits", "other", "mean"]
    assert float(rows[1]["psnr"]) == pytest.approx(values["fits"]["psnr"]) and rows[2]["psnr"] == ""
    assert all(float(row["seconds"]) > 0 for row in rows[:3])


def test_stages_and_sixteen_bits(measured):
    images = images_of(measured[1])
    names = {path.name for path in images.iterdir()}
    assert names == {
        f"{name}_{stage}.png" for name in ("fits", "other", "deep") for stage in ("real_A", "fake_B", "pre_A", "mask")
    }
    assert Image.open(images / "fits_mask.png").mode == "L"
    header = (images / "deep_fake_B.png").read_bytes()[:26]
    assert header[24] == 16 and header[25] == 2  # bits per channel, RGB
    assert (images / "fits_fake_B.png").read_bytes()[24] == 8


def test_strength_is_the_share_of_the_result(tmp_path, saves, measured):
    whole = enhance(tmp_path, saves, "--dataroot", measured[0] / "low" / "fits.png")
    before, half = (levels(Image.open(images_of(measured[1]) / f"fits_{stage}.png")) for stage in ("real_A", "fake_B"))
    after = levels(Image.open(images_of(whole) / "fits_fake_B.png"))
    assert np.abs(half - (before + after) / 2).max() <= 1
    assert np.abs(after - before).max() > 20


@pytest.mark.parametrize("kind, format", [("jpg", "JPEG"), ("webp", "WEBP"), ("tiff", "TIFF")])
def test_other_formats(tmp_path, saves, kind, format):
    profile = b"\0" * 16 + b"RGB " + b"\0" * 108  # a header is all that is looked at
    exif = Image.Exif()
    exif[0x010F], exif[0x0112] = "a camera", 6  # turned by a quarter
    image = photograph((40, 24), brightness=0.3)
    image.save(tmp_path / "p.jpg", exif=exif, icc_profile=profile, quality=97)
    done = enhance(tmp_path, saves, "--dataroot", "p.jpg", "--output_format", kind, "--quality", "60")
    assert done.returncode == 0, done.stderr
    result = Image.open(images_of(done) / f"p_fake_B.{kind}")
    assert result.format == format and result.size == (24, 40)
    assert result.info["icc_profile"] == profile
    assert result.getexif()[0x010F] == "a camera" and result.getexif().get(0x0112, 1) == 1
    previews = sorted(path.name for path in images_of(done).glob("*_preview.webp"))
    assert previews == (["p_fake_B_preview.webp", "p_real_A_preview.webp"] if kind == "tiff" else [])


def test_every_switch_of_speed_gives_the_same_image(tmp_path, saves):
    photograph((70, 50), brightness=0.3).save(tmp_path / "p.png")
    found = []
    for flags in ([], ["--tile", "16", "--channels_last", "--results_dir", "out"]):
        done = enhance(tmp_path, saves, "--dataroot", "p.png", *flags)
        assert done.returncode == 0, done.stderr
        found.append(levels(Image.open(images_of(done) / "p_fake_B.png")))
    assert np.abs(found[0] - found[1]).max() <= 1


def test_an_interrupted_run_leaves_a_page_and_goes_on(tmp_path, saves):
    low = tmp_path / "low"
    low.mkdir()
    for number in range(12):
        photograph((200, 160), brightness=0.2 + number / 50).save(low / f"{number:02}.png")
    flags = ["--checkpoints_dir", saves, "--name", "small", "--dataroot", "low", "--gpu_ids", "-1"]
    command = [sys.executable, ROOT / "test.py", *flags]
    running = open_to(signal.SIGINT, command, cwd=tmp_path, stderr=subprocess.PIPE)
    folder = tmp_path / "results" / "small" / "test_latest"
    images = folder / "images"
    while not (images.is_dir() and len(list(images.glob("*_fake_B.png"))) >= 2) and running.poll() is None:
        time.sleep(0.01)
    running.send_signal(signal.SIGINT)
    running.communicate(timeout=120)
    assert running.returncode == 130
    done = {path.name: path.stat().st_mtime_ns for path in images.glob("*_fake_B.png")}
    assert 2 <= len(done) < 12
    assert (folder / "index.html").read_text().count('alt="') >= 2
    before = {image["name"]: image for image in json.loads((folder / "metrics.json").read_text())["pictures"]}

    again = enhance(tmp_path, saves, "--dataroot", "low", "--skip_existing")
    assert again.returncode == 0, again.stderr
    kept = {name: (images / name).stat().st_mtime_ns for name in done}
    assert kept == done
    after = {image["name"]: image for image in json.loads((folder / "metrics.json").read_text())["pictures"]}
    assert len(after) == 12 and all(after[name] == image for name, image in before.items())


def test_results_of_other_runs_are_measured_anew(measured, saves):
    folder, done = measured
    images = images_of(done)
    stamp = (images / "fits_fake_B.png").stat().st_mtime_ns
    again = enhance(folder, saves, "--dataroot", "low", "--skip_existing", "--reference", "high", "--strength", "0.5")
    assert again.returncode == 1
    report = json.loads((images.parent / "metrics.json").read_text())
    assert "psnr_gt_mean" not in report["metrics"] and report["count"]["psnr"] == 1
    assert (images / "fits_fake_B.png").stat().st_mtime_ns == stamp


def test_results_are_no_input(tmp_path, saves):
    photograph((16, 16)).save(tmp_path / "p.png")
    for _ in range(2):
        done = enhance(tmp_path, saves, "--dataroot", ".")
        assert done.returncode == 0, done.stderr
    assert {path.name for path in images_of(done).iterdir()} == {"p_real_A.png", "p_fake_B.png"}


def test_export(tmp_path, saves):
    done = enhance(tmp_path, saves, "--export", "torchscript")
    assert done.returncode == 0, done.stderr
    path = saves / "small" / "latest_enhancer.pt"
    assert str(path) in done.stdout and "differs from PyTorch by at most" in done.stdout
    assert torch.jit.load(path)(torch.zeros(1, 3, 11, 9)).shape == (1, 3, 11, 9)
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize(
    "flags, told",
    [
        (["--gt_mean"], "--gt_mean compares with references"),
        (["--tile", "3"], "'3' is not auto, off, or a number of rows from 8 to 16384"),
        (["--quality", "0"], "'0' is not a whole number from 1 to 100"),
        (["--strength", "1.5"], "'1.5' is not a number from 0 to 1"),
        (["--output_format", "gif"], "invalid choice: 'gif'"),
        (["--reference", "nowhere"], "nowhere: no such folder"),
    ],
)
def test_bad_flags_are_one_line(tmp_path, saves, flags, told):
    photograph((16, 16)).save(tmp_path / "p.png")
    done = enhance(tmp_path, saves, "--dataroot", "p.png", *flags)
    assert done.returncode == (1 if "nowhere" in flags else 2)
    assert told in error_line(done)
    assert not (tmp_path / "results").exists()


def test_no_dataroot(tmp_path, saves):
    done = enhance(tmp_path, saves)
    assert done.returncode == 2 and "--dataroot" in error_line(done)
