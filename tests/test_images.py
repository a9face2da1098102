"""Pictures of every kind become tensors and come back."""

import numpy as np
import pytest
import torch
from PIL import Image

from data.deep_png import sixteen_bit_colours
from data.image_folder import find_pictures, open_picture, output_names
from pictures import levels, photograph, save_deep_png
from util.errors import WorkError
from util.images import alpha_channel, stretch, to_8bit, to_picture, to_tensor


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


@pytest.mark.parametrize("channels", [3, 4])
def test_sixteen_bit_colour_keeps_its_precision(tmp_path, channels):
    values = np.random.default_rng(1).integers(0, 65536, (5, 7, channels), dtype=np.uint16)
    save_deep_png(tmp_path / "deep.png", values)
    expected = torch.from_numpy(values[:, :, :3].astype(np.float32) / 65535 * 2 - 1).permute(2, 0, 1)
    torch.testing.assert_close(sixteen_bit_colours(tmp_path / "deep.png"), expected, atol=1e-6, rtol=0)
    picture = open_picture(tmp_path / "deep.png")
    assert (alpha_channel(picture) is not None) == (channels == 4)
    photograph((7, 5)).save(tmp_path / "plain.png")
    assert sixteen_bit_colours(tmp_path / "plain.png") is None


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
