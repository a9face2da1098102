"""The figures of quality against scikit-image, against loops and against values worked out by hand."""

import math

import numpy as np
import pytest
from PIL import Image
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from sample_images import levels, photograph
from util.errors import WorkError
from util.metrics.scores import loe, matched_mean, means, psnr, ssim


def flat(level, size=(16, 12)):
    return Image.new("RGB", size, (level, level, level))


def gray(rows):
    return Image.fromarray(np.array(rows, dtype=np.uint8)).convert("RGB")


def test_a_constant_difference_has_the_psnr_worked_out_by_hand():
    assert psnr(flat(110), flat(100)) == pytest.approx(20 * math.log10(255 / 10))  # 28.13 dB
    assert psnr(flat(100), flat(110)) == pytest.approx(28.1308, abs=1e-4)
    one_channel = Image.new("RGB", (16, 12), (110, 100, 100))  # a third of the squared error
    assert psnr(one_channel, flat(100)) == pytest.approx(28.1308 + 10 * math.log10(3), abs=1e-4)
    assert psnr(flat(255), flat(0)) == pytest.approx(0)
    assert psnr(flat(7), flat(7)) == math.inf


def test_constant_images_have_the_ssim_worked_out_by_hand():
    # Without variance only the term of brightness is left.
    c1 = (0.01 * 255) ** 2
    assert ssim(flat(60), flat(100)) == pytest.approx((2 * 60 * 100 + c1) / (60**2 + 100**2 + c1))


def test_psnr_and_ssim_are_scikit_images():
    image, reference = photograph((37, 29), brightness=0.4), photograph((37, 29))
    arrays = np.asarray(reference), np.asarray(image)
    assert psnr(image, reference) == pytest.approx(peak_signal_noise_ratio(*arrays))
    settings = {"gaussian_weights": True, "sigma": 1.5, "win_size": 11, "data_range": 255, "K1": 0.01, "K2": 0.03}
    channels = [structural_similarity(*(one[..., c] for one in arrays), **settings) for c in range(3)]
    assert ssim(image, reference) == pytest.approx(np.mean(channels))
    assert ssim(image, reference) != pytest.approx(
        structural_similarity(*arrays, channel_axis=2, data_range=255), abs=1e-3
    )


def test_alpha_is_ignored():
    image, reference = photograph((16, 12), brightness=0.5), photograph((16, 12))
    transparent = image.copy()
    transparent.putalpha(0)
    for score in (psnr, ssim, loe):
        assert score(transparent, reference) == score(image, reference)


def test_ssim_needs_the_width_of_its_window():
    assert ssim(flat(9, (11, 11)), flat(9, (11, 11))) == pytest.approx(1)
    for size in ((10, 30), (30, 10)):
        with pytest.raises(WorkError, match=f"SSIM needs 11 pixels each way, the image is {size[0]}x{size[1]}"):
            ssim(flat(9, size), flat(9, size))


def test_loe_of_four_pixels_by_hand():
    # Before, 10 < 20 < 30 < 40. After, the pixels of 10 and 20 have changed places: for each of them one order
    # is wrong in "at least as light as"; the other two are right. (1 + 1 + 0 + 0) / 4.
    assert loe(gray([[20, 10], [30, 40]]), gray([[10, 20], [30, 40]])) == 0.5
    # All equal after: "at least as light as" holds for all; it did not for 3, 2, 1 and 0 of them. 6 / 4.
    assert loe(gray([[7, 7], [7, 7]]), gray([[10, 20], [30, 40]])) == 1.5
    # Reversed: every order with another pixel is wrong. 4 * 3 / 4.
    assert loe(gray([[40, 30], [20, 10]]), gray([[10, 20], [30, 40]])) == 3


def test_loe_takes_the_greatest_channel():
    before = Image.fromarray(np.array([[[9, 0, 0], [0, 5, 8]]], dtype=np.uint8))
    same_order = Image.fromarray(np.array([[[0, 0, 90], [70, 80, 80]]], dtype=np.uint8))
    assert loe(same_order, before) == 0
    assert loe(same_order.transpose(Image.Transpose.FLIP_LEFT_RIGHT), before) == 1


def test_loe_is_that_of_a_loop():
    before, after = photograph((9, 7)), photograph((9, 7), "chelsea")
    old, new = (levels(one).max(axis=2).ravel().tolist() for one in (before, after))
    wrong = sum((old[x] >= old[y]) != (new[x] >= new[y]) for x in range(63) for y in range(63))
    assert wrong > 500
    assert loe(after, before) == pytest.approx(wrong / 63)


def test_a_rising_curve_keeps_the_order():
    values = np.random.default_rng(3).integers(0, 120, (60, 80, 3), dtype=np.uint8)
    image = Image.fromarray(values)
    assert loe(image.point(lambda level: 2 * level + 10), image) == 0
    assert loe(image.point(lambda level: level // 2), image) > 0  # levels merge
    assert loe(image.point(lambda level: 255 - level), image) > 1000


@pytest.mark.parametrize("size, count", [((100, 150), (50, 75)), ((173, 101), (85, 50)), ((50, 60), (50, 60))])
def test_loe_takes_rows_and_columns_to_a_shorter_side_of_50(size, count):
    before, after = photograph(size), photograph(size, "chelsea")
    columns, rows = (
        [math.floor((i + 0.5) * length / number) for i in range(number)]
        for length, number in zip(size, count, strict=True)
    )
    sampled = [Image.fromarray(np.asarray(one)[rows][:, columns]) for one in (before, after)]
    old, new = (levels(one).max(axis=2).ravel() for one in sampled)
    wrong = (old[:, None] >= old) != (new[:, None] >= new)
    assert wrong.shape == (count[0] * count[1],) * 2
    assert loe(after, before) == pytest.approx(wrong.sum() / len(wrong))


def test_matched_mean_by_hand():
    image = Image.fromarray(np.array([[[10, 21, 30], [50, 61, 200]]], dtype=np.uint8))
    brighter = Image.new("RGB", (2, 1), (69, 69, 71))
    # Luma 18.737 and 73.557, mean 46.147; the reference's, 69.228, is 1.50016 times that. 21 becomes 31.503.
    assert levels(matched_mean(image, brighter)).tolist() == [[[15, 32, 45], [75, 92, 255]]]


def test_matched_mean_has_the_mean_of_the_reference():
    dark, reference = photograph((40, 30), brightness=0.5), photograph((40, 30))
    matched = matched_mean(dark, reference)
    found, wanted = ((levels(one).mean(axis=(0, 1)) * [0.299, 0.587, 0.114]).sum() for one in (matched, reference))
    assert found == pytest.approx(wanted, abs=0.2)
    assert psnr(matched, reference) > psnr(dark, reference) + 20


def test_matched_mean_of_a_black_image_is_black():
    assert levels(matched_mean(flat(0), flat(90))).max() == 0
    assert levels(matched_mean(flat(90), flat(0))).max() == 0


def test_the_means_are_over_the_images_that_have_a_value():
    keys = ("psnr", "ssim", "loe")
    assert means(keys, [{"loe": 3.0}, {"psnr": 20.5, "loe": 0.125}]) == {"psnr": 20.5, "loe": 1.5625}
    assert list(means(keys, [{"loe": 3.0}, {"psnr": 20.5}])) == ["psnr", "loe"]
    assert means(keys, [{"psnr": math.inf}, {"psnr": 3.0}]) == {"psnr": math.inf}
    assert means(keys, []) == {}
