"""Steady brightness over the frames of a video."""

from math import exp

import torch
import torch.nn.functional as F

SECONDS = 1.0  # in which the weight of what was before falls to 1/e
LEVELS = 16  # of the curve, spaced evenly in the square root of the brightness
SHRINK = 8  # the curve is that of small images, in which noise is averaged out
LEAST = 0.5  # pixels of a small image by which a level of the curve is known
CUT = 0.5  # mean change of an eighth of an image across and down, as a share of its brightness, to another scene


class SteadyBrightness:
    """Gives equal brightness of the original equal brightness in the result, from frame to frame.

    What passes through an image changes the statistics that the networks norm by, and so the brightness of all the
    rest. The curve from the brightness of the original to the mean colours of the result is taken of each frame, and
    averaged over time; what the frame's own curve lacks is added to it. A frame of another scene begins anew.
    """

    def __init__(self):
        self._curve = self._known = self._parts = None

    def __call__(self, low, enhanced, seconds):
        """Call it with each frame, in order.

        Args:
            low, enhanced: the original and the result, (1, 3, H, W) in [-1, 1].
            seconds: since the frame before.

        Returns:
            The result in steady brightness (1, 3, H, W).
        """
        height, width = low.shape[-2:]
        size = (max(1, height // SHRINK), max(1, width // SHRINK))
        brightness = (F.interpolate(low.mean(1, keepdim=True), size, mode="area") + 1) / 2  # (1, 1, h, w)
        colours = F.interpolate(enhanced, size, mode="area")[0].flatten(1).T  # (h w, 3)
        places = brightness.clamp(min=0).sqrt().reshape(-1, 1) * (LEVELS - 1)
        weights = (1 - (places - torch.arange(LEVELS)).abs()).clamp(min=0)  # (h w, LEVELS), of two neighbours each
        total = weights.sum(0)[:, None]
        curve, known = weights.T @ colours / total.clamp(min=LEAST), total >= LEAST  # (LEVELS, 3)
        self._update(curve, known, 1.0 if self._is_cut(brightness) else 1 - exp(-seconds / SECONDS))
        change = weights @ ((self._curve - curve) * known)  # (h w, 3)
        change = change.T.reshape(1, 3, *size)
        return enhanced + F.interpolate(change, (height, width), mode="bilinear")

    def _is_cut(self, brightness):
        parts, before = F.adaptive_avg_pool2d(brightness, 8), self._parts
        self._parts = parts
        return before is None or (parts - before).abs().mean() > CUT * (parts + before).mean() / 2

    def _update(self, curve, known, share):
        if share == 1:
            self._curve, self._known = curve, known
            return
        new = torch.where(self._known, self._curve.lerp(curve, share), curve)
        self._curve, self._known = torch.where(known, new, self._curve), self._known | known
