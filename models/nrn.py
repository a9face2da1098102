"""Neural representation normalization (NRN in the paper): a picture as a continuous function of place.

A ResNet encoder turns the picture into a feature map; an implicit function, a small MLP, reads the 3x3
neighbourhood of a pixel and its coordinates and returns the pixel's normalised colour.
"""

import math

import torch
import torch.nn.functional as F
from torch import nn

from models.layers import resnet_trunk
from util.precision import in_full_precision

FREQUENCIES = 8  # L of the positional encoding: sin and cos of 2^l pi c for l = 0 .. L - 1
COORDS = ("absolute", "cancelled")

# At inference the MLP runs over strips of rows, so that its activations stay near this many values
# whatever the size of the picture (16 MiB in single precision, a size that stays near the caches).
STRIP_VALUES = 4 * 2**20


class NRN(nn.Module):
    """(N, 3, H, W) in [-1, 1] -> the normalised picture (N, 3, H, W), unbounded (no tanh).

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
        n, channels, height, width = features.shape
        first, *hidden = [layer for layer in self.imnet.layers if isinstance(layer, nn.Linear)]
        near, place, cell = first.weight.split([9 * channels, 4 * FREQUENCIES + 2, 2], dim=1)
        kernel = near.unflatten(1, (channels, 3, 3))  # (256, channels, 3, 3)
        bias = first.bias + 2 * cell.sum(1)  # (256,)
        rows = columns = None
        if self.coords == "absolute":
            rows, columns = self._place_terms(place, height, width)

        if torch.is_grad_enabled():
            return _evaluate(F.conv2d(features, kernel, bias, padding=1), rows, columns, hidden)

        strip = max(1, STRIP_VALUES // (n * kernel.shape[0] * width))  # rows
        out = features.new_empty(n, hidden[-1].out_features, height, width)
        for top in range(0, height, strip):
            end = min(top + strip, height)
            inside = features[:, :, max(top - 1, 0) : end + 1]  # with a row of neighbours on each side
            missing = (0, 0, int(top == 0), int(end == height))  # zero rows beyond the picture's edge
            convolved = F.conv2d(F.pad(inside, missing), kernel, bias, padding=(0, 1))
            out[:, :, top:end] = _evaluate(convolved, None if rows is None else rows[:, top:end], columns, hidden)
        return out  # (N, 3, H, W)

    def _place_terms(self, place, height, width):
        """What the coordinates add to the first layer: a term per row (256, H, 1) and one per column (256, 1, W).

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
        return rows[:, :, None], columns[:, None, :]


def _evaluate(hidden_values, rows, columns, linears):
    """The MLP after its first product: (N, 256, h, W) -> (N, 3, h, W), each layer a 1x1 convolution."""
    if rows is not None:
        hidden_values = hidden_values + (rows + columns).to(hidden_values.dtype)
    for linear in linears:
        hidden_values = torch.relu_(hidden_values)
        hidden_values = F.conv2d(hidden_values, linear.weight[:, :, None, None], linear.bias)
    return hidden_values


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


def pixel_centres(n, like):
    """The centres of n pixels that fill [-1, 1]: c_k = -1 + (2k + 1) / n, a tensor (n,) of ``like``'s kind."""
    return (2 * torch.arange(n, dtype=like.dtype, device=like.device) + 1) / n - 1


def positional_encoding(c):
    """gamma(c): (n,) -> (2 L, n), sin(2^l pi c) for l = 0 .. L - 1 and then the cosines (the encoding of the NRN)."""
    octaves = 2.0 ** torch.arange(FREQUENCIES, dtype=c.dtype, device=c.device)  # (L,)
    angles = math.pi * octaves[:, None] * c  # (L, n)
    return torch.cat([angles.sin(), angles.cos()])
