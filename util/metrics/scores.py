"""How good an enhanced image is: PSNR and SSIM against a reference, the lightness order error against the input."""

import math
from dataclasses import dataclass

import numpy as np
from PIL import Image
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from util.errors import WorkError

SSIM_SIDE = 11  # pixels: the width of its Gaussian window, 3.5 sigma to each side of one pixel
LOE_SIDE = 50  # pixels: the shorter side of the samples from which LOE is computed
_LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601, as PIL's convert("L")


@dataclass(frozen=True)
class Metric:
    """A figure of quality: what it is called, its unit ("" if none), which way is better, decimals to print."""

    label: str
    unit: str
    higher_is_better: bool
    digits: int

    def text(self, value):
        """A value in words: 18.25 dB."""
        number = f"{value:.{self.digits}f}".replace("inf", "∞")
        return f"{number} {self.unit}" if self.unit else number


METRICS = {  # in the order of the columns
    "psnr": Metric("PSNR", "dB", True, 2),
    "ssim": Metric("SSIM", "", True, 3),
    "psnr_gt_mean": Metric("PSNR (GT mean)", "dB", True, 2),
    "ssim_gt_mean": Metric("SSIM (GT mean)", "", True, 3),
    "lpips": Metric("LPIPS", "", False, 3),
    "niqe": Metric("NIQE", "", False, 2),
    "loe": Metric("LOE", "", False, 1),
}


def means(metrics, values):
    """The mean of each metric over the images that have it: {key: float}, without metrics that none has.

    Args:
        metrics: their keys, in the order of the result.
        values: for each image {key: float}; infinity (the PSNR of equal images) makes its mean infinite.
    """
    found = {key: [of_image[key] for of_image in values if key in of_image] for key in metrics}
    return {key: math.fsum(numbers) / len(numbers) for key, numbers in found.items() if numbers}


def psnr(image, reference):
    """Peak signal-to-noise ratio in dB of two 8-bit PIL images of one size; infinite for equal ones.

    The peak is 255 and the mean squared error is that over all pixels and the three channels R, G, B.
    """
    with np.errstate(divide="ignore"):
        return float(peak_signal_noise_ratio(_levels(reference), _levels(image), data_range=255))


def ssim(image, reference, gaussian=True):
    """Structural similarity (Wang et al. 2004) of two 8-bit PIL images of one size; at most 1.

    scikit-image's, with Gaussian weights (sigma 1.5, a window of 11 x 11 pixels), K1 = 0.01, K2 = 0.03, a range
    of 255 and covariances of the sample (N - 1); each of R, G, B by itself, then the mean of the three. Without
    ``gaussian`` the window is what other papers use, scikit-image's default: 7 x 7 pixels of equal weight.

    Raises:
        WorkError: a side is shorter than the window.
    """
    if min(image.size) < SSIM_SIDE:
        width, height = image.size
        raise WorkError(f"SSIM needs {SSIM_SIDE} pixels each way, the image is {width}x{height}")
    window = {"gaussian_weights": True, "sigma": 1.5} if gaussian else {}
    levels = _levels(reference), _levels(image)
    return float(structural_similarity(*levels, channel_axis=2, data_range=255, **window))


def matched_mean(image, reference):
    """An 8-bit PIL image in the brightness of its reference: what some papers measure as "GT mean".

    All levels are multiplied by one number, with which the mean gray (luma of BT.601, in floating point) becomes
    the reference's, then rounded and clipped to 0..255; clipping can leave the mean below it. Such figures use the
    reference to make the image, so they are not comparable with those of the image as it is. A black image
    stays black.

    Returns:
        An RGB image.
    """
    levels = _levels(image)
    mean, wanted = (float((x.mean(axis=(0, 1)) * _LUMA).sum()) for x in (levels, _levels(reference)))
    factor = wanted / mean if mean else 1.0
    return Image.fromarray(np.clip(np.rint(levels * factor), 0, 255).astype(np.uint8))


def loe(image, original):
    """Lightness order error of an enhanced 8-bit PIL image against its input of the same size; 0 is best.

    Wang, Zheng, Hu, Li: "Naturalness Preserved Enhancement Algorithm for Non-Uniform Illumination Images", IEEE
    Transactions on Image Processing, 2013. Lightness L is the greatest of R, G, B. For every pixel x, all pixels y
    are counted for which "L(x) >= L(y)" holds in one of the two images and not in the other; LOE is the mean of
    that count over x.

    As is customary, the pixels are a sample: the images are down-sampled to a shorter side of 50 by taking rows
    and columns, without averaging, so that lightness stays a level of the image; smaller ones are left as they
    are. The value is below the number of samples (3750 for an image of 400 x 600), so it grows with that number
    and only values of one down-sampling and one shape of images are comparable.
    """
    before, after = (_sampled(_levels(x)).max(axis=2).ravel().astype(np.int64) for x in (original, image))
    # Pixels with the same pair of levels have the same count, and there are few pairs of 8-bit levels.
    pairs = np.bincount(before * 256 + after, minlength=256 * 256).reshape(256, 256)
    neither_above = pairs.cumsum(axis=0).cumsum(axis=1)  # pixels with at most these levels in both
    not_above_before, not_above_after = neither_above[:, -1:], neither_above[-1:, :]
    errors = not_above_before + not_above_after - 2 * neither_above  # (256, 256)
    return float((pairs * errors).sum() / before.size)


def _sampled(levels):
    sides = levels.shape[:2]
    ratio = max(1.0, min(sides) / LOE_SIDE)
    for axis, length in enumerate(sides):
        count = max(1, int(length / ratio))
        centres = (np.arange(count) + 0.5) * (length / count)
        levels = levels.take(centres.astype(int), axis=axis)
    return levels


def _levels(image):
    return np.asarray(image.convert("RGB"))
