"""What the sum of an instance norm and a layer norm multiplies channels with and adds to them, in one launch each way.

Of a training step on a GPU, operations on these few hundred numbers would be two thirds of all launches.
"""

import torch
import triton
import triton.language as tl


@triton.jit
def _statistics(mean, variance, instance_gain, layer_gain, channels, eps, block: tl.constexpr):
    """Of one image, each channel's: place, whether it is one, mean, gains, and one over both deviations."""
    channel = tl.arange(0, block)
    at, real = tl.program_id(0) * channels + channel, channel < channels
    m, v = tl.load(mean + at, real, 0.0), tl.load(variance + at, real, 0.0)
    mean_of_all = tl.sum(m) / channels
    off = m - mean_of_all
    variance_of_all = tl.sum(tl.where(real, v + off * off, 0.0)) / channels
    by_deviation, by_all = 1.0 / tl.sqrt(v + eps), 1.0 / tl.sqrt(variance_of_all + eps)
    gain, gain_of_all = tl.load(instance_gain + channel, real, 0.0), tl.load(layer_gain + channel, real, 0.0)
    return at, real, m, mean_of_all, by_deviation, by_all, gain, gain_of_all


@triton.jit
def _forward(mean, variance, instance_gain, layer_gain, bias, scale, shift, channels, eps, block: tl.constexpr):
    at, real, m, mean_of_all, by_deviation, by_all, gain, gain_of_all = _statistics(
        mean, variance, instance_gain, layer_gain, channels, eps, block
    )
    instance, layer = gain * by_deviation, gain_of_all * by_all
    added = tl.load(bias + tl.arange(0, block), real, 0.0)
    tl.store(scale + at, instance + layer, real)
    tl.store(shift + at, added - instance * m - layer * mean_of_all, real)


@triton.jit
def _backward(
    mean, variance, instance_gain, layer_gain, dy_sum, dy_x_sum, found, images, channels, pixels, eps,
    block: tl.constexpr,
):  # fmt: skip
    at, real, m, mean_of_all, by_deviation, by_all, gain, gain_of_all = _statistics(
        mean, variance, instance_gain, layer_gain, channels, eps, block
    )
    total, along_x = tl.load(dy_sum + at, real, 0.0), tl.load(dy_x_sum + at, real, 0.0)
    along = (along_x - m * total) * by_deviation  # the gradient along the normed channel: that of its gain
    along_all = (along_x - mean_of_all * total) * by_all
    instance = gain * by_deviation
    pull = instance * by_deviation * along / pixels
    pull_all = by_all * by_all * (tl.sum(gain_of_all * along_all) / channels) / pixels
    level = instance * total / pixels + by_all * (tl.sum(gain_of_all * total) / channels) / pixels
    step = images * channels
    tl.store(found + at, instance + gain_of_all * by_all, real)  # times dy
    tl.store(found + step + at, -(pull + pull_all), real)  # times x
    tl.store(found + 2 * step + at, pull * m + pull_all * mean_of_all - level, real)
    tl.store(found + 3 * step + at, along, real)
    tl.store(found + 4 * step + at, along_all, real)


def forward(mean, variance, instance_gain, layer_gain, bias, eps):
    """Scale and shift, (N, C, 1, 1) each, of channels with these statistics (N, C, 1, 1); the others are (C,)."""
    images, channels = mean.shape[:2]
    scale, shift = torch.empty_like(mean), torch.empty_like(mean)
    block = triton.next_power_of_2(channels)
    _forward[(images,)](mean, variance, instance_gain, layer_gain, bias, scale, shift, channels, eps, block=block)
    return scale, shift


def backward(mean, variance, instance_gain, layer_gain, dy_sum, dy_x_sum, pixels, eps):
    """What the gradient of the input is made of, and those of the gains, (5, N, C, 1, 1).

    It is the first times dy, plus the second times x, plus the third; the last two are the gradients of the gain of the
    instance norm and of the layer norm, image by image.

    Args:
        dy_sum, dy_x_sum: sums over the pixels of dy, the gradient of the output, and of dy x, (N, C, 1, 1).
        pixels: of a channel.
    """
    images, channels = mean.shape[:2]
    found = mean.new_empty(5, *mean.shape)
    block = triton.next_power_of_2(channels)
    _backward[(images,)](
        mean, variance, instance_gain, layer_gain, dy_sum, dy_x_sum, found, images, channels, pixels, eps, block=block
    )
    return found
