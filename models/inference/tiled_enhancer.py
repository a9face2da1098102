"""The enhancer on images too large for memory: the same networks, band by band of rows."""

import torch
from torch import nn

from data.transforms import pad_to_multiple
from models.inference.tiles import (
    BAND_VALUES,
    Convolved,
    Map,
    Pointwise,
    Reflected,
    Stored,
    Upsampled,
    normed,
    store,
)
from models.networks.generators import KeepingGenerator, ResNetGenerator
from models.networks.layers import NORMS, ResidualBlock
from util.device import widest

NORM_LAYERS = tuple(NORMS.values())


def enhance_in_bands(enhancer, low, band=None, dtype=None):
    """What ``enhancer(low, stages=True)`` gives, in bounded memory.

    Args:
        enhancer: an ``Enhancer`` in evaluation mode; a U-Net generator is run whole, the other networks in bands.
        low: (N, 3, H, W) in [-1, 1].
        band: rows of the image that are computed at a time, from 8 up; None: as many as ``BAND_VALUES`` allows.
        dtype: what stored feature maps are kept as; None: as they are computed. With 16 bits the result is no
            longer exact.

    Returns:
        The enhanced batch (N, 3, H, W) in [-1, 1], pre_A (N, 3, H, W) and the mask (N, 1, H, W).
    """
    height, width = low.shape[-2:]
    padded = pad_to_multiple(low, enhancer.multiple, enhancer.smallest)
    n, _, _, across = padded.shape
    band = band or max(8, BAND_VALUES // (n * enhancer.options["ngf"] * across))
    with torch.inference_mode():
        image = Stored(padded, -(-band // 4) * 4)  # whole rows of the maps at a quarter of the resolution
        mask = _mask(enhancer.mask_extractor, image, dtype)
        pre = store(_Implicit(enhancer.nrn, image, dtype)) if enhancer.nrn else image
        seen = _Joined(image, pre, mask)
        generator = enhancer.generator
        if isinstance(generator, ResNetGenerator):
            made = _through(generator.model, seen, dtype)
            if isinstance(generator, KeepingGenerator):
                made = Pointwise(lambda rows, top: generator.weighed(rows, seen.rows(top, top + rows.shape[2])), made)
            enhanced = store(made).values
        else:
            enhanced = generator(store(seen).values)
    return tuple(x[..., :height, :width] for x in (enhanced, pre.values, mask.values))


def _through(layers, source, dtype):
    """A chain of layers on a map; what lies at a lower resolution is stored, and what residual blocks change."""
    layers, full = list(layers), source.height
    for layer, following in zip(layers, [*layers[1:], None], strict=True):
        if isinstance(layer, nn.ReflectionPad2d):
            source = Reflected(source, layer.padding[0])
        elif isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d)):
            source = (Convolved if isinstance(layer, nn.Conv2d) else Upsampled)(layer, source)
            if source.height < full - 6:  # not where reflection has added 3 rows on each side
                source = store(source, dtype)
        elif isinstance(layer, NORM_LAYERS):
            source = normed(layer, source, relu=isinstance(following, nn.ReLU))
        elif isinstance(layer, ResidualBlock):
            source = _residual(layer, source, dtype, keep_branch=source.height < full)
        elif isinstance(layer, nn.Tanh):
            source = Pointwise(lambda rows, top: rows.tanh(), source)
    return source


def _residual(block, source, dtype, keep_branch):
    """x + branch(x), x changed where it is stored.

    Args:
        keep_branch: whether the branch is stored, too, at the cost of a second map, or computed again where needed.
    """
    x = source if isinstance(source, Stored) else store(source, dtype)
    convs = [layer for layer in block.conv_block if isinstance(layer, nn.Conv2d)]
    first, second = [layer for layer in block.conv_block if isinstance(layer, NORM_LAYERS)]
    branch = Convolved(convs[0], Reflected(x, 1))
    if keep_branch:
        branch = store(branch, dtype)
    inner = Convolved(convs[1], Reflected(normed(first, branch, relu=True), 1))
    if keep_branch:
        branch.replace(inner)
        inner = branch
    outer = normed(second, inner)
    x.replace(Pointwise(lambda rows, top: rows + x.rows(top, top + rows.shape[2]), outer))
    return x


class _Implicit(Map):
    """The neural representation normalization of an image: (N, 3, H, W)."""

    def __init__(self, nrn, image, dtype):
        super().__init__(image.height, image.width, image.band)
        self.features = _through(nrn.model, image, dtype)
        self.evaluation = nrn.mlp.at(image.height, image.width)

    def rows(self, top, bottom):
        return self.evaluation.rows(self.features.rows_or_zeros(top - 1, bottom + 1), top)


class _Joined(Map):
    """cat(A, pre_A) * mask, what the enhancing generator sees."""

    def __init__(self, image, pre, mask):
        super().__init__(image.height, image.width, image.band)
        self.image, self.pre, self.mask = image, pre, mask

    def rows(self, top, bottom):
        both = torch.cat([self.image.rows(top, bottom), self.pre.rows(top, bottom)], dim=1)
        return both * self.mask.rows(top, bottom)


def _mask(extractor, image, dtype):
    """The mask of an image as a stored map; 1 where training left the mask extractor out."""
    if extractor is None:
        return Stored(torch.ones_like(image.values[:, :1]), image.band)
    features = _through(extractor.model, image, dtype)  # ends with the reflection that the attention sees
    total, highest = 0.0, None
    for _, _, rows in features.bands():
        total = total + rows.sum((2, 3), keepdim=True, dtype=widest(rows.device))
        here = rows.amax((2, 3), keepdim=True)
        highest = here if highest is None else torch.maximum(highest, here)
    mean = (total / (features.height * features.width)).to(highest.dtype)
    weights = extractor.channel_weights(mean, highest)
    pooled = Pointwise(lambda rows, top: extractor.pooled(rows, weights), features)
    return store(Pointwise(lambda rows, top: rows.sigmoid(), Convolved(extractor.conv1, pooled)))
