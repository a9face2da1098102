"""Norms of feature maps, and the statistics that they need."""

from functools import cache

import torch
import torch.nn.functional as F
from torch import nn

from util.precision import full

SUMMED_PIXELS = 2**15  # of which single precision adds up values without losing digits that count


class InstanceNorm(nn.InstanceNorm2d):
    """Instance norm without parameters or statistics; at inference on a CPU it may overwrite its input.

    There, PyTorch's own takes a tenth of the time of all networks. Channels last stay in their layout. Exported files
    keep the operation that other programs know.
    """

    def forward(self, x):
        if torch.jit.is_tracing():
            return super().forward(x)
        if x.is_cuda and len(x) > 1 and not x.is_contiguous():
            return by_statistics(x, self)
        if x.is_cuda or torch.is_grad_enabled():
            return each_normed(x, self.eps)
        if x.is_contiguous() or x.dtype in (torch.float16, torch.bfloat16):
            return F.group_norm(x, self.num_features, eps=self.eps)  # groups of one channel each
        # With channels last, group norm takes the difference of two large sums, which costs digits.
        scale, shift = self.coefficients(*channel_statistics(x))
        return torch.addcmul(shift, x, scale, out=x)

    def coefficients(self, mean, variance):
        """By what to multiply channels with these statistics, and what to add then: (N, C, 1, 1) each, all four."""
        scale = (variance + self.eps).rsqrt()
        return scale, -mean * scale


class LayerInstanceNorm(nn.Module):
    """The sum of an instance norm and a layer norm, weighted channel by channel (Kim et al. 2020, U-GAT-IT).

    An instance norm gives each channel of each image the same mean, so that no layer can hand on what holds for a
    image as a whole, such as how bright its scene is. A layer norm, over all channels, keeps how they differ.
    There the weights are rho and 1 - rho times a gain; here they are free. At inference on a CPU it may overwrite its
    input, as ``InstanceNorm`` does.
    """

    def __init__(self, channels, eps=1e-5):
        super().__init__()
        self.eps = eps
        self.instance_gain = nn.Parameter(torch.full((channels,), 0.5))
        self.layer_gain = nn.Parameter(torch.full((channels,), 0.5))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x):
        if x.is_cuda and not torch.jit.is_tracing():
            # PyTorch's group norm gives each image to a single one of a GPU's multiprocessors.
            fused = None if torch.compiler.is_compiling() else fused_sum()
            if fused is None:
                return by_statistics(x, self)
            return fused(x, self.instance_gain, self.layer_gain, self.bias, self.eps)
        narrow = x.dtype in (torch.float16, torch.bfloat16)
        if narrow or torch.is_grad_enabled() or torch.jit.is_tracing():
            instance = each_normed(x, self.eps, self.instance_gain, self.bias)
            return instance + F.group_norm(x, 1, self.layer_gain, eps=self.eps)
        scale, shift = self.coefficients(*channel_statistics(x))
        return torch.addcmul(shift, x, scale, out=x)

    def coefficients(self, mean, variance):
        """As for ``InstanceNorm``."""
        instance_gain, layer_gain, bias = (p[:, None, None] for p in (self.instance_gain, self.layer_gain, self.bias))
        mean_of_all = mean.mean(1, keepdim=True)
        variance_of_all = (variance + (mean - mean_of_all).square()).mean(1, keepdim=True)
        instance = instance_gain * (variance + self.eps).rsqrt()
        layer = layer_gain * (variance_of_all + self.eps).rsqrt()
        return instance + layer, bias - instance * mean - layer * mean_of_all


IMAGE_NORMS = (InstanceNorm, LayerInstanceNorm)  # those that go by the image at hand, the whole of it


@cache
def fused_sum():
    """The function of models/kernels/layer_instance.py, or None where Triton cannot build it.

    PyTorch brings Triton with CUDA, but not on Windows, and Triton needs a C compiler.
    """
    try:
        from models.kernels.layer_instance import LayerInstanceNormed

        LayerInstanceNormed.apply(torch.ones(1, 1, 1, 1, device="cuda"), *torch.ones(3, 1, device="cuda"), 1.0)
    except Exception:  # whatever Triton or a compiler says: PyTorch's own operations do the same in more launches
        return None
    return LayerInstanceNormed.apply


def by_statistics(x, norm):
    """A norm with gradients by what its ``coefficients`` are, in the layout and the precision of (N, C, H, W)."""
    maps = full(x)
    variance, mean = torch.var_mean(maps, (2, 3), correction=0, keepdim=True)
    scale, shift = norm.coefficients(mean, variance)
    return torch.addcmul(shift, maps, scale).to(x.dtype)


def each_normed(x, eps, weight=None, bias=None):
    """Instance norm with gradients, and in the layout of (N, C, H, W); weight and bias (C,), or None."""
    if x.is_contiguous() or torch.jit.is_tracing():
        return F.instance_norm(x, weight=weight, bias=bias, eps=eps)
    # PyTorch's own would turn channels last into planes, and each layer after it would turn them back.
    samples = [F.batch_norm(sample, None, None, weight, bias, training=True, eps=eps) for sample in x.split(1)]
    return samples[0] if len(samples) == 1 else torch.cat(samples)


def channel_statistics(x):
    """Mean and variance of each channel of each sample, without gradients: (N, C, H, W) -> two (N, C, 1, 1).

    With channels last, batch norm's kernel is twenty times as fast as PyTorch's variance; it adds up value by value,
    so that it is given few rows at a time.
    """
    if x.is_contiguous() or not x.is_contiguous(memory_format=torch.channels_last):
        variance, mean = torch.var_mean(x, (2, 3), correction=0, keepdim=True)
        return mean, variance
    rows = max(1, SUMMED_PIXELS // x.shape[3])
    found = [_statistics_of_one(sample.split(rows, dim=2)) for sample in x.split(1)]
    mean, variance = (torch.stack(values)[:, :, None, None] for values in zip(*found, strict=True))
    return mean, variance


def _statistics_of_one(parts):
    means, variances = zip(*(torch.batch_norm_update_stats(part, None, None, 0.0) for part in parts), strict=True)
    means, variances = torch.stack(means), torch.stack(variances)  # (parts, C)
    share = means.new_tensor([part.shape[2] for part in parts])[:, None]
    share = share / share.sum()
    mean = (share * means).sum(0)
    return mean, (share * (variances + (means - mean).square())).sum(0)
