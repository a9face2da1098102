"""test.py --output_dir: enhanced images alone, and nothing replaced that test.py did not write."""

import pytest
from PIL import Image

from data import create_dataset
from options.test_options import TestOptions
from sample_images import camera_exif, photograph
from util.errors import UsageError, WorkError
from util.image_io.finding import WRITTEN, find_images
from util.results.output_folder import OutputFolder


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "low" / "sub").mkdir(parents=True)
    for name in ("a.png", "sub/a.png", "sub/a.jpg"):
        photograph((20, 16), brightness=0.2).save(tmp_path / "low" / name, exif=camera_exif(orientation=6))
    return tmp_path


def enhance(*flags, dataroot="low", weights="of epoch 1"):
    """A run whose networks make an image brighter; what was made anew, and why some failed."""
    opt = TestOptions().parse(["--dataroot", dataroot, "--name", "n", "--output_dir", "out", *flags])
    images = create_dataset(opt)
    results = OutputFolder(opt, images, weights)
    missing = results.missing()
    for sample in images.samples(missing):
        results.add(sample, {"fake_B": sample["A"][0] / 2 + 0.5}, lambda: 0.1)
    return [images.paths[index].as_posix() for index in missing], results.finish("title", {}, 100)[0]


def outputs(place):
    return sorted(path.relative_to(place / "out").as_posix() for path in (place / "out").rglob("*") if path.is_file())


def test_results_alone_under_the_names_and_folders_of_their_inputs(place):
    assert enhance("--output_format", "webp") == (["low/a.png", "low/sub/a.jpg", "low/sub/a.png"], [])
    assert outputs(place) == [WRITTEN, "a.webp", "sub/a_jpg.webp", "sub/a_png.webp"]
    result = Image.open(place / "out" / "a.webp")
    assert result.size == (16, 20) and result.getexif()[0x010F] == "Maker"  # upright, with its metadata


def test_what_test_py_wrote_is_replaced_and_nothing_else(place):
    enhance()
    before = (place / "out" / "a.png").read_bytes()
    assert len(enhance("--strength", "0.5")[0]) == 3  # its own
    assert (place / "out" / "a.png").read_bytes() != before
    for changed in (photograph((9, 9)), photograph((8, 8))):
        changed.save(place / "out" / "a.png")
        kept = (place / "out" / "a.png").read_bytes()
        with pytest.raises(WorkError, match=r"^out/a\.png: test\.py did not write this file, .*--overwrite"):
            enhance("--skip_existing")
        assert (place / "out" / "a.png").read_bytes() == kept
    assert enhance("--overwrite", "--skip_existing", "--strength", "0.5")[0] == ["low/a.png"]
    assert Image.open(place / "out" / "a.png").size == (16, 20)


def test_a_run_that_goes_on_makes_what_is_missing_or_made_otherwise(place):
    enhance()
    assert enhance("--skip_existing")[0] == []
    (place / "out" / "sub" / "a_jpg.png").unlink()
    assert enhance("--skip_existing")[0] == ["low/sub/a.jpg"]
    assert len(enhance("--skip_existing", weights="of epoch 2")[0]) == 3
    assert len((place / "out" / WRITTEN).read_text().splitlines()) == 6  # as it was, and once more


def test_an_image_that_fails_leaves_the_others(place):
    (place / "out" / "a.png").mkdir(parents=True)
    made, errors = enhance("--overwrite")
    assert len(made) == 3 and len(errors) == 1 and errors[0].startswith("out/a.png: cannot write this file")
    assert outputs(place) == [WRITTEN, "sub/a_jpg.png", "sub/a_png.png"]


def test_results_are_no_input(place):
    enhance()
    assert find_images(place) == find_images(place / "low")
    photograph((20, 16)).save(place / "out" / "b.png")
    enhance("--overwrite", dataroot="low/sub")
    for flags in (["--output_dir", "low"], ["--output_dir", "."]):
        with pytest.raises(UsageError, match="choose another --output_dir"):
            enhance(*flags)
    with pytest.raises(UsageError, match="choose another --output_dir"):
        enhance("--output_dir", "low", dataroot="low/a.png")


@pytest.mark.parametrize("flags", [["--reference", "high"], ["--results_dir", "r"], ["--save_stages"]])
def test_what_is_for_the_page_is_refused(flags):
    with pytest.raises(UsageError, match=f"{flags[0]} is for the page"):
        enhance(*flags)


def test_overwrite_needs_a_folder():
    with pytest.raises(UsageError, match="--overwrite belongs to --output_dir"):
        TestOptions().parse(["--dataroot", "low", "--name", "n", "--overwrite"])
