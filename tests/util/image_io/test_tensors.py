"""Images of every kind become tensors and come back."""

import numpy as np
import pytest
import torch
from PIL import Image

from sample_images import levels, photograph
from util.image_io.reading import open_image
from util.image_io.tensors import alpha_channel, each_channel, row_strips, stretch, to_8bit, to_image, to_tensor


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr", "LAB", "HSV", "I;16", "F"])
def test_every_mode_becomes_colour(mode):
    gray = np.tile(np.linspace(0, 255, 12).astype(np.uint8), (5, 1))
    if mode == "I;16":
        image = Image.fromarray(gray.astype(np.uint16) * 257)
    elif mode == "F":
        image = Image.fromarray(gray.astype(np.float32) / 255)
    else:
        image = Image.fromarray(gray)
        image = image.convert(mode) if mode in ("1", "P", "PA") else image.convert("RGB").convert(mode)
    tensor = to_tensor(image)
    assert tensor.shape == (3, 5, 12) and tensor.dtype == torch.float32
    tolerance = 255 if mode == "1" else 6  # in levels; LAB is coarse
    assert np.abs(levels(to_image(tensor))[..., 0] - gray.astype(int)).max() <= tolerance
    assert tensor[:, :, 0].max() < -0.9 and tensor[:, :, -1].min() > 0.9
    assert to_8bit(image).mode == ("RGBA" if mode in ("LA", "PA", "RGBA") else "RGB")


def test_sixteen_bits_keep_their_precision():
    gray = np.arange(0, 65536, 97, dtype=np.uint16)[None]
    expected = torch.from_numpy(gray.astype(np.float32) / 65535 * 2 - 1)
    torch.testing.assert_close(to_tensor(Image.fromarray(gray))[0], expected, atol=1e-6, rtol=0)


@pytest.mark.parametrize("mode", ["RGB", "P", "I;16", "F", "CMYK"])
def test_strips_make_no_difference(monkeypatch, mode):
    if mode in ("I;16", "F"):
        values = np.random.default_rng(1).integers(0, 65536, (23, 10))
        image = Image.fromarray(values.astype(np.uint16 if mode == "I;16" else np.float32))
    else:
        image = photograph((10, 23)).convert(mode)
    whole = to_tensor(image)
    expected = to_image(whole)
    assert row_strips(10, 23) == [slice(0, 23)]
    monkeypatch.setattr("util.image_io.tensors._STRIP", 49)
    assert [(rows.start, rows.stop) for rows in row_strips(10, 23)][-2:] == [(16, 20), (20, 23)]
    assert torch.equal(to_tensor(image), whole)
    assert np.array_equal(levels(to_image(whole)), levels(expected))


def test_each_channel_keeps_its_precision():
    values = torch.rand(3, 6, 8)
    assert torch.equal(each_channel(values, lambda image: image), values)
    wider = each_channel(values, lambda image: stretch(image, 2))
    assert wider.shape == (3, 6, 16)
    assert len(wider.unique()) > 256


def test_levels_are_rounded_and_clipped():
    values = torch.tensor([-1.5, -1.0, -1 + 0.49 / 127.5, -1 + 0.51 / 127.5, 0.0, 1.0, 7.0])
    assert levels(to_image(values.expand(3, 1, -1)))[0, :, 0].tolist() == [0, 0, 0, 1, 128, 255, 255]


def test_every_8bit_level_survives_the_round_trip():
    image = Image.fromarray(np.arange(768, dtype=np.uint16).reshape(16, 16, 3).astype(np.uint8))
    assert np.array_equal(levels(to_image(to_tensor(image))), levels(image))


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_alpha_is_kept(mode):
    image = photograph((8, 6))
    alpha = Image.fromarray(np.arange(48, dtype=np.uint8).reshape(6, 8))
    image.putalpha(alpha)
    image = image.convert(mode)
    restored = to_image(to_tensor(image), alpha_channel(image))
    assert restored.mode == "RGBA"
    assert np.array_equal(levels(restored.getchannel("A")), levels(alpha))


def test_transparent_palette(tmp_path):
    image = photograph((8, 6)).quantize(4)
    image.info["transparency"] = 0
    image.save(tmp_path / "p.png")
    opened = Image.open(tmp_path / "p.png")
    assert opened.mode == "P"
    assert np.array_equal(levels(alpha_channel(opened)) == 0, levels(opened) == 0)
    assert np.array_equal(levels(open_image(tmp_path / "p.png").getchannel("A")) == 0, levels(opened) == 0)


def test_exif_orientation_is_applied(tmp_path):
    image = photograph((20, 12))
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned a quarter clockwise
    image.save(tmp_path / "turned.png", exif=exif)
    opened = open_image(tmp_path / "turned.png")
    assert opened.size == (12, 20)
    assert np.array_equal(levels(opened), levels(image.transpose(Image.Transpose.ROTATE_270)))


@pytest.mark.parametrize("ratio, size", [(1.0, (20, 12)), (1.5, (30, 12)), (0.5, (20, 24))])
def test_stretch(ratio, size):
    assert stretch(photograph((20, 12)), ratio).size == size
