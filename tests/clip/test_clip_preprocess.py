"""Preprocessing of images and of tensors."""

import numpy as np
import pytest
import torch
from PIL import Image

from clip import CLIP_MEAN, CLIP_STD, preprocess_tensor
from clip.preprocess import image_transform

MEAN = torch.tensor(CLIP_MEAN).view(3, 1, 1)
STD = torch.tensor(CLIP_STD).view(3, 1, 1)


def waves(width, height, mode="RGB"):
    """An image of smooth waves."""
    y, x = np.mgrid[0:height, 0:width]
    waves = [np.sin(x / (5 + c)) * np.cos(y / (7 - c)) for c in range(3)]
    values = (127 + 120 * np.stack(waves, axis=-1)).astype(np.uint8)
    return Image.fromarray(values).convert(mode)


def levels(normalised):
    """8-bit levels (3, H, W) of a normalised tensor."""
    return (255 * (normalised * STD + MEAN)).round().int()


def as_levels(image):
    return torch.from_numpy(np.asarray(image.convert("RGB")).copy()).permute(2, 0, 1).int()


@pytest.mark.parametrize(
    ("size", "resized", "offset"),
    [
        ((97, 64), (97, 64), (16, 0)),
        ((99, 64), (99, 64), (18, 0)),  # 17.5 rounds to even
        ((64, 97), (64, 97), (0, 16)),
        ((30, 43), (64, 91), (0, 14)),  # 91.7 is cut; 13.5 rounds to even
        ((200, 64), (200, 64), (68, 0)),
        ((128, 160), (64, 80), (0, 8)),
    ],
)
def test_resize_and_crop(size, resized, offset):
    image = waves(*size)
    out = image_transform(64)(image)
    left, top = offset
    expected = image.resize(resized, Image.Resampling.BICUBIC).crop((left, top, left + 64, top + 64))
    assert out.shape == (3, 64, 64)
    assert out.dtype == torch.float32
    assert torch.equal(levels(out), as_levels(expected))


def test_colours_are_converted_after_the_crop():
    image = waves(90, 64)
    image.putalpha(Image.linear_gradient("L").resize((90, 64)))
    expected = image.resize((45, 32), Image.Resampling.BICUBIC).crop((6, 0, 38, 32))
    early = image.convert("RGB").resize((45, 32), Image.Resampling.BICUBIC).crop((6, 0, 38, 32))
    out = levels(image_transform(32)(image))
    assert torch.equal(out, as_levels(expected))
    assert not torch.equal(out, as_levels(early))


@pytest.mark.parametrize("mode", ["L", "P", "1"])
def test_other_modes(mode):
    out = image_transform(32)(waves(40, 50, mode))
    assert out.shape == (3, 32, 32)
    assert out.isfinite().all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_tensor_of_one_colour(dtype):
    colour = torch.tensor([0.0, 0.25, 1.0], dtype=dtype).view(1, 3, 1, 1)
    out = preprocess_tensor(colour.expand(2, 3, 50, 70), resolution=32)
    expected = (colour[0] - MEAN.to(dtype)) / STD.to(dtype)
    assert out.shape == (2, 3, 32, 32)
    assert out.dtype == dtype
    torch.testing.assert_close(out, expected.expand(2, 3, 32, 32), atol=1e-6, rtol=0)


def test_tensor_constants_keep_double_precision():
    out = preprocess_tensor(torch.zeros(1, 3, 8, 8, dtype=torch.float64), resolution=8)
    expected = [-mean / std for mean, std in zip(CLIP_MEAN, CLIP_STD, strict=True)]
    np.testing.assert_allclose(out[0, :, 0, 0].numpy(), expected, rtol=1e-15)


def test_tensor_agrees_with_image():
    image = waves(96, 96)
    x = as_levels(image).float().unsqueeze(0) / 255
    difference = preprocess_tensor(x, resolution=40)[0] - image_transform(40)(image)
    assert (difference * STD).abs().max() < 1.5 / 255  # the image is rounded to 8 bits in between, twice


def test_tensor_is_resized_whole():
    x = torch.zeros(1, 3, 32, 96)
    x[..., :8] = 1  # outside a central crop
    out = preprocess_tensor(x, resolution=32)
    assert (out[0, :, :, 0] > out[0, :, :, 16]).all()


def test_tensor_gradient():
    x = torch.rand(1, 3, 6, 9, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: preprocess_tensor(x, resolution=4), x)
