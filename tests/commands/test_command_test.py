"""python test.py, run for real: images in, images and a page out."""

import csv
import platform
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from commands import error_line, error_lines, run
from golden_weights import golden_arrays
from models.enhancer import Enhancer
from sample_images import (
    camera_exif,
    colour_profile,
    enhancer_folder,
    levels,
    photograph,
    save_deep_png,
    training_folder,
)

pytestmark = pytest.mark.commands


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """A folder saves/ with untrained weights ``small`` in the authors' form."""
    root = tmp_path_factory.mktemp("weights")
    enhancer_folder(root / "saves" / "small")
    return root / "saves"


def enhance(folder, weights, *flags):
    return run("test.py", "--checkpoints_dir", weights, "--name", "small", *flags, cwd=folder)


def test_the_golden_image_within_a_gray_level(tmp_path, released_weights):
    golden = golden_arrays("nerco/full.npz")
    (tmp_path / "saves" / "LSRW").mkdir(parents=True)
    for net, network in released_weights.items():
        torch.save(network.state_dict(), tmp_path / "saves" / "LSRW" / f"latest_net_{net}.pth")
    (tmp_path / "dataset" / "testA").mkdir(parents=True)
    # In 16 bits: rounded to 8, the input itself would move the output of these weights by up to 8 levels.
    deep = ((golden["real_A"][0] + 1) / 2 * 65535).round().permute(1, 2, 0).numpy().astype(np.uint16)
    save_deep_png(tmp_path / "dataset" / "testA" / "a.png", deep)

    done = run("test.py", "--dataroot", "./dataset", "--name", "LSRW", "--preprocess=none", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    page = Path(done.stdout.splitlines()[-1])
    assert page == tmp_path / "results" / "LSRW" / "test_latest" / "index.html" and page.is_file()
    saved = levels(Image.open(page.parent / "images" / "a_fake_B.png"))
    expected = ((golden["fake_B"][0] + 1) * 127.5).round().clamp(0, 255).permute(1, 2, 0).numpy()
    assert np.abs(saved - expected).max() <= 1


def test_a_folder_of_every_kind_of_image(tmp_path, weights):
    source = tmp_path / "pictures"
    (source / "a").mkdir(parents=True)
    (source / "b").mkdir()
    image = photograph((37, 22), brightness=0.3)
    image.save(source / "a" / "x.png")
    image.save(source / "b" / "x.PNG")
    image.resize((9, 5)).save(source / "x.jpg")
    image.resize((1, 1)).save(source / "dot.bmp")
    image.quantize(8).save(source / "palette.png")
    image.convert("CMYK").save(source / "print.tif")
    image.convert("L").save(source / "gray.webp", lossless=True)
    Image.fromarray(levels(image.convert("L")).astype(np.uint16) * 257).save(source / "deep.png")
    transparent = image.copy()
    transparent.putalpha(99)
    transparent.save(source / "see through & <b> '#1' 100%.png")

    done = enhance(tmp_path, weights, "--dataroot", source, "--num_threads", "2")
    assert done.returncode == 0, done.stderr
    page = Path(done.stdout.splitlines()[-1])
    images = page.parent / "images"
    sizes = {path.name.removesuffix("_fake_B.png"): Image.open(path).size for path in images.glob("*_fake_B.png")}
    assert sizes == {
        "a_x": (37, 22),
        "b_x": (37, 22),
        "x": (9, 5),
        "dot": (1, 1),
        "palette": (37, 22),
        "print": (37, 22),
        "gray": (37, 22),
        "deep": (37, 22),
        "see through & <b> '#1' 100%": (37, 22),
    }
    result = Image.open(images / "see through & <b> '#1' 100%_fake_B.png")
    assert result.mode == "RGBA" and (levels(result)[..., 3] == 99).all()
    deep, gray = (Image.open(images / name) for name in ("deep_real_A.png", "gray_real_A.webp"))
    assert np.array_equal(levels(deep), levels(gray)[..., 0] * 257)
    for stage in ("real_A", "fake_B"):
        assert Image.open(images / f"deep_{stage}.png").mode in ("I;16", "I")


def test_python_does_what_the_command_does(tmp_path, weights):
    source, image = tmp_path / "in", photograph((37, 22), brightness=0.3)
    source.mkdir()
    told = {"exif": camera_exif(orientation=6), "icc_profile": colour_profile()}
    image.save(source / "turned.jpg", **told)
    image.save(source / "turned.tif", **told)
    image.convert("L").save(source / "gray.png", exif=camera_exif(orientation=8))
    image.convert("LA").save(source / "gray_alpha.png")
    image.quantize(8).save(source / "palette.gif")
    image.convert("CMYK").save(source / "print.jpg")
    Image.fromarray(levels(image.convert("L")).astype(np.uint16) * 257).save(source / "gray16.png")
    save_deep_png(source / "deep.png", np.asarray(image).astype(np.uint16) * 257)
    transparent = image.copy()
    transparent.putalpha(99)
    transparent.save(source / "alpha.webp", lossless=True)

    done = enhance(tmp_path, weights, "--dataroot", source, "--gpu_ids", "-1")
    assert done.returncode == 0, done.stderr
    enhancer = Enhancer.from_checkpoint(weights / "small", device="cpu")
    turned = {path: path.stem for path in source.iterdir()} | {
        source / f"turned.{kind}": f"turned_{kind}" for kind in ("jpg", "tif")
    }
    for path, name in turned.items():
        saved = Image.open(Path(done.stdout.splitlines()[-1]).parent / "images" / f"{name}_fake_B.png")
        results = [enhancer.enhance(path)]
        if name != "deep":  # of which PIL holds 8 bits
            results.append(enhancer.enhance(Image.open(path)))
        for result in results:
            assert result.mode == saved.mode and result.size == saved.size
            assert np.abs(levels(result) - levels(saved)).max() <= (1 if name == "deep" else 0), name
            assert result.info.get("icc_profile") == saved.info.get("icc_profile")
            assert dict(result.getexif()) == dict(saved.getexif())


def test_one_bad_image_does_not_stop_the_others(tmp_path, weights):
    data = training_folder(tmp_path / "dataset", count=2)
    (data / "testA" / "text.png").write_text("not an image")
    photograph((64, 64)).save(data / "testA" / "cut.jpg")
    whole = (data / "testA" / "cut.jpg").read_bytes()
    (data / "testA" / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    save_deep_png(data / "testA" / "deep.png", np.asarray(photograph((64, 64))).astype(np.uint16))
    whole = bytearray((data / "testA" / "deep.png").read_bytes())
    whole[500] ^= 1
    (data / "testA" / "deep.png").write_bytes(whole)

    done = enhance(tmp_path, weights, "--dataroot", data)
    assert done.returncode == 1
    lines = error_lines(done)
    for name, line in zip(("cut.jpg", "deep.png", "text.png"), lines, strict=False):
        assert line.startswith("error: ") and f"{name}: cannot read this image" in line
    assert lines[3] == "3 of 5 images failed" and len(lines) == 4
    page = Path(done.stdout.splitlines()[-1])
    assert len(list((page.parent / "images").glob("*_fake_B.png"))) == 2
    assert page.read_text().count("failed: ") == 3


def test_what_is_left_out_and_what_has_a_strange_name(tmp_path, weights):
    """One line each for what is no input; names that no file of results can have do not stop the others."""
    source = tmp_path / "eval15"
    for folder in ("low", "high"):
        (source / folder).mkdir(parents=True)
        for name in ("1", "\r2", "3" * 240, "\N{GRINNING FACE}" * 60):
            photograph((24, 16), brightness=0.2 if folder == "low" else 1).save(source / folder / f"{name}.png")
    (source / "x.xyz").touch()
    flags = ["--dataroot", "eval15", "--reference", "eval15/high", "--results_dir", "eval15", "--skip_existing"]
    for _ in range(2):
        done = enhance(tmp_path, weights, *flags)
        assert done.returncode == 0, done.stderr
        assert "left out of eval15: the references, eval15/high\n" in done.stdout
        assert "left out of eval15: 1 .xyz\n" in done.stdout
        page = Path(done.stdout.splitlines()[-1])
        assert len(list((page.parent / "images").glob("*_fake_B.png"))) == 4
        with (page.parent / "metrics.csv").open(newline="") as file:
            rows = list(csv.DictReader(file))
        assert [row["file"] for row in rows[:-1]] == [
            f"eval15/low/{path.name}" for path in sorted((source / "low").iterdir())
        ]
        assert all(float(row["psnr"]) < 30 for row in rows)
    assert "left out of eval15: results of test.py, eval15/small/test_latest\n" in done.stdout


def test_other_sizes_on_request(tmp_path, weights):
    photograph((60, 40)).save(tmp_path / "p.png")
    flags = ["--dataroot", tmp_path / "p.png", "--preprocess", "scale_width", "--load_size", "30"]
    done = enhance(tmp_path, weights, *flags, "--aspect_ratio", "2", "--results_dir", "out")
    assert done.returncode == 0, done.stderr
    assert Image.open(tmp_path / "out" / "small" / "test_latest" / "images" / "p_fake_B.png").size == (60, 20)


def test_b_is_never_read(tmp_path, weights):
    data = training_folder(tmp_path / "dataset", count=1)
    (data / "testB").mkdir()
    (data / "testB" / "broken.png").write_text("not an image")
    assert enhance(tmp_path, weights, "--dataroot", data).returncode == 0


def remove_key(saves):
    path = saves / "small" / "latest_net_H.pth"
    state = torch.load(path)
    del state["conv1.weight"]
    torch.save(state, path)


@pytest.mark.parametrize(
    "spoil, flags, status, told",
    [
        (None, ["--dataroot", "nowhere"], 1, "nowhere: no such folder"),
        (None, ["--dataroot", "saves"], 1, "saves: no images"),
        (None, ["--ngf", "64"], 2, "--ngf 64: the weights in small have 16"),
        (None, ["--name", "typo"], 1, "check --name"),
        (None, ["--epoch", "7"], 1, "--epoch can be latest"),
        (None, ["--results_dir", "pictures/p.png"], 1, "cannot make this folder"),
        (None, ["--load_size", "0"], 2, "'0' is not a whole number from 1 to 16384"),
        (remove_key, [], 1, "latest_net_H.pth: does not fit this network: conv1.weight is missing"),
    ],
)
def test_bad_input_is_one_line(tmp_path, spoil, flags, status, told):
    enhancer_folder(tmp_path / "saves" / "small")
    (tmp_path / "pictures").mkdir()
    photograph((16, 16)).save(tmp_path / "pictures" / "p.png")
    if spoil:
        spoil(tmp_path / "saves")
    done = run("test.py", "--dataroot", "pictures", "--name", "small", *flags, cwd=tmp_path)
    assert done.returncode == status
    assert told in error_line(done)
    assert not (tmp_path / "results").exists()


def test_a_gpu_that_is_not_there(tmp_path, weights):
    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    photograph((16, 16)).save(tmp_path / "p.png")
    done = enhance(tmp_path, weights, "--dataroot", tmp_path / "p.png", "--gpu_ids", "3")
    assert done.returncode == 0
    assert done.stdout.splitlines()[0] == "no GPU found: computing on the CPU"


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="about x86")
def test_amp_on_a_processor_without_such_arithmetic_is_fp32(tmp_path, weights):
    photograph((24, 16), brightness=0.3).save(tmp_path / "a.png")
    saved = {}
    for name, flags in (("fp32", []), ("amp", ["--amp", "bf16"]), ("forced", ["--amp", "bf16", "--force_amp"])):
        flags = ["--dataroot", tmp_path / "a.png", "--results_dir", tmp_path / name, *flags]
        done = run(
            "test.py",
            *("--checkpoints_dir", weights, "--name", "small"),
            *flags,
            cwd=tmp_path,
            env={"ONEDNN_MAX_CPU_ISA": "AVX2"},
        )
        assert done.returncode == 0, done.stderr
        assert ("no bf16 arithmetic" in done.stdout) is (name == "amp")
        page = Path(done.stdout.splitlines()[-1])
        assert ("bf16" in page.read_text()) is (name == "forced")
        saved[name] = levels(Image.open(page.parent / "images" / "a_fake_B.png"))
    assert (saved["amp"] == saved["fp32"]).all()
