"""Steady brightness over the frames of a video: norms that go by statistics smoothed over time."""

from math import exp
from types import MethodType

import torch
import torch.nn.functional as F

from models.kernels.norms import IMAGE_NORMS, channel_statistics

SECONDS = 0.5  # in which the share of what was before falls to 1/e
CUT = 0.5  # change of the mean luma of a part of the image, as a share of it, beyond which a frame is of another scene
PARTS = 8  # parts across and down that are compared


class SteadyNorms:
    """Makes the norms of an enhancer go by the last frames, too, so that what passes by changes no brightness.

    Norms of the image at hand decide how bright a result is. Here each takes a moving average of the mean and the
    variance of its channels; a frame of another scene begins anew. Frames are given one at a time, in order.

    Args:
        enhancer: in evaluation mode; its norms are changed for good.
    """

    def __init__(self, enhancer):
        self.share, self._parts = 1.0, None  # the share of the frame at hand
        for norm in enhancer.modules():
            if isinstance(norm, IMAGE_NORMS):
                norm.past = None
                norm.coefficients = MethodType(self._smoothed(type(norm).coefficients), norm)
                norm.forward = MethodType(_forward, norm)

    def before(self, low, seconds):
        """Announce a frame (1, 3, H, W) in [-1, 1], so many seconds after the one before it."""
        parts = F.adaptive_avg_pool2d((low.mean(1, keepdim=True) + 1) / 2, PARTS)
        if self._parts is None or (parts - self._parts).abs().mean() > CUT * (parts + self._parts).mean() / 2:
            self.share = 1.0
        else:
            self.share = 1 - exp(-seconds / SECONDS)
        self._parts = parts

    def _smoothed(self, coefficients):
        def smoothed(norm, *found):
            if norm.past is not None:
                found = [old.to(new).lerp(new, self.share) for old, new in zip(norm.past, found, strict=True)]
            norm.past = found
            return coefficients(norm, *found)

        return smoothed


def _forward(norm, x):
    scale, shift = norm.coefficients(*channel_statistics(x.float()))
    return torch.addcmul(shift.to(x.dtype), x, scale.to(x.dtype), out=x)
