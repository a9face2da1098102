"""Feature maps computed band by band of rows, for images whose maps would not fit into memory.

Nothing here approximates. A convolution's rows need a few rows of its input, so maps are computed where they are
asked for and forgotten again. Only an instance norm, and a layer norm, looks at the whole image: its statistics are
gathered in a pass of their own, after which the rows are computed once more. What is dear to compute and small is
stored (`Stored`); what is cheap or large is not.
"""

import torch
import torch.nn.functional as F
from torch import nn

from models.kernels.norms import IMAGE_NORMS, channel_statistics
from util.device import widest
from util.precision import full

# A band is as many rows as hold this many values of the widest map (64 MiB in single precision): enough that
# the rows computed twice, for the neighbourhoods of two bands, do not count.
BAND_VALUES = 16 * 2**20


class Map:
    """A feature map (N, C, height, width) of which rows can be asked for.

    Args:
        height, width: pixels.
        band: rows of this map that are computed at a time where all are needed.
    """

    def __init__(self, height, width, band):
        self.height, self.width, self.band = height, width, band

    def rows(self, top, bottom):
        """Rows ``top`` to ``bottom`` - 1: (N, C, bottom - top, W). What is returned must not be written to."""
        raise NotImplementedError

    def rows_or_zeros(self, top, bottom):
        """The same, with zeros beyond the edges."""
        missing = (0, 0, max(-top, 0), max(bottom - self.height, 0))
        inside = self.rows(max(top, 0), min(bottom, self.height))
        return F.pad(inside, missing) if any(missing) else inside

    def bands(self):
        """The bands from top to bottom, as (top, bottom, rows)."""
        for top in range(0, self.height, self.band):
            bottom = min(top + self.band, self.height)
            yield top, bottom, self.rows(top, bottom)


class Stored(Map):
    """A map in memory.

    Args:
        values: (N, C, H, W).
        dtype: what rows are handed out as; None: as they are stored.
    """

    def __init__(self, values, band, dtype=None):
        super().__init__(*values.shape[-2:], band)
        self.values, self.dtype = values, dtype or values.dtype

    def rows(self, top, bottom):
        return self.values[:, :, top:bottom].to(self.dtype)

    def replace(self, source):
        """Put another map in this one's place, whose rows need rows of this one as far as a band away.

        Each band is written when the next has been computed: until then its old rows are needed.
        """
        waiting = None
        for top, bottom, rows in source.bands():
            if waiting:
                self.values[:, :, waiting[0] : waiting[1]] = waiting[2]
            waiting = top, bottom, rows
        self.values[:, :, waiting[0] : waiting[1]] = waiting[2]


def store(source, dtype=None):
    """Compute a map whole and keep it, as ``dtype`` (None: as computed)."""
    values = None
    for top, bottom, rows in source.bands():
        if values is None:
            n, channels = rows.shape[:2]
            by_pixels = rows.stride(1) == 1  # in the layout of the rows
            layout = torch.channels_last if by_pixels else torch.contiguous_format
            size = (n, channels, source.height, source.width)
            values = torch.empty(size, dtype=dtype or rows.dtype, device=rows.device, memory_format=layout)
        values[:, :, top:bottom] = rows
    return Stored(values, source.band, rows.dtype)


class Pointwise(Map):
    """A function of rows that keeps their shape, or changes the number of channels: fn(rows, top) -> rows."""

    def __init__(self, fn, source):
        super().__init__(source.height, source.width, source.band)
        self.fn, self.source = fn, source

    def rows(self, top, bottom):
        return self.fn(self.source.rows(top, bottom), top)


class Reflected(Map):
    """A map extended on all sides by reflection."""

    def __init__(self, source, margin):
        super().__init__(source.height + 2 * margin, source.width + 2 * margin, source.band)
        self.source, self.margin = source, margin

    def rows(self, top, bottom):
        last = self.source.height - 1
        places = [last - abs(last - abs(row - self.margin)) for row in range(top, bottom)]
        first, end = min(places), max(places) + 1
        inside = self.source.rows(first, end)
        if end - first < len(places) or places[0] != first:
            # Joined, not indexed: that keeps the layout.
            inside = torch.cat([inside[:, :, place - first : place - first + 1] for place in places], dim=2)
        return F.pad(inside, (self.margin, self.margin, 0, 0), mode="reflect")


class Convolved(Map):
    """An ``nn.Conv2d`` with zero padding or none."""

    def __init__(self, conv, source):
        self.conv, self.source = conv, source
        (self.stride, _), (self.padding, _), (self.side, _) = conv.stride, conv.padding, conv.kernel_size
        height, width = (
            (side + 2 * self.padding - self.side) // self.stride + 1 for side in (source.height, source.width)
        )
        super().__init__(height, width, max(1, source.band // self.stride))

    def rows(self, top, bottom):
        first = top * self.stride - self.padding
        near = self.source.rows_or_zeros(first, first + (bottom - top - 1) * self.stride + self.side)
        conv = self.conv
        if not self.padding:
            return conv(near)
        return F.conv2d(near, conv.weight, conv.bias, self.stride, (0, self.padding))


class Upsampled(Map):
    """An ``nn.ConvTranspose2d`` with stride 2, kernel 3, padding 1 and output padding 1: twice the sides."""

    def __init__(self, conv, source):
        super().__init__(2 * source.height, 2 * source.width, 2 * source.band)
        self.conv, self.source = conv, source

    def rows(self, top, bottom):
        # Row 2 i sees row i of the source; row 2 i + 1 sees i and i + 1.
        first = top // 2
        near = self.source.rows(first, min((bottom + 1) // 2 + 1, self.source.height))
        conv = self.conv
        raised = F.conv_transpose2d(near, conv.weight, conv.bias, stride=2, padding=1, output_padding=1)
        return raised[:, :, top - 2 * first : bottom - 2 * first]


def normed(norm, source, relu=False):
    """A norm layer (of any kind, in evaluation), and maybe a ReLU, on a map."""
    if isinstance(norm, IMAGE_NORMS):
        scale, shift = norm.coefficients(*statistics(source))
    elif isinstance(norm, nn.BatchNorm2d):
        scale = (norm.weight * (norm.running_var + norm.eps).rsqrt())[None, :, None, None]
        shift = norm.bias[None, :, None, None] - norm.running_mean[None, :, None, None] * scale
    else:
        scale = shift = None

    def apply(rows, top):
        if scale is not None:
            rows = torch.addcmul(shift.to(rows.dtype), rows, scale.to(rows.dtype))
            return rows.relu_() if relu else rows
        return rows.relu() if relu else rows

    return Pointwise(apply, source)


def statistics(source):
    """Mean and variance of each channel of each sample over a whole map: two (N, C, 1, 1), in ``widest`` precision.

    Band by band, combined as for a parallel computation of variances (Chan, Golub, LeVeque 1983): sums of squares
    alone would lose digits.
    """
    count, mean, squares = 0, 0.0, 0.0  # squares: the sum of squared distances from the mean
    for _, _, rows in source.bands():
        added = rows.shape[2] * rows.shape[3]
        centre, variance = (x.to(widest(x.device)) for x in channel_statistics(full(rows)))
        shift = centre - mean
        squares = squares + variance * added + shift**2 * (count * added / (count + added))
        mean = mean + shift * (added / (count + added))
        count += added
    return mean, squares / count
