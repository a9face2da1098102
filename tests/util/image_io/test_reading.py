"""Images of 16 bits, colour profiles and EXIF are read as cameras and other programs wrote them; damage is named."""

import sys

import numpy as np
import pytest
import tifffile
import torch
from PIL import ExifTags, Image

from sample_images import camera_exif, colour_profile, levels, photograph, save_deep_png
from util.errors import WorkError
from util.image_io.reading import count_pixels, open_image, read_image
from util.image_io.tensors import to_levels


def random_colours(*shape, kind=np.uint16):
    return np.random.default_rng(1).integers(0, np.iinfo(kind).max + 1, shape, dtype=kind)


def assert_colours(tensor, values):
    """The tensor has the 16-bit values (H, W, 3 or more)."""
    assert np.array_equal(to_levels(tensor, 65535), values[:, :, :3])


@pytest.mark.parametrize("channels", [3, 4])
def test_sixteen_bit_png_keeps_its_precision(tmp_path, channels):
    values = random_colours(5, 7, channels)
    save_deep_png(tmp_path / "deep.png", values)
    photo = read_image(tmp_path / "deep.png")
    expected = torch.from_numpy(values[:, :, :3].astype(np.float32) / 65535 * 2 - 1).permute(2, 0, 1)
    assert torch.equal(photo.pixels, expected) and photo.deep
    assert (photo.alpha is not None) == (channels == 4)
    if photo.alpha:
        assert np.array_equal(levels(photo.alpha), values[:, :, 3] >> 8)
    photograph((7, 5)).save(tmp_path / "plain.png")
    assert not read_image(tmp_path / "plain.png").deep


@pytest.mark.parametrize(
    "flags",
    [
        {},
        {"byteorder": ">"},
        {"compression": "zlib", "predictor": True},
        {"tile": (16, 16)},
        {"bigtiff": True},
        {"planarconfig": "separate"},
    ],
)
def test_sixteen_bit_tiff_keeps_its_precision(tmp_path, flags):
    values = random_colours(20, 30, 3)
    stored = values.transpose(2, 0, 1) if "planarconfig" in flags else values
    tifffile.imwrite(tmp_path / "deep.tif", stored, photometric="rgb", metadata=None, **flags)
    assert_colours(read_image(tmp_path / "deep.tif").pixels, values)


def test_sixteen_bit_tiff_with_alpha_and_of_many_pages(tmp_path):
    values = random_colours(3, 20, 30, 4)
    tifffile.imwrite(tmp_path / "a.tif", values, photometric="rgb", extrasamples=["unassalpha"], metadata=None)
    photo = read_image(tmp_path / "a.tif")
    assert_colours(photo.pixels, values[0])
    assert np.array_equal(levels(photo.alpha), values[0, :, :, 3] >> 8)


def test_deep_gray_and_floating_tiffs(tmp_path):
    gray = random_colours(5, 7)
    tifffile.imwrite(tmp_path / "i.tif", gray, photometric="minisblack", metadata=None)
    tifffile.imwrite(tmp_path / "f.tif", (gray / 65535).astype(np.float32), photometric="minisblack", metadata=None)
    tifffile.imwrite(tmp_path / "f8.tif", (gray / 257).astype(np.float32), photometric="minisblack", metadata=None)
    for name in ("i.tif", "f.tif", "f8.tif"):
        photo = read_image(tmp_path / name)
        assert_colours(photo.pixels, np.repeat(gray[:, :, None], 3, axis=2))
        assert photo.alpha is None


def test_eight_bits_where_sixteen_cannot_be_read(tmp_path, monkeypatch):
    values = random_colours(5, 7, 4)
    save_deep_png(tmp_path / "deep.png", values)
    tifffile.imwrite(tmp_path / "a.tif", values, photometric="rgb", extrasamples=["assocalpha"], metadata=None)
    tifffile.imwrite(tmp_path / "deep.tif", values[:, :, :3], photometric="rgb", metadata=None)
    assert read_image(tmp_path / "a.tif").pixels.mode == "RGBA"

    def no_codec(page):
        raise ValueError("requires the 'imagecodecs' package")

    monkeypatch.setattr(tifffile.TiffPage, "asarray", no_codec)
    monkeypatch.setitem(sys.modules, "torchvision.io", None)  # so that importing it fails
    for name in ("deep.tif", "deep.png"):
        photo = read_image(tmp_path / name)
        assert not photo.deep
        assert np.array_equal(levels(photo.pixels)[..., :3], values[:, :, :3] >> 8)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_deep_images_are_turned_upright(tmp_path, orientation):
    values = random_colours(5, 7, 3, kind=np.uint8)
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(values).save(tmp_path / "plain.jpg.png", exif=exif)
    expected = levels(open_image(tmp_path / "plain.jpg.png"))
    tag = (0x0112, "H", 1, orientation, True)
    deep = values.astype(np.uint16) * 257
    tifffile.imwrite(tmp_path / "deep.tif", deep, photometric="rgb", metadata=None, extratags=[tag])
    photo = read_image(tmp_path / "deep.tif")
    assert_colours(photo.pixels, expected * 257)


@pytest.mark.parametrize("file", ["a.jpg", "a.png", "a.webp", "a.tif"])
def test_profile_and_exif_are_read(tmp_path, file):
    photograph((20, 12)).save(tmp_path / file, exif=camera_exif(), icc_profile=colour_profile())
    photo = read_image(tmp_path / file)
    assert photo.pixels.size == (12, 20) and photo.metadata.icc == colour_profile()
    exif = Image.Exif()
    exif.load(photo.metadata.exif)
    assert photo.metadata.exif.startswith(b"Exif\0\0") and 0x0112 not in exif
    assert exif[0x010F] == "Maker"
    assert exif.get_ifd(0x8769) == {0x829A: (1, 50), 0x927C: b"notes of the maker"}
    assert exif.get_ifd(0x8825)[2] == (47, 22, 5)
    if file != "a.tif":
        # Nothing but the table of tags has changed: what lies behind it is where it was.
        whole = camera_exif()
        assert (
            len(photo.metadata.exif) == len(whole)
            and photo.metadata.exif[80:] == whole[80:]
            and whole[80:].count(b"maker") == 1
        )


def test_the_preview_in_exif_goes(tmp_path):
    whole = bytearray(camera_exif())
    end = 16 + 12 * int.from_bytes(whole[14:16], "big")
    whole[end : end + 4] = whole[10:14]  # a next table, which would be that of the preview: the first one will do
    photograph((20, 12)).save(tmp_path / "a.jpg", exif=bytes(whole))
    previews = []
    for data in (bytes(whole), read_image(tmp_path / "a.jpg").metadata.exif):
        exif = Image.Exif()
        exif.load(data)
        previews.append(exif.get_ifd(ExifTags.IFD.IFD1))
    assert previews[0] and not previews[1]


@pytest.mark.parametrize("mode, kept", [("RGB", True), ("P", True), ("L", False), ("CMYK", False)])
def test_a_profile_must_fit_the_result(tmp_path, mode, kept):
    photograph((8, 6)).convert(mode).save(tmp_path / "a.tif", icc_profile=colour_profile())
    assert read_image(tmp_path / "a.tif").metadata.icc == (colour_profile() if kept else None)
    photograph((8, 6)).convert(mode).save(tmp_path / "b.tif", icc_profile=colour_profile("LAB"))
    assert read_image(tmp_path / "b.tif").metadata.icc is None


@pytest.mark.parametrize("exif", [b"Exif\0\0no EXIF", b"Exif\0\0II*\0\xff\0\0\0", b"Exif\0\0MM\0*\0\0\0\x08\0\x05"])
@pytest.mark.parametrize("file", ["a.jpg", "a.png", "a.webp"])
@pytest.mark.filterwarnings("ignore:Corrupt EXIF", "ignore:Truncated File")
def test_damaged_exif_does_not_hide_the_image(tmp_path, file, exif):
    photograph((20, 12)).save(tmp_path / file, exif=exif)
    photo = read_image(tmp_path / file)
    assert photo.pixels.size == (20, 12) and photo.metadata.exif is None
    assert open_image(tmp_path / file).size == (20, 12)


@pytest.mark.parametrize("flags", [{}, {"compression": "zlib"}])
def test_a_truncated_deep_tiff_is_named(tmp_path, flags):
    path = tmp_path / "cut.tif"
    tifffile.imwrite(path, random_colours(60, 50, 3), photometric="rgb", metadata=None, **flags)
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(WorkError, match=r"cut\.tif: cannot read"):
        read_image(path)


def test_pixels_are_counted_by_the_header(tmp_path):
    photograph((20, 12)).save(tmp_path / "a.png")
    (tmp_path / "a.png").write_bytes((tmp_path / "a.png").read_bytes()[:60])
    (tmp_path / "b.png").write_text("text")
    assert [count_pixels(tmp_path / name) for name in ("a.png", "b.png", "c.png")] == [240, 0, 0]


@pytest.mark.parametrize("damage", ["text", "truncated", "empty", "missing"])
def test_damaged_images_are_named(tmp_path, damage):
    path = tmp_path / "image.jpg"
    photograph((64, 48)).save(path)
    if damage == "text":
        path.write_text("not an image")
    elif damage == "truncated":
        path.write_bytes(path.read_bytes()[:600])
    elif damage == "empty":
        path.write_bytes(b"")
    else:
        path.unlink()
    with pytest.raises(WorkError, match=r"image\.jpg: cannot read") as caught:
        open_image(path)
    assert "\n" not in str(caught.value)
