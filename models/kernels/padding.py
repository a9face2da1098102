"""Reflection padding that keeps channels last and 16 bits."""

from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import nn
from torch.autograd.function import once_differentiable


class ReflectionPad2d(nn.ReflectionPad2d):
    """(N, C, H, W) -> (N, C, H + 2 p, W + 2 p), as PyTorch's own, in the precision and the layout of the maps.

    On a CPU, autocast pads in single precision, so that each layer around would have to convert; and the gradient of
    channels last takes twice as long. On a GPU, PyTorch's own turns channels last into planes.
    """

    def forward(self, x):
        elsewhere = torch.jit.is_tracing() or torch.compiler.is_compiling()
        if elsewhere or not x.is_contiguous(memory_format=torch.channels_last):
            return super().forward(x)
        with torch.autocast(x.device.type, enabled=False):
            return _Reflected.apply(x, self.padding[0])


def reflected(x, padding):
    """Reflection padding of channels last, which stay so; (N, C, H, W) -> (N, C, H + 2 p, W + 2 p)."""
    for dim in (2, 3):
        places = _places(x.shape[dim], padding, x.device)
        x = x.permute(0, 2, 3, 1).index_select(dim - 1, places).permute(0, 3, 1, 2)
    return x


@lru_cache(maxsize=64)
def _places(size, padding, device):
    """Which row or column stands where."""
    last = size - 1
    return last - (last - torch.arange(-padding, size + padding, device=device).abs()).abs()


class _Reflected(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, padding):
        ctx.padding = padding
        return F.pad(x, [padding] * 4, "reflect") if x.device.type == "cpu" else reflected(x, padding)

    @staticmethod
    @once_differentiable
    def backward(ctx, gradient):
        above, inside, below = (_without_sides(rows, ctx.padding) for rows in _parts(gradient, ctx.padding, dim=2))
        return _with_reflected(inside, above, below, dim=2), None


def _without_sides(gradient, padding):
    left, inside, right = _parts(gradient, padding, dim=3)
    return _with_reflected(inside.clone(memory_format=torch.channels_last), left, right, dim=3)


def _parts(gradient, padding, dim):
    return gradient.split([padding, gradient.shape[dim] - 2 * padding, padding], dim)


def _with_reflected(inside, before, behind, dim):
    """The gradient of what was padded, in place: that of each end is added to what it reflects."""
    size, padding = inside.shape[dim], before.shape[dim]
    inside.narrow(dim, 1, padding).add_(before.flip(dim))
    inside.narrow(dim, size - 1 - padding, padding).add_(behind.flip(dim))
    return inside
