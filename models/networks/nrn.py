"""Neural representation normalization (NRN in the paper): an image as a continuous function of place.

A ResNet encoder turns the image into a feature map; an implicit function, a small MLP, reads the 3x3
neighbourhood of a pixel and its coordinates and returns the pixel's normalised colour.
"""

import math

import torch
import torch.nn.functional as F
from torch import nn

from models.networks.layers import resnet_trunk
from util.precision import in_full_precision

FREQUENCIES = 8  # L of the positional encoding: sin and cos of 2^l pi c for l = 0 .. L - 1

# At inference the MLP runs over strips of rows, so that its activations stay near this many values
# whatever the size of the image (16 MiB in single precision, a size that stays near the caches).
STRIP_VALUES = 4 * 2**20
GPU_STRIP_VALUES = 2**26  # a GPU is faster the more it is given at a time


class NRN(nn.Module):
    """(N, 3, H, W) in [-1, 1] -> the normalised image (N, 3, H, W), unbounded (no tanh).

    Args:
        ngf: width of the encoder, and of the feature map that the implicit function reads.
        norm, dropout: as in the generators.
        coords: ``absolute``, the paper's reading: coordinates reach the MLP; ``cancelled``, the released
            code's: they are subtracted from themselves, so that all coordinate inputs are 0.

    H and W are multiples of 4 and at least 8.
    """

    def __init__(self, ngf=64, norm="instance", dropout=False, coords="absolute"):
        super().__init__()
        self.mlp = ImplicitFunction(ngf, coords)  # first: the order of the keys in the released files
        self.model = nn.Sequential(*resnet_trunk(3, ngf, norm, dropout, n_blocks=9))

    def forward(self, x):
        return self.mlp(self.model(x))


class ImplicitFunction(nn.Module):
    """The MLP on features and coordinates: (N, channels, H, W) -> (N, 3, H, W).

    For each pixel the MLP has 9 channels + 36 inputs: the 3x3 neighbourhood of the features (zero padding,
    channel-major), the coordinates (y, x), their encoding gamma(y), gamma(x), and the cell size (2, 2).
    Its first layer is linear, so those inputs are never gathered: the features' share of it is a 3x3
    convolution, the coordinates' share is a row term plus a column term, the cell's share is a constant.
    """

    def __init__(self, channels=64, coords="absolute"):
        super().__init__()
        self.coords = coords
        self.imnet = ImplicitMLP(9 * channels + 4 * FREQUENCIES + 4)

    def forward(self, features):
        height, width = features.shape[-2:]
        at = self.at(height, width)
        if torch.is_grad_enabled() or torch.compiler.is_compiling():  # which would be anew for each number of strips
            return at(F.conv2d(features, at.kernel, at.bias, padding=1), 0)
        return at.rows(F.pad(features, (0, 0, 1, 1)), 0)  # (N, 3, H, W)

    def at(self, height, width):
        """The implicit function of images of one size (pixels), as an ``Evaluation``."""
        first, *hidden = [layer for layer in self.imnet.layers if isinstance(layer, nn.Linear)]
        channels = (first.in_features - 4 * FREQUENCIES - 4) // 9
        near, place, cell = first.weight.split([9 * channels, 4 * FREQUENCIES + 2, 2], dim=1)
        kernel = near.unflatten(1, (channels, 3, 3))  # (256, channels, 3, 3)
        bias = first.bias + 2 * cell.sum(1)  # (256,)
        rows = columns = None
        if self.coords == "absolute":
            rows, columns = self._place_terms(place, height, width)
        return Evaluation(kernel, bias, rows, columns, hidden)

    def _place_terms(self, place, height, width):
        """What the coordinates add to the first layer: a term per row (H, 1, 256) and one per column (W, 256).

        ``place`` (256, 34) holds the first layer's weights of y, x, gamma(y) and gamma(x), in this order.
        """
        with in_full_precision(place):  # 16 bits cannot tell neighbouring pixels apart
            return self._full_place_terms(place, height, width)

    @staticmethod
    def _full_place_terms(place, height, width):
        of_y, of_x, of_gamma_y, of_gamma_x = place.split([1, 1, 2 * FREQUENCIES, 2 * FREQUENCIES], dim=1)
        y, x = pixel_centres(height, like=place), pixel_centres(width, like=place)
        rows = of_y * y + of_gamma_y @ positional_encoding(y)  # (256, H)
        columns = of_x * x + of_gamma_x @ positional_encoding(x)  # (256, W)
        return rows.T[:, None], columns.T


class Evaluation:
    """The implicit function with what depends on the image's size alone worked out.

    Args:
        kernel, bias: the features' share of the first layer as a convolution, (256, channels, 3, 3) and (256,).
        rows, columns: the coordinates' share of it, (H, 1, 256) and (W, 256), or None.
        hidden: the linear layers after the first.
    """

    def __init__(self, kernel, bias, rows, columns, hidden):
        self.kernel, self.bias, self.row_terms, self.column_terms = kernel, bias, rows, columns
        self.hidden = hidden

    def __call__(self, values, top):
        """The MLP after its first product: (N, 256, h, W), rows from ``top`` on -> (N, 3, h, W)."""
        n, _, height, width = values.shape
        values = values.permute(0, 2, 3, 1)  # (N, h, W, 256)
        if self.row_terms is not None:
            place = self.row_terms[top : top + height] + self.column_terms
            values += place.to(values.dtype)
        values = values.flatten(0, 2)  # (N h W, 256): products of matrices outrun 1x1 convolutions
        for linear in self.hidden:
            values = linear(torch.relu_(values))
        return values.unflatten(0, (n, height, width)).permute(0, 3, 1, 2)

    def rows(self, near, top):
        """The colours of some rows, without gradients, strip by strip.

        Args:
            near: the features of these rows and of one more on each side, zeros beyond the image's edges:
                (N, channels, h + 2, W).
            top: the first row.

        Returns:
            (N, 3, h, W).
        """
        n, _, height, width = near.shape
        values = STRIP_VALUES if near.device.type == "cpu" else GPU_STRIP_VALUES
        strip = max(1, values // (n * self.kernel.shape[0] * width))  # rows
        colours = []
        for start in range(0, height - 2, strip):
            inside = near[:, :, start : start + strip + 2]
            colours.append(self(F.conv2d(inside, self.kernel, self.bias, padding=(0, 1)), top + start))
        return torch.cat(colours, dim=2)


class ImplicitMLP(nn.Module):
    """The weights of the implicit function: in_features -> 256 -> 256 -> 256 -> 3 with ReLU between."""

    def __init__(self, in_features):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(in_features, 256),
            nn.ReLU(),
            nn.Linear(256, 256),
            nn.ReLU(),
            nn.Linear(256, 256),
            nn.ReLU(),
            nn.Linear(256, 3),
        )


def indices(n, like):
    """The numbers 0 .. n - 1, a tensor (n,) of ``like``'s kind."""
    if torch.jit.is_tracing():  # arange would fix the device for good in the file that is written
        return like.new_ones(n).cumsum(0) - 1
    return torch.arange(n, dtype=like.dtype, device=like.device)


def pixel_centres(n, like):
    """The centres of n pixels that fill [-1, 1]: c_k = -1 + (2k + 1) / n, a tensor (n,) of ``like``'s kind."""
    return (2 * indices(n, like) + 1) / n - 1


def positional_encoding(c):
    """gamma(c): (n,) -> (2 L, n), sin(2^l pi c) for l = 0 .. L - 1 and then the cosines (the encoding of the NRN)."""
    octaves = 2.0 ** indices(FREQUENCIES, like=c)  # (L,)
    angles = math.pi * octaves[:, None] * c  # (L, n)
    return torch.cat([angles.sin(), angles.cos()])
