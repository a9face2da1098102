"""The high-pass filter E whose output the edge discriminators judge."""

import torch
import torch.nn.functional as F
from torch import nn

from util.precision import full, in_full_precision, without_tf32

LUMA = (65.738 / 256, 129.057 / 256, 25.064 / 256)  # of red, green and blue (BT.601, studio swing)
STRENGTH = 4.0

# The 3x3 kernels of each filter, whose responses are joined by a root of squares: down and across, or one for both.
# A ramp gives the same under gradient and sobel.
EDGE_FILTERS = {
    "gradient": ([[0, -1, 0], [0, 0, 0], [0, 1, 0]], [[0, 0, 0], [-1, 0, 1], [0, 0, 0]]),
    "sobel": (
        [[-0.25, -0.5, -0.25], [0, 0, 0], [0.25, 0.5, 0.25]],
        [[-0.25, 0, 0.25], [-0.5, 0, 0.5], [-0.25, 0, 0.25]],
    ),
    "laplacian4": ([[0, 1, 0], [1, -4, 1], [0, 1, 0]],),
    "laplacian8": ([[1, 1, 1], [1, -8, 1], [1, 1, 1]],),
}


class EdgeFilter(nn.Module):
    """The magnitude of an image's edges, as a three-channel image.

    Args:
        kind: ``gradient`` (central differences, what the released code calls Sobel), ``sobel``,
            ``laplacian4`` or ``laplacian8``.
        projection: how the gray map becomes three channels. ``fixed`` repeats it; ``random`` draws new 1x1
            weights and biases from [-1, 1] at every call, as the released code does.
    """

    def __init__(self, kind="gradient", projection="fixed"):
        super().__init__()
        self.projection = projection
        kernels = torch.tensor(EDGE_FILTERS[kind], dtype=torch.float64)[:, None]  # (1 or 2, 1, 3, 3)
        # Not part of a checkpoint: the released files hold no filters. Kept in double precision, so that nothing
        # is lost when training runs in it.
        self.register_buffer("kernels", kernels, persistent=False)
        self.register_buffer("luma", torch.tensor(LUMA, dtype=torch.float64)[None, :, None, None], persistent=False)

    def forward(self, x):
        """(N, 3, H, W), or (N, 1, H, W) of gray values, in [-1, 1] -> (N, 3, H, W), from 0 up if ``fixed``."""
        with in_full_precision(x), without_tf32():  # rounded to fewer bits, neighbours would not differ
            return self._edges(full(x))

    def _edges(self, x):
        gray = x if x.shape[1] == 1 else (x * self.luma.to(x.dtype)).sum(1, keepdim=True)  # (N, 1, H, W)
        responses = F.conv2d(gray, self.kernels.to(x.dtype), padding=1)
        # The small constant keeps the root's gradient finite where an image is flat.
        magnitude = torch.sqrt(responses.square().sum(1, keepdim=True) + 1e-6)  # (N, 1, H, W)
        if self.projection == "fixed":
            return STRENGTH * magnitude.expand(-1, 3, -1, -1)
        weight, bias = magnitude.new_empty(2, 1, 3, 1, 1).uniform_(-1, 1)
        return STRENGTH * (magnitude * weight + bias)
