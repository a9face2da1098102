"""Images of 16 bits, colour profiles and EXIF are read as cameras and other programs wrote them; damage is named."""

import struct
import sys
import warnings
import zlib

import numpy as np
import pytest
import tifffile
import torch
from PIL import EpsImagePlugin, ExifTags, Image, PngImagePlugin

from sample_images import camera_exif, colour_profile, levels, photograph, save_deep_png
from util.errors import WorkError
from util.image_io.encoders import write_png
from util.image_io.finding import find_images
from util.image_io.metadata import Metadata
from util.image_io.reading import count_pixels, open_image, open_rgb, read_image
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


def test_eight_bits_where_sixteen_cannot_be_read(tmp_path):
    values = random_colours(5, 7, 4)
    tifffile.imwrite(tmp_path / "a.tif", values, photometric="rgb", extrasamples=["assocalpha"], metadata=None)
    assert read_image(tmp_path / "a.tif").pixels.mode == "RGBA"
    planes = {"photometric": "rgb", "planarconfig": "separate", "metadata": None}
    tifffile.imwrite(tmp_path / "b.tif", values[:, :, :3].transpose(2, 0, 1), compression="zlib", **planes)
    assert np.array_equal(levels(read_image(tmp_path / "b.tif").pixels), values[:, :, :3] >> 8)


@pytest.mark.parametrize("flags", [{}, {"byteorder": ">"}, {"rowsperstrip": 2}, {"tile": (16, 16)}])
def test_planes_of_sixteen_bits_are_not_taken_for_eight(tmp_path, flags):
    values = random_colours(20, 30, 3)
    planes = values.transpose(2, 0, 1)
    tifffile.imwrite(tmp_path / "a.tif", planes, photometric="rgb", planarconfig="separate", metadata=None, **flags)
    assert np.array_equal(levels(open_image(tmp_path / "a.tif")), values >> 8)
    assert_colours(read_image(tmp_path / "a.tif").pixels, values)


def test_gray_and_alpha_in_sixteen_bits(tmp_path):
    values = random_colours(5, 7, 2)
    write_png(tmp_path / "a.png", values.shape, [values], Metadata(), 16)
    photo = read_image(tmp_path / "a.png")
    assert photo.gray and photo.deep
    assert_colours(photo.pixels, np.repeat(values[:, :, :1], 3, axis=2))
    assert np.array_equal(levels(photo.alpha), values[:, :, 1] >> 8)


@pytest.mark.parametrize("mode, gray", [("1", True), ("L", True), ("LA", True), ("P", False), ("RGB", False)])
def test_gray_images_are_known(tmp_path, mode, gray):
    photograph((8, 6)).convert(mode).save(tmp_path / "a.png")
    for source in (tmp_path / "a.png", Image.open(tmp_path / "a.png")):
        assert read_image(source).gray == gray


def test_an_image_that_pil_holds_is_read_like_its_file(tmp_path):
    for name, mode in (("a.jpg", "RGB"), ("b.png", "RGBA"), ("c.tif", "RGB"), ("d.png", "I;16"), ("e.webp", "RGB")):
        image = photograph((20, 12))
        image = Image.fromarray(random_colours(12, 20)) if mode == "I;16" else image.convert(mode)
        image.save(tmp_path / name, exif=camera_exif(), icc_profile=colour_profile())
        held = Image.open(tmp_path / name)
        one, other = read_image(tmp_path / name), read_image(held)
        assert torch.equal(one.colours(), other.colours()) and one.colours().shape == (3, 20, 12)
        assert (one.metadata, one.gray, one.deep) == (other.metadata, other.gray, other.deep)
        assert one.alpha == other.alpha
        if name != "c.tif":  # that one, PIL turns as soon as it is decoded
            assert held.size == (20, 12) and held.getexif()[0x0112] == 6


FILES = {  # name: what PIL saves it as
    **{"a.jpe": "JPEG", "a.jfif": "JPEG", "a.JPG": "JPEG", "a.mpo": "MPO", "a.avif": "AVIF", "a.gif": "GIF"},
    **{"a.jp2": "JPEG2000", "a.j2k": "JPEG2000", "a.tga": "TGA", "a.pnm": "PPM", "a.jpg": "PNG", "a.png": "AVIF"},
}


@pytest.mark.parametrize("name, kind", FILES.items())
def test_every_listed_format_is_read(tmp_path, name, kind):
    Image.init()
    if kind not in Image.SAVE:
        pytest.skip(f"this PIL writes no {kind}")
    photograph((40, 24)).save(tmp_path / name, kind)
    assert [path.name for path in find_images(tmp_path)] == [name]
    assert np.array_equal(levels(open_image(tmp_path / name)), levels(Image.open(tmp_path / name).convert("RGB")))
    assert count_pixels(tmp_path / name) == 40 * 24


def test_of_an_animation_the_first_frame_is_read(tmp_path):
    frames = [Image.new("RGB", (8, 6), colour) for colour in ("red", "blue")]
    for name in ("a.gif", "a.webp", "a.png", "a.mpo"):
        frames[0].save(tmp_path / name, save_all=True, append_images=frames[1:])
        loaded = read_image(tmp_path / name)
        assert loaded.several
        assert np.abs(levels(loaded.pixels.convert("RGB")) - levels(frames[0])).max() <= 4  # WebP, JPEG
    tifffile.imwrite(tmp_path / "a.tif", np.stack([np.asarray(frame) for frame in frames]), photometric="rgb")
    assert read_image(tmp_path / "a.tif").several
    frames[0].save(tmp_path / "b.gif")
    assert not read_image(tmp_path / "b.gif").several


def test_heic_asks_for_its_package(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pillow_heif", None)  # so that importing it fails
    monkeypatch.delitem(Image.OPEN, "HEIF", raising=False)
    for name in ("a.heic", "a.jpg"):
        (tmp_path / name).write_bytes(b"\0\0\0\x18ftypheic" + bytes(64))
        with pytest.raises(WorkError, match=rf"{name}: cannot read this image \(.*pip install pillow-heif\)"):
            read_image(tmp_path / name)


def test_heic_is_read(tmp_path):
    pillow_heif = pytest.importorskip("pillow_heif")
    pillow_heif.from_pillow(photograph((40, 24))).save(tmp_path / "a.heic")
    assert np.abs(levels(open_image(tmp_path / "a.heic")) - levels(photograph((40, 24)))).mean() < 9


def test_a_format_that_pil_was_built_without_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr("util.image_io.opening.features.get_supported", lambda: ["webp"])
    monkeypatch.delitem(Image.OPEN, "AVIF", raising=False)
    (tmp_path / "a.avif").write_bytes(b"\0\0\0\x20ftypavif" + bytes(64))
    with pytest.raises(WorkError, match=r"a\.avif: .*PIL is installed without its part avif"):
        read_image(tmp_path / "a.avif")


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.tif"])
def test_no_other_program_is_started(tmp_path, monkeypatch, name):
    photograph((20, 12)).save(tmp_path / name, "EPS")
    monkeypatch.setattr(EpsImagePlugin, "Ghostscript", lambda *args: pytest.fail("Ghostscript was started"))
    with pytest.raises(WorkError, match="not an image, or damaged"):
        read_image(tmp_path / name)


def test_the_memory_is_the_limit(tmp_path, monkeypatch):
    names, image = ("a.png", "a.jpg", "a.tif", "a.webp", "a.gif", "a.bmp"), photograph((20, 12))
    for name in names:
        image.save(tmp_path / name)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)  # PIL refuses twice as many
    for name in names:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert open_image(tmp_path / name).size == (20, 12)
    assert Image.MAX_IMAGE_PIXELS == 10  # for whoever else uses PIL
    monkeypatch.setattr("util.image_io.opening.free_memory", lambda device: 20 * 12 * 24 - 1)
    with pytest.raises(WorkError, match=r"a\.png: decoding 20x12 pixels takes .* free some, or make the image smaller"):
        read_image(tmp_path / "a.png")


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_values_that_are_no_numbers_are_refused(tmp_path, value):
    values = np.full((6, 8), 0.5, np.float32)
    values[2, 3] = value
    tifffile.imwrite(tmp_path / "a.tif", values, metadata=None)
    for read in (read_image, open_rgb):
        with pytest.raises(WorkError, match=r"a\.tif: .*NaN or Inf"):
            read(tmp_path / "a.tif")


@pytest.mark.parametrize(
    "error", [RuntimeError, MemoryError, TypeError, IndexError, KeyError, struct.error, zlib.error]
)
@pytest.mark.parametrize("step", ["_open", "load"])
def test_whatever_a_decoder_raises_is_one_line(tmp_path, monkeypatch, error, step):
    photograph((20, 12)).save(tmp_path / "a.png")

    def fail(*args):
        raise error("what\nit says")

    monkeypatch.setattr(PngImagePlugin.PngImageFile, step, fail)
    with pytest.raises(WorkError, match=r"a\.png: cannot read this image") as caught:
        open_rgb(tmp_path / "a.png")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("tag, value", [(322, 65535), (323, 65535), (32997, 1000), (32998, 1000)])
def test_a_tiff_that_asks_for_more_than_its_pixels_is_refused(tmp_path, tag, value):
    tifffile.imwrite(
        tmp_path / "a.tif",
        random_colours(8, 8, 3),
        photometric="rgb",
        compression="zlib",
        metadata=None,
        tile=(512, 512),
    )
    contents = bytearray((tmp_path / "a.tif").read_bytes())
    place = contents.index(struct.pack("<H", tag if tag < 1000 else 305))  # what wrote it gives way to a depth
    contents[place : place + 12] = struct.pack("<HHII", tag, 4, 1, value)
    (tmp_path / "a.tif").write_bytes(contents)
    for read in (read_image, open_rgb):
        with pytest.raises(WorkError, match=r"a\.tif: cannot read this image \((tiles of|a stack)"):
            read(tmp_path / "a.tif")


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


def test_what_cannot_be_opened_is_told_apart_from_damage(tmp_path, monkeypatch):
    path = tmp_path / "a.png"
    with pytest.raises(
        WorkError, match=r"a\.png: cannot read this image \(no such file or directory\); check the path"
    ):
        open_image(path)
    photograph((64, 48)).save(path)
    path.write_bytes(path.read_bytes()[:-2000])
    with pytest.raises(WorkError, match="truncated: it ends within its pixels"):
        open_image(path)

    def refused(*_):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("util.image_io.reading.opened", refused)
    with pytest.raises(WorkError, match=r"cannot read this image \(permission denied\); change its permissions"):
        open_image(path)


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
