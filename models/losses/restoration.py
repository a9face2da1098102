"""Distances of images: L1, and what restored images are compared by."""

import torch
import torch.nn.functional as F

from util.precision import full, in_full_precision

# Of squared differences of the two colours. Photographs vary along green least of all, and with equal weights greens
# and reds are learned last.
RED_BLUE_WEIGHT, GREEN_WEIGHT = 2.0, 10.0
STRUCTURE_WEIGHT = 0.2  # of 1 - SSIM beside those distances; about a quarter of the whole
C1, C2 = (2 * 0.01) ** 2, (2 * 0.03) ** 2  # what keeps SSIM's fractions finite, for values that span 2


def l1(x, y):
    """The mean absolute difference of two tensors of one shape, in at least single precision: a scalar."""
    return F.l1_loss(full(x), full(y))


def opponent_distance(x, y):
    """How far brightness and two opponent colours are off: (N, 3, H, W) twice -> a scalar.

    The mean absolute difference along the three axes, plus weighted mean squared differences of colours. The gradient
    of ``l1`` has no colour where brightness is further off than colour is: all three channels are then wrong in the
    same direction. Here each axis is judged alone. And a network that cannot tell colours yet answers an absolute
    difference with their median, which is gray, but a squared one with their mean, which leads on to colours.
    """
    with in_full_precision(x):
        red, green, blue = (full(x) - full(y)).unbind(1)  # (N, H, W) each
        # Orthonormal axes of RGB, in numbers: constant tensors would be copied to a GPU at every step.
        brightness = (red + green + blue) / 3**0.5
        red_against_blue = (red - blue) / 2**0.5
        green_against_both = (red - 2 * green + blue) / 6**0.5
        absolute = sum(axis.abs().mean() for axis in (brightness, red_against_blue, green_against_both)) / 3
        squared = RED_BLUE_WEIGHT * red_against_blue.square().mean() + GREEN_WEIGHT * green_against_both.square().mean()
        return absolute + squared


def restoration_distance(x, y):
    """How far a restored image is from the true one, in colours and in structure: (N, 3, H, W) twice -> a scalar."""
    return opponent_distance(x, y) + STRUCTURE_WEIGHT * structural_dissimilarity(x, y)


def structural_dissimilarity(x, y):
    """1 - SSIM (Wang et al. 2004), from 0 for equal images to 2: (N, 3, H, W) twice, in [-1, 1] -> a scalar.

    The mean over the channels and over windows of 8x8 pixels, four pixels apart: a sixteenth of all windows tells the
    same at a sixteenth of the cost. H and W are at least 8.
    """
    x, y = full(x), full(y)
    means = F.avg_pool2d(torch.cat([x, y, x * x, y * y, x * y], dim=1), 8, stride=4)
    mean_x, mean_y, xx, yy, xy = means.chunk(5, dim=1)
    variance_x, variance_y, covariance = xx - mean_x.square(), yy - mean_y.square(), xy - mean_x * mean_y
    # Values as far from black as they are above -1; variances of [-1, 1] are four times those of [0, 1].
    mean_x, mean_y = mean_x + 1, mean_y + 1
    light = (2 * mean_x * mean_y + C1) / (mean_x.square() + mean_y.square() + C1)
    return 1 - (light * (2 * covariance + C2) / (variance_x + variance_y + C2)).mean()
