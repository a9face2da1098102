"""Pictures of every kind become tensors and come back."""

import os
import sys

import numpy as np
import pytest
import tifffile
import torch
from PIL import ExifTags, Image

from data.image_folder import count_pixels, find_pictures, open_picture, output_names
from data.photograph import read_photograph
from pictures import camera_exif, colour_profile, levels, photograph, save_deep_png
from util.errors import WorkError
from util.images import alpha_channel, each_channel, row_strips, stretch, to_8bit, to_levels, to_picture, to_tensor


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr", "LAB", "HSV", "I;16", "F"])
def test_every_mode_becomes_colour(mode):
    gray = np.tile(np.linspace(0, 255, 12).astype(np.uint8), (5, 1))
    if mode == "I;16":
        picture = Image.fromarray(gray.astype(np.uint16) * 257)
    elif mode == "F":
        picture = Image.fromarray(gray.astype(np.float32) / 255)
    else:
        picture = Image.fromarray(gray)
        picture = picture.convert(mode) if mode in ("1", "P", "PA") else picture.convert("RGB").convert(mode)
    tensor = to_tensor(picture)
    assert tensor.shape == (3, 5, 12) and tensor.dtype == torch.float32
    tolerance = 255 if mode == "1" else 6  # in levels; LAB is coarse
    assert np.abs(levels(to_picture(tensor))[..., 0] - gray.astype(int)).max() <= tolerance
    assert tensor[:, :, 0].max() < -0.9 and tensor[:, :, -1].min() > 0.9
    assert to_8bit(picture).mode == ("RGBA" if mode in ("LA", "PA", "RGBA") else "RGB")


def test_sixteen_bits_keep_their_precision():
    gray = np.arange(0, 65536, 97, dtype=np.uint16)[None]
    expected = torch.from_numpy(gray.astype(np.float32) / 65535 * 2 - 1)
    torch.testing.assert_close(to_tensor(Image.fromarray(gray))[0], expected, atol=1e-6, rtol=0)


def random_colours(*shape, kind=np.uint16):
    return np.random.default_rng(1).integers(0, np.iinfo(kind).max + 1, shape, dtype=kind)


def assert_colours(tensor, values):
    """The tensor has the 16-bit values (H, W, 3 or more)."""
    assert np.array_equal(to_levels(tensor, 65535), values[:, :, :3])


@pytest.mark.parametrize("channels", [3, 4])
def test_sixteen_bit_png_keeps_its_precision(tmp_path, channels):
    values = random_colours(5, 7, channels)
    save_deep_png(tmp_path / "deep.png", values)
    photo = read_photograph(tmp_path / "deep.png")
    expected = torch.from_numpy(values[:, :, :3].astype(np.float32) / 65535 * 2 - 1).permute(2, 0, 1)
    assert torch.equal(photo.colours, expected) and photo.picture is None
    assert (photo.alpha is not None) == (channels == 4)
    if photo.alpha:
        assert np.array_equal(levels(photo.alpha), values[:, :, 3] >> 8)
    photograph((7, 5)).save(tmp_path / "plain.png")
    assert read_photograph(tmp_path / "plain.png").colours is None


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
    assert_colours(read_photograph(tmp_path / "deep.tif").colours, values)


def test_sixteen_bit_tiff_with_alpha_and_of_many_pages(tmp_path):
    values = random_colours(3, 20, 30, 4)
    tifffile.imwrite(tmp_path / "a.tif", values, photometric="rgb", extrasamples=["unassalpha"], metadata=None)
    photo = read_photograph(tmp_path / "a.tif")
    assert_colours(photo.colours, values[0])
    assert np.array_equal(levels(photo.alpha), values[0, :, :, 3] >> 8)


def test_deep_gray_and_floating_tiffs(tmp_path):
    gray = random_colours(5, 7)
    tifffile.imwrite(tmp_path / "i.tif", gray, photometric="minisblack", metadata=None)
    tifffile.imwrite(tmp_path / "f.tif", (gray / 65535).astype(np.float32), photometric="minisblack", metadata=None)
    tifffile.imwrite(tmp_path / "f8.tif", (gray / 257).astype(np.float32), photometric="minisblack", metadata=None)
    for name in ("i.tif", "f.tif", "f8.tif"):
        photo = read_photograph(tmp_path / name)
        assert_colours(photo.colours, np.repeat(gray[:, :, None], 3, axis=2))
        assert photo.alpha is None


def test_eight_bits_where_sixteen_cannot_be_read(tmp_path, monkeypatch):
    values = random_colours(5, 7, 4)
    save_deep_png(tmp_path / "deep.png", values)
    tifffile.imwrite(tmp_path / "a.tif", values, photometric="rgb", extrasamples=["assocalpha"], metadata=None)
    tifffile.imwrite(tmp_path / "deep.tif", values[:, :, :3], photometric="rgb", metadata=None)
    assert read_photograph(tmp_path / "a.tif").picture.mode == "RGBA"

    def no_codec(page):
        raise ValueError("requires the 'imagecodecs' package")

    monkeypatch.setattr(tifffile.TiffPage, "asarray", no_codec)
    monkeypatch.setitem(sys.modules, "torchvision.io", None)  # so that importing it fails
    for name in ("deep.tif", "deep.png"):
        photo = read_photograph(tmp_path / name)
        assert photo.colours is None
        assert np.array_equal(levels(photo.picture)[..., :3], values[:, :, :3] >> 8)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_deep_pictures_are_turned_upright(tmp_path, orientation):
    values = random_colours(5, 7, 3, kind=np.uint8)
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(values).save(tmp_path / "plain.jpg.png", exif=exif)
    expected = levels(open_picture(tmp_path / "plain.jpg.png"))
    tag = (0x0112, "H", 1, orientation, True)
    deep = values.astype(np.uint16) * 257
    tifffile.imwrite(tmp_path / "deep.tif", deep, photometric="rgb", metadata=None, extratags=[tag])
    photo = read_photograph(tmp_path / "deep.tif")
    assert_colours(photo.colours, expected * 257)


@pytest.mark.parametrize("file", ["a.jpg", "a.png", "a.webp", "a.tif"])
def test_profile_and_exif_are_read(tmp_path, file):
    photograph((20, 12)).save(tmp_path / file, exif=camera_exif(), icc_profile=colour_profile())
    photo = read_photograph(tmp_path / file)
    assert photo.picture.size == (12, 20) and photo.icc == colour_profile()
    exif = Image.Exif()
    exif.load(photo.exif)
    assert photo.exif.startswith(b"Exif\0\0") and 0x0112 not in exif
    assert exif[0x010F] == "Maker"
    assert exif.get_ifd(0x8769) == {0x829A: (1, 50), 0x927C: b"notes of the maker"}
    assert exif.get_ifd(0x8825)[2] == (47, 22, 5)
    if file != "a.tif":
        # Nothing but the table of tags has changed: what lies behind it is where it was.
        whole = camera_exif()
        assert len(photo.exif) == len(whole) and photo.exif[80:] == whole[80:] and whole[80:].count(b"maker") == 1


def test_the_preview_in_exif_goes(tmp_path):
    whole = bytearray(camera_exif())
    end = 16 + 12 * int.from_bytes(whole[14:16], "big")
    whole[end : end + 4] = whole[10:14]  # a next table, which would be that of the preview: the first one will do
    photograph((20, 12)).save(tmp_path / "a.jpg", exif=bytes(whole))
    previews = []
    for data in (bytes(whole), read_photograph(tmp_path / "a.jpg").exif):
        exif = Image.Exif()
        exif.load(data)
        previews.append(exif.get_ifd(ExifTags.IFD.IFD1))
    assert previews[0] and not previews[1]


@pytest.mark.parametrize("mode, kept", [("RGB", True), ("P", True), ("L", False), ("CMYK", False)])
def test_a_profile_must_fit_the_result(tmp_path, mode, kept):
    photograph((8, 6)).convert(mode).save(tmp_path / "a.tif", icc_profile=colour_profile())
    assert read_photograph(tmp_path / "a.tif").icc == (colour_profile() if kept else None)
    photograph((8, 6)).convert(mode).save(tmp_path / "b.tif", icc_profile=colour_profile("LAB"))
    assert read_photograph(tmp_path / "b.tif").icc is None


@pytest.mark.parametrize("exif", [b"Exif\0\0no EXIF", b"Exif\0\0II*\0\xff\0\0\0", b"Exif\0\0MM\0*\0\0\0\x08\0\x05"])
@pytest.mark.parametrize("file", ["a.jpg", "a.png", "a.webp"])
@pytest.mark.filterwarnings("ignore:Corrupt EXIF", "ignore:Truncated File")
def test_damaged_exif_does_not_hide_the_picture(tmp_path, file, exif):
    photograph((20, 12)).save(tmp_path / file, exif=exif)
    photo = read_photograph(tmp_path / file)
    assert photo.picture.size == (20, 12) and photo.exif is None
    assert open_picture(tmp_path / file).size == (20, 12)


@pytest.mark.parametrize("flags", [{}, {"compression": "zlib"}])
def test_a_truncated_deep_tiff_is_named(tmp_path, flags):
    path = tmp_path / "cut.tif"
    tifffile.imwrite(path, random_colours(60, 50, 3), photometric="rgb", metadata=None, **flags)
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(WorkError, match=r"cut\.tif: cannot read"):
        read_photograph(path)


@pytest.mark.parametrize("mode", ["RGB", "P", "I;16", "F", "CMYK"])
def test_strips_make_no_difference(monkeypatch, mode):
    if mode in ("I;16", "F"):
        picture = Image.fromarray(random_colours(23, 10).astype(np.uint16 if mode == "I;16" else np.float32))
    else:
        picture = photograph((10, 23)).convert(mode)
    whole = to_tensor(picture)
    expected = to_picture(whole)
    assert row_strips(10, 23) == [slice(0, 23)]
    monkeypatch.setattr("util.images._STRIP", 49)
    assert [(rows.start, rows.stop) for rows in row_strips(10, 23)][-2:] == [(16, 20), (20, 23)]
    assert torch.equal(to_tensor(picture), whole)
    assert np.array_equal(levels(to_picture(whole)), levels(expected))


def test_each_channel_keeps_its_precision():
    values = torch.rand(3, 6, 8)
    assert torch.equal(each_channel(values, lambda picture: picture), values)
    wider = each_channel(values, lambda picture: stretch(picture, 2))
    assert wider.shape == (3, 6, 16)
    assert len(wider.unique()) > 256


def test_levels_are_rounded_and_clipped():
    values = torch.tensor([-1.5, -1.0, -1 + 0.49 / 127.5, -1 + 0.51 / 127.5, 0.0, 1.0, 7.0])
    assert levels(to_picture(values.expand(3, 1, -1)))[0, :, 0].tolist() == [0, 0, 0, 1, 128, 255, 255]


def test_every_8bit_level_survives_the_round_trip():
    picture = Image.fromarray(np.arange(768, dtype=np.uint16).reshape(16, 16, 3).astype(np.uint8))
    assert np.array_equal(levels(to_picture(to_tensor(picture))), levels(picture))


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_alpha_is_kept(mode):
    picture = photograph((8, 6))
    alpha = Image.fromarray(np.arange(48, dtype=np.uint8).reshape(6, 8))
    picture.putalpha(alpha)
    picture = picture.convert(mode)
    restored = to_picture(to_tensor(picture), alpha_channel(picture))
    assert restored.mode == "RGBA"
    assert np.array_equal(levels(restored.getchannel("A")), levels(alpha))


def test_transparent_palette(tmp_path):
    picture = photograph((8, 6)).quantize(4)
    picture.info["transparency"] = 0
    picture.save(tmp_path / "p.png")
    opened = open_picture(tmp_path / "p.png")
    assert opened.mode == "P"
    assert np.array_equal(levels(alpha_channel(opened)) == 0, levels(opened) == 0)


def test_exif_orientation_is_applied(tmp_path):
    picture = photograph((20, 12))
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned a quarter clockwise
    picture.save(tmp_path / "turned.png", exif=exif)
    opened = open_picture(tmp_path / "turned.png")
    assert opened.size == (12, 20)
    assert np.array_equal(levels(opened), levels(picture.transpose(Image.Transpose.ROTATE_270)))


@pytest.mark.parametrize("ratio, size", [(1.0, (20, 12)), (1.5, (30, 12)), (0.5, (20, 24))])
def test_stretch(ratio, size):
    assert stretch(photograph((20, 12)), ratio).size == size


def test_finding_pictures(tmp_path):
    for name in ("b.PNG", "sub/a.jpeg", "a.TIF", "notes.txt", ".hidden.png", ".cache/x.png", "c.webp"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "folder.png").mkdir()
    assert [str(p.relative_to(tmp_path)) for p in find_pictures(tmp_path)] == ["a.TIF", "b.PNG", "c.webp", "sub/a.jpeg"]


def link(path, target):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(target)


def found(folder, **flags):
    return [str(path.relative_to(folder)) for path in find_pictures(folder, **flags)]


def test_links_are_followed_once(tmp_path):
    root, other = tmp_path / "root", tmp_path / "other"
    for path in (root / "sub" / "a.png", other / "deep" / "b.png", other / ".hidden" / "c.png"):
        path.parent.mkdir(parents=True)
        path.touch()
    link(root / "again", root / "sub")  # has its own path, too: that one counts
    link(root / "sub" / "up", root)
    link(root / "sub" / "round", root / "sub" / "round")
    link(root / "far", other)
    link(root / "far2", other / "deep")
    link(other / "back", root)
    link(root / "file.png", root / "sub" / "a.png")
    link(root / "broken.png", root / "nothing.png")
    link(root / "itself.png", root / "itself.png")
    assert found(root) == ["far/deep/b.png", "file.png", "sub/a.png"]


def test_a_folder_can_be_left_out(tmp_path):
    for name in ("a.png", "results/LSRW/b.png", "sub/c.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    link(tmp_path / "linked", tmp_path / "results")
    assert found(tmp_path, without=tmp_path / "sub" / ".." / "results") == ["a.png", "sub/c.png"]
    assert found(tmp_path, without=tmp_path / "nowhere") == ["a.png", "results/LSRW/b.png", "sub/c.png"]
    assert found(tmp_path, without=tmp_path / "a.png") == ["a.png", "results/LSRW/b.png", "sub/c.png"]
    assert found(tmp_path / "results", without=tmp_path / "results") == ["LSRW/b.png"]
    assert found(tmp_path / "results" / "LSRW", without=tmp_path / "results") == ["b.png"]


def test_an_unreadable_subfolder_is_named(tmp_path, monkeypatch):
    for name in ("a.png", "sub/c.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    scandir = os.scandir

    def refuse(folder):
        if str(folder).endswith("sub"):
            raise PermissionError(13, "Permission denied")
        return scandir(folder)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(WorkError, match=r"sub: cannot read this folder \(Permission denied\)"):
        find_pictures(tmp_path)


def test_pixels_are_counted_by_the_header(tmp_path):
    photograph((20, 12)).save(tmp_path / "a.png")
    (tmp_path / "a.png").write_bytes((tmp_path / "a.png").read_bytes()[:60])
    (tmp_path / "b.png").write_text("text")
    assert [count_pixels(tmp_path / name) for name in ("a.png", "b.png", "c.png")] == [240, 0, 0]


def test_no_folder_and_no_pictures(tmp_path):
    with pytest.raises(WorkError, match="no such folder"):
        find_pictures(tmp_path / "missing")
    with pytest.raises(WorkError, match="no pictures"):
        find_pictures(tmp_path)


@pytest.mark.parametrize("damage", ["text", "truncated", "empty", "missing"])
def test_damaged_pictures_are_named(tmp_path, damage):
    path = tmp_path / "picture.jpg"
    photograph((64, 48)).save(path)
    if damage == "text":
        path.write_text("not a picture")
    elif damage == "truncated":
        path.write_bytes(path.read_bytes()[:600])
    elif damage == "empty":
        path.write_bytes(b"")
    else:
        path.unlink()
    with pytest.raises(WorkError, match=r"picture\.jpg: cannot read") as caught:
        open_picture(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "files, names",
    [
        (["x.png"], ["x"]),
        (["a/x.png", "b/x.png", "x.jpg"], ["a_x", "b_x", "x"]),
        (["x.png", "x.jpg"], ["x_png", "x_jpg"]),
        (["X.png", "x.jpg"], ["X_png", "x_jpg"]),
        (["a/y.png", "x.png"], ["y", "x"]),
    ],
)
def test_output_names(tmp_path, files, names):
    assert output_names([tmp_path / file for file in files], tmp_path) == names


def test_output_names_never_meet(tmp_path):
    files = [
        "a/x.png",
        "a_x.png",
        "a/x.jpg",
        "a_x_png.png",
        "a/x_png.png",
        "b/A_X.png",
        "a_x_1.png",
        "A_x.PNG",
        "x.png",
    ]
    names = output_names([tmp_path / file for file in files], tmp_path)
    assert len({name.casefold() for name in names}) == len(files)
    assert not any("/" in name for name in names)
