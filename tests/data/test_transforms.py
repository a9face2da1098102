"""Sizes after every preprocessing mode, and the padding for any size."""

import random

import pytest
import torch

from data.transforms import pad_to_multiple, preprocess
from sample_images import levels, photograph


@pytest.mark.parametrize(
    "mode, size",
    [
        ("resize_and_crop", (32, 32)),
        ("crop", (32, 32)),
        ("scale_width", (48, 28)),  # 48 wide, 27 high, rounded to a multiple of 4
        ("scale_width_and_crop", (32, 32)),
        ("none", (72, 40)),
    ],
)
def test_sizes(mode, size):
    assert preprocess(photograph((71, 40)), mode, 48, 32, multiple=4).size == size


def test_a_image_smaller_than_the_crop_is_enlarged():
    cropped = preprocess(photograph((20, 10)), "crop", 0, 32)
    assert cropped.size == (32, 32)


def test_sides_that_are_not_cropped_have_a_least_length():
    assert preprocess(photograph((90, 5)), "none", 0, 0, multiple=4, smallest=24).size == (88, 24)
    assert preprocess(photograph((90, 5)), "scale_width", 11, 0, multiple=4, smallest=8).size == (12, 8)


def test_the_crop_is_random_and_repeatable():
    image = photograph((60, 50))
    crops = [levels(preprocess(image, "crop", 0, 16, rng=random.Random(seed))).tolist() for seed in (1, 1, 2)]
    assert crops[0] == crops[1] != crops[2]


def test_the_crop_reaches_every_place():
    image = photograph((18, 17))
    places = {levels(preprocess(image, "crop", 0, 16, rng=random.Random(seed))).tobytes() for seed in range(200)}
    assert len(places) == 3 * 2


@pytest.mark.parametrize("side, padded", [(1, 8), (3, 8), (5, 8), (8, 8), (9, 12), (12, 12)])
def test_padding(side, padded):
    x = torch.arange(float(side * 11)).view(1, 1, side, 11)
    y = pad_to_multiple(x, 4, 8)
    assert y.shape == (1, 1, padded, 12)
    assert torch.equal(y[..., :side, :11], x)
    missing = padded - side
    if missing and missing < side:  # reflected
        assert torch.equal(y[..., side:, :11], x[..., side - 1 - missing : side - 1, :].flip(-2))
    elif missing:  # repeated
        assert torch.equal(y[..., side:, :11], x[..., -1:, :].expand(-1, -1, missing, -1))
    assert torch.equal(y[..., 11], y[..., 9])
