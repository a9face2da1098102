"""3x3 convolutions with a quarter of the multiplications: Winograd's minimal filtering F(4x4, 3x3).

A. Lavin and S. Gray, "Fast Algorithms for Convolutional Neural Networks" (CVPR 2016). A 4x4 tile of the output is

    A^T [ (G w G^T) * (B^T d B) ] A

where d is the 6x6 tile of the input that it sees, w the kernel, and * the product element by element. Summed over
channels, that is 36 products of matrices. CPU libraries convolve directly in single precision, which takes 1.7 times
as long at 256 channels. The usual points 0, +-1, +-2 cost a digit; 0, +-3/4, +-3/2 hardly any (factor 2).
"""

from functools import cache

import torch
import torch.nn.functional as F
from torch import nn
from torch.autograd.function import once_differentiable

POINTS = (0.0, 0.75, -0.75, 1.5, -1.5)  # where the polynomials are evaluated; the sixth point is infinity
TILE, SEEN = 4, 6  # sides of a tile of the output, and of what it sees of the input
CHANNELS = 128  # fewer gain nothing
TILES = 256  # computed at a time, so that they stay near the caches


class Conv3x3(nn.Conv2d):
    """A 3x3 convolution without padding that goes the faster way: (N, I, H + 2, W + 2) -> (N, O, H, W).

    A norm follows it: see ``NormedConv2d`` in models/networks/layers.py for its bias.
    """

    def __init__(self, in_channels, out_channels, bias=True):
        super().__init__(in_channels, out_channels, 3, bias=bias)

    def forward(self, x):
        if not self._pays(x):
            return self._conv_forward(x, self.weight, None)
        return _Convolution.apply(x, self.weight)

    def _pays(self, x):
        elsewhere = torch.jit.is_tracing() or torch.compiler.is_compiling()  # others choose the way there
        single = x.dtype == self.weight.dtype == torch.float32 and not torch.is_autocast_enabled("cpu")
        wide = min(self.in_channels, self.out_channels) >= CHANNELS
        return x.device.type == "cpu" and single and wide and not elsewhere


class _Convolution(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, weight):
        ctx.save_for_backward(x, weight)
        return _like(x, convolve(x, weight))

    @staticmethod
    @once_differentiable
    def backward(ctx, gradient):
        x, weight = ctx.saved_tensors
        of_x = _like(x, convolve(gradient, weight, transposed=True)) if ctx.needs_input_grad[0] else None
        of_weight = weight_gradient(x, gradient) if ctx.needs_input_grad[1] else None
        return of_x, of_weight


def convolve(x, weight, transposed=False):
    """A convolution with stride 1, without padding or bias, or its transpose.

    Args:
        x: (N, I, H + 2, W + 2); (N, O, H, W) to be transposed.
        weight: (O, I, 3, 3).

    Returns:
        (N, O, H, W), or (N, I, H + 2, W + 2); channels last.
    """
    b, g, a = (matrix.to(x) for matrix in transforms())
    taps = weight.flatten(2).flatten(0, 1).T  # (9, O I)
    if transposed:
        kernel, margin = (g.flip(1) @ taps).view(SEEN**2, *weight.shape[:2]), 2  # (36, O, I)
    else:
        kernel, margin = (g @ taps).view(SEEN**2, *weight.shape[:2]).transpose(1, 2), 0  # (36, I, O)
    n, channels = x.shape[:2]
    height, width = (side + 2 * margin - 2 for side in x.shape[2:])
    outputs, across = kernel.shape[2], -(-width // TILE)
    x = _extended(x.permute(0, 2, 3, 1), height, width, margin)  # (N, rows, columns, I)
    result = x.new_empty(n, height, width, outputs)
    for top, bottom in _strips(n, height, width):
        seen = (b @ _tiles(x[:, top : _end(bottom) + 2], SEEN)).view(SEEN**2, -1, channels)  # (36, tiles, I)
        tiles = (a @ torch.bmm(seen, kernel).view(SEEN**2, -1)).view(TILE, TILE, n, -1, across, outputs)
        rows = tiles.permute(2, 3, 0, 4, 1, 5).flatten(3, 4).flatten(1, 2)  # (N, rows, columns, O)
        result[:, top:bottom] = rows[:, : bottom - top, :width]
    return result.permute(0, 3, 1, 2)


def weight_gradient(x, gradient):
    """The gradient of the weights of ``convolve``: x (N, I, H + 2, W + 2) and (N, O, H, W) -> (O, I, 3, 3)."""
    channels, (n, outputs, height, width) = x.shape[1], gradient.shape
    b, g, a = (matrix.to(x) for matrix in transforms())
    x, gradient = (_extended(values.permute(0, 2, 3, 1), height, width) for values in (x, gradient))
    total = None
    for top, bottom in _strips(n, height, width):
        seen = (b @ _tiles(x[:, top : _end(bottom) + 2], SEEN)).view(SEEN**2, -1, channels)
        given = (a.T @ _tiles(gradient[:, top : _end(bottom)], TILE)).view(SEEN**2, -1, outputs).transpose(1, 2)
        total = torch.bmm(given, seen) if total is None else total.baddbmm_(given, seen)  # (36, O, I)
    taps = g.T @ total.view(SEEN**2, -1)  # (9, O I): twice as fast as its transpose
    return taps.view(-1, outputs, channels).permute(1, 2, 0).reshape(outputs, channels, 3, 3)


def _end(side):
    """Where the last tile of an output of ``side`` rows or columns ends."""
    return -(-side // TILE) * TILE


def _extended(x, height, width, margin=0):
    """x (N, rows, columns, C) with ``margin`` zeros on all sides, and what fills the last tiles of its output."""
    below, right = (_end(side) - side for side in (height, width))
    if not (margin or below or right):
        return x  # padding would copy it
    return F.pad(x, (0, 0, margin, margin + right, margin, margin + below))


def _strips(n, height, width):
    """Rows of the output that are computed together, as (top, bottom)."""
    step = TILE * max(1, TILES // (n * -(-width // TILE)))
    return [(top, min(top + step, height)) for top in range(0, height, step)]


def _tiles(x, side):
    """The tiles of x (N, rows, columns, C), ``side`` wide and high, TILE apart: (side^2, tiles C)."""
    tiles = x.unfold(1, side, TILE).unfold(2, side, TILE)  # (N, down, across, C, side, side)
    return tiles.permute(4, 5, 0, 1, 2, 3).reshape(side**2, -1)


def _like(x, y):
    """y in the layout of x."""
    return y.contiguous() if x.is_contiguous() else y


@cache
def transforms():
    """The three transforms of two-dimensional tiles, double: B (36, 36), G (36, 9) and A (16, 36), transposed where
    the formula above has them so."""
    points = torch.tensor(POINTS, dtype=torch.float64)
    powers = points[:, None] ** torch.arange(TILE)  # (5, 4)
    distances = (points[:, None] - points).fill_diagonal_(1).prod(1, keepdim=True)
    g = torch.cat([powers[:, :3] / distances, torch.eye(3)[2:]])  # (6, 3)
    a = torch.cat([powers, torch.eye(TILE)[-1:]]).T.contiguous()  # (4, 6)
    b = torch.zeros(SEEN, SEEN, dtype=torch.float64)  # row j: the product of x - p over the other points
    for j in range(SEEN):
        coefficients = _product([point for k, point in enumerate(POINTS) if k != j])
        b[j, : len(coefficients)] = torch.tensor(coefficients)
    return tuple(torch.kron(matrix, matrix) for matrix in (b, g, a))


def _product(roots):
    """Coefficients of the product of x - root, the constant first."""
    found = [1.0]
    for root in roots:
        found = [low - root * high for low, high in zip([0.0, *found], [*found, 0.0], strict=True)]
    return found
