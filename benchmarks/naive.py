"""What this project is compared with: the same networks and weights, computed as the method is written down.

- The implicit function is queried point by point: it gathers all inputs of its first layer for every pixel (the
  unfolded neighbourhood, the coordinates, their encoding, the cell), and does so four times, for an ensemble whose
  members are equal.
- Enhancing an image runs both loops, although only fake_B is wanted; the image itself stands in for B.
- Every network call is one of its own, and every layer PyTorch's own, in its default layout.
"""

import torch
import torch.nn.functional as F
from torch import nn

from models.kernels.norms import InstanceNorm
from models.kernels.winograd import Conv3x3
from models.networks.nrn import NRN, pixel_centres, positional_encoding

ENSEMBLE = 4


class NaiveImplicitFunction(nn.Module):
    """``ImplicitFunction`` without its shortcuts: (N, channels, H, W) -> (N, 3, H, W), the same values."""

    def __init__(self, lean):
        super().__init__()
        self.imnet, self.coords = lean.imnet, lean.coords

    def forward(self, features):
        n, _, height, width = features.shape
        y, x = pixel_centres(height, like=features), pixel_centres(width, like=features)
        queries = torch.stack(torch.meshgrid(y, x, indexing="ij"), dim=-1).flatten(0, 1).expand(n, -1, -1)  # (N, HW, 2)
        near = F.unfold(features, 3, padding=1).unflatten(2, (height, width))  # (N, 9 channels, H, W)
        cell = torch.full_like(queries, 2.0)
        total = 0
        for _ in range(ENSEMBLE):
            # The gathering of implicit image functions: the value nearest to each queried point.
            gathered = F.grid_sample(near, queries.flip(-1)[:, None], mode="nearest", align_corners=False)
            place = queries * 0 if self.coords == "cancelled" else queries
            encoded = torch.cat([positional_encoding(c).transpose(0, 1) for c in place.flatten(0, 1).unbind(1)], dim=1)
            if self.coords == "cancelled":
                encoded = encoded * 0
            inputs = [gathered[:, :, 0].transpose(1, 2), place, encoded.unflatten(0, (n, -1)), cell]
            total = total + self.imnet.layers(torch.cat(inputs, dim=2)) / ENSEMBLE  # (N, HW, 3)
        return total.transpose(1, 2).unflatten(2, (height, width))


def slow_down(*networks):
    """Give networks PyTorch's own instance norms and convolutions, and NRNs the implicit function above, in place."""
    for network in networks:
        for module in network.modules():
            if isinstance(module, InstanceNorm):
                module.__class__ = nn.InstanceNorm2d
            if isinstance(module, Conv3x3):
                module.__class__ = nn.Conv2d
            if isinstance(module, NRN):
                module.mlp = NaiveImplicitFunction(module.mlp)


def enhance(enhancer, degrader, low):
    """fake_B by way of both loops.

    Args:
        enhancer: an ``Enhancer``; it and the degrader went through ``slow_down``.
        degrader: the generator G_B.
        low: (N, 3, H, W) in [-1, 1], sides that are multiples of 4.
    """
    nrn, generator = enhancer.nrn, enhancer.generator
    pre = nrn(low)
    _, mask = enhancer.mask_extractor(low)
    fake_b = generator(torch.cat([low, pre], dim=1) * mask)
    degrader(fake_b)  # rec_A
    fake_a = degrader(low * mask)
    generator(torch.cat([fake_a, nrn(fake_a)], dim=1))  # rec_B
    return fake_b


def one_call_at_a_time(network, *inputs, call=lambda network, x: network(x)):
    """Stands in for ``models.networks.layers.batched``."""
    return [None if x is None else call(network, x) for x in inputs]
