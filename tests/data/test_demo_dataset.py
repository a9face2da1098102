"""The simulated low light follows its model, and the demo data set is what `make demo` needs."""

import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from commands import ROOT
from data import demo_dataset
from data.low_light_simulation import darken, expose, linear_to_srgb, srgb_to_linear
from util.errors import WorkError


def contents(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo") / "new" / "set"
    command = [sys.executable, "-m", "data.demo_dataset", str(folder)]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.count("\n") == 1
    return folder


def test_every_level_survives_decoding_and_encoding():
    levels = np.arange(256) / 255
    linear = srgb_to_linear(levels)
    assert (np.diff(linear) > 0).all()
    assert (linear[0], linear[-1]) == (0, 1)
    np.testing.assert_allclose(linear_to_srgb(linear), levels, rtol=0, atol=1e-6)


def test_decoding_agrees_with_published_values():
    # Levels 10, 128 and 188 of sRGB: on the straight part, and about a fifth and a half of white's light.
    np.testing.assert_allclose(
        srgb_to_linear(np.array([10, 128, 188]) / 255), [0.0030353, 0.2158605, 0.5028865], rtol=0, atol=1e-7
    )


@pytest.mark.parametrize("exposure", [0.05, 0.5])
@pytest.mark.parametrize(("full_well", "read_noise"), [(4000, 3), (500, 20), (200, 0)])
def test_mean_and_variance_follow_the_sensor_model(exposure, full_well, read_noise):
    count = 200_000
    for linear in (0.0, 0.1, 0.9):
        measured = expose(np.full(count, linear), exposure, np.random.default_rng(1), full_well, read_noise)
        mean = linear * exposure
        variance = mean / full_well + (read_noise / full_well) ** 2
        # Five standard errors; the second holds for a Poisson and a Gaussian part of these sizes.
        assert abs(measured.mean() - mean) <= 5 * np.sqrt(variance / count)
        assert abs(measured.var() - variance) <= 5 * variance * np.sqrt(3 / count)


def test_darkened_image_has_the_exposure_in_linear_light():
    image = np.full((256, 256, 3), (250, 180, 120), dtype=np.uint8)
    dark = darken(image, 0.1, np.random.default_rng(0))
    assert (dark.shape, dark.dtype) == (image.shape, np.uint8)
    np.testing.assert_allclose(
        srgb_to_linear(dark / 255).mean(axis=(0, 1)), 0.1 * srgb_to_linear(image[0, 0] / 255), rtol=0.01
    )


def test_full_exposure_without_noise_worth_seeing_changes_no_level():
    levels = np.arange(256, dtype=np.uint8).repeat(3).reshape(16, 16, 3)
    assert (darken(levels, 1.0, np.random.default_rng(0), 1e12, 0.0) == levels).all()


def test_over_exposure_clips_at_white():
    assert (darken(np.full((4, 4, 3), 200, dtype=np.uint8), 8.0, np.random.default_rng(0)) == 255).all()


def test_darkening_depends_on_the_seed_alone():
    image = np.random.default_rng(5).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    first, again, other = (darken(image, 0.1, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert (first == again).all()
    assert (first != other).any()


def test_images_of_the_set(demo):
    images = {name: Image.open(demo / name) for name in contents(demo)}
    assert {image.mode for image in images.values()} == {"RGB"}
    levels = {
        part: [np.asarray(image).mean() for name, image in images.items() if name.startswith(part)]
        for part in ("trainA", "trainB", "testA")
    }
    assert 10 <= len(levels["trainA"]) <= 20
    assert 10 <= len(levels["trainB"]) <= 20
    assert 3 <= len(levels["testA"]) <= 5
    assert max(levels["trainA"]) < 45 < min(levels["trainB"])
    assert 15 <= np.mean(levels["testA"]) <= 30


def test_whole_photographs_are_in_the_set_and_can_be_had_alone(demo):
    (scene, image), *others = demo_dataset.dark_photographs(seed=0, scenes=("officer",))
    assert (scene, others) == ("officer", [])
    assert max(image.size) <= demo_dataset.TEST_SIZE
    with Image.open(demo / "testA" / "demo_officer.png") as written:
        assert written.tobytes() == image.tobytes()


def test_training_sets_show_different_scenes(demo):
    dark, light = ({path.name.split("_")[1] for path in (demo / part).iterdir()} for part in ("trainA", "trainB"))
    assert dark.isdisjoint(light)


def test_second_call_replaces_its_own_images_and_no_others(demo, tmp_path):
    (tmp_path / "trainA").mkdir()
    (tmp_path / "trainA" / "mine.png").write_bytes(b"kept")
    demo_dataset.write_demo_dataset(tmp_path, seed=7)
    other_seed = contents(tmp_path)
    demo_dataset.write_demo_dataset(tmp_path, seed=0)
    default_seed = contents(tmp_path)
    assert default_seed.pop("trainA/mine.png") == other_seed.pop("trainA/mine.png") == b"kept"
    assert default_seed == contents(demo)
    assert other_seed.keys() == default_seed.keys()
    assert all(other_seed[name] != default_seed[name] for name in default_seed if name.startswith("testA"))


@pytest.mark.parametrize(
    ("output", "arguments", "status", "named"),
    [
        ("taken", (), 1, "taken"),
        ("taken/below", (), 1, "taken"),
        ("", (), 2, "output folder"),
        ("new", ("--seed", "-1"), 2, "--seed"),
    ],
)
def test_bad_input_is_one_line(tmp_path, monkeypatch, capsys, output, arguments, status, named):
    (tmp_path / "taken").write_text("a file")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["demo_dataset", output, *arguments])
    assert demo_dataset.main() == status
    message = capsys.readouterr().err
    assert message.startswith("error: ")
    assert named in message
    assert message.count("\n") == 1
    assert (tmp_path / "taken").read_text() == "a file"
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]


def test_missing_photograph_is_named(monkeypatch):
    monkeypatch.setitem(demo_dataset.PHOTOGRAPHS, "coffee", ("skimage", "data/no_such.png"))
    with pytest.raises(WorkError, match=r"no_such\.png"):
        demo_dataset.load_photograph("coffee")
    monkeypatch.setitem(demo_dataset.PHOTOGRAPHS, "coffee", ("no_such_package", "data/coffee.png"))
    with pytest.raises(WorkError, match="no_such_package"):
        demo_dataset.load_photograph("coffee")
