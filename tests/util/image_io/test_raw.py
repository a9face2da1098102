"""RAW files of cameras, by way of a DNG that is made here."""

import sys

import numpy as np
import pytest
import tifffile

from data.low_light_simulation import srgb_to_linear
from sample_images import photograph
from util.errors import WorkError
from util.image_io.reading import count_pixels, open_rgb, read_image

WHITE = (0.5, 1.0, 0.6)  # what the camera sees of a white surface
TO_SRGB = ((3.2405, -1.5371, -0.4985), (-0.9693, 1.8760, 0.0416), (0.0556, -0.2040, 1.0572))  # from XYZ


def write_dng(path, image, orientation=1):
    """Write what a camera with these colours would have seen of an image of even sides: one colour a pixel (RGGB)."""
    seen = srgb_to_linear(np.asarray(image) / 255) * WHITE
    mosaic = np.empty(seen.shape[:2])
    for row, column, channel in ((0, 0, 0), (0, 1, 1), (1, 0, 1), (1, 1, 2)):
        mosaic[row::2, column::2] = seen[row::2, column::2, channel]

    def rational(values):
        return [number for value in np.ravel(values) for number in (round(value * 10000), 10000)]

    tags = [(274, "H", 1, orientation, True), (271, "s", 0, "Maker", True), (50708, "s", 0, "Maker Model", True)]
    tags += [(33421, "H", 2, (2, 2), True), (33422, "B", 4, (0, 1, 1, 2), True), (50706, "B", 4, (1, 4, 0, 0), True)]
    tags += [(50717, "H", 1, 16383, True), (50728, "2I", 3, rational(WHITE), True)]
    tags += [(50721, "2i", 9, rational(np.diag(WHITE) @ TO_SRGB), True), (50778, "H", 1, 21, True)]
    levels = (mosaic * 16383).round().astype(np.uint16)
    tifffile.imwrite(path, levels, photometric=32803, extratags=tags, metadata=None)


def test_it_is_developed_as_the_camera_saw_it(tmp_path):
    pytest.importorskip("rawpy")
    image = photograph((96, 64), brightness=0.5)
    write_dng(tmp_path / "a.dng", image)
    loaded = read_image(tmp_path / "a.dng")
    assert loaded.deep and not loaded.gray and loaded.pixels.shape == (3, 64, 96)
    assert count_pixels(tmp_path / "a.dng") == 96 * 64
    assert b"Maker" in loaded.metadata.exif
    mean = ((loaded.pixels + 1) * 127.5).mean((1, 2)).numpy()
    assert np.abs(mean - np.asarray(image).mean((0, 1))).max() < 2  # neither brightened nor tinted


def test_it_is_turned_upright(tmp_path):
    pytest.importorskip("rawpy")
    write_dng(tmp_path / "a.DNG", photograph((96, 64)), orientation=6)
    assert open_rgb(tmp_path / "a.DNG").size == (64, 96)


def test_damage_is_one_line(tmp_path):
    pytest.importorskip("rawpy")
    write_dng(tmp_path / "a.dng", photograph((96, 64)))
    for contents in (b"", b"no image", (tmp_path / "a.dng").read_bytes()[:300]):
        (tmp_path / "b.dng").write_bytes(contents)
        with pytest.raises(WorkError, match=r"b\.dng: cannot read this image"):
            read_image(tmp_path / "b.dng")
        assert count_pixels(tmp_path / "b.dng") in (0, 96 * 64)


def test_it_asks_for_its_package(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "rawpy", None)  # so that importing it fails
    (tmp_path / "a.nef").touch()
    with pytest.raises(WorkError, match=r"a\.nef: RAW is read with rawpy: pip install -r"):
        read_image(tmp_path / "a.nef")
