"""The sum of an instance norm and a layer norm on a GPU, with what follows for each channel in one launch each way.

Of a training step, operations on these few hundred numbers would be two thirds of all launches.
"""

import torch
import triton
import triton.language as tl
from torch.autograd.function import once_differentiable

from util.precision import full


class LayerInstanceNormed(torch.autograd.Function):
    """(N, C, H, W), two gains and biases (C,), epsilon -> (N, C, H, W), in the layout and the precision of the maps."""

    @staticmethod
    def forward(ctx, x, instance_gain, layer_gain, bias, eps):
        maps = full(x)
        variance, mean = torch.var_mean(maps, (2, 3), correction=0, keepdim=True)
        scale, shift = torch.empty_like(mean), torch.empty_like(mean)  # (N, C, 1, 1) each
        _on_each_image(_coefficients, mean, variance, instance_gain, layer_gain, bias, scale, shift, eps)
        ctx.save_for_backward(x, mean, variance, instance_gain, layer_gain)
        ctx.eps = eps
        return torch.addcmul(shift, maps, scale).to(x.dtype)

    @staticmethod
    @once_differentiable
    def backward(ctx, gradient):
        x, mean, variance, instance_gain, layer_gain = ctx.saved_tensors
        maps, dy = full(x), full(gradient)
        dy_sum, dy_x_sum = (values.sum((2, 3), keepdim=True) for values in (dy, dy * maps))
        found = mean.new_empty(5, *mean.shape)
        sums = dy_sum, dy_x_sum, found, len(x), x[0, 0].numel()
        _on_each_image(_gradients, mean, variance, instance_gain, layer_gain, *sums, ctx.eps)
        of_dy, of_x, constant = found[:3]
        dx = torch.addcmul(torch.addcmul(constant, maps, of_x), dy, of_dy).to(x.dtype)
        return dx, *found[3:].sum((1, 3, 4)), dy_sum.sum((0, 2, 3)), None


def _on_each_image(kernel, mean, *others):
    images, channels = mean.shape[:2]
    with torch.cuda.device_of(mean):
        kernel[(images,)](mean, *others, channels, block=triton.next_power_of_2(channels))


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
def _coefficients(mean, variance, instance_gain, layer_gain, bias, scale, shift, eps, channels, block: tl.constexpr):
    """What to multiply the channels of an image with, and what to add then."""
    at, real, m, mean_of_all, by_deviation, by_all, gain, gain_of_all = _statistics(
        mean, variance, instance_gain, layer_gain, channels, eps, block
    )
    instance, layer = gain * by_deviation, gain_of_all * by_all
    added = tl.load(bias + tl.arange(0, block), real, 0.0)
    tl.store(scale + at, instance + layer, real)
    tl.store(shift + at, added - instance * m - layer * mean_of_all, real)


@triton.jit
def _gradients(
    mean, variance, instance_gain, layer_gain, dy_sum, dy_x_sum, found, images, pixels, eps, channels,
    block: tl.constexpr,
):  # fmt: skip
    """Found are what dy and x are multiplied with in dx, what is added then, and the gradients of both gains."""
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
