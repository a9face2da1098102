"""The image-to-image generators: the enhancer's and the degrader's ResNet, and the pix2pix U-Nets."""

from functools import partial

import torch
from torch import nn

from models.kernels.padding import ReflectionPad2d
from models.networks.layers import conv_has_bias, norm_layer, resnet_trunk

KEEPING = "resnet_9blocks_keep"
KEENNESS = 5.0  # of the share that is kept: Adam moves all weights equally fast, and this one's have further to go


class ResNetGenerator(nn.Module):
    """Enhancer G_H or degrader G_L (Johnson's architecture, as in CycleGAN).

    (N, in_channels, H, W) -> (N, out_channels, H, W) in [-1, 1]; H and W are multiples of 4 and at least 8.
    """

    def __init__(self, in_channels, out_channels=3, ngf=64, norm="instance", dropout=False, n_blocks=9):
        super().__init__()
        self.model = nn.Sequential(
            *resnet_trunk(in_channels, ngf, norm, dropout, n_blocks),
            ReflectionPad2d(3),
            nn.Conv2d(ngf, out_channels, 7),
            nn.Tanh(),
        )

    def forward(self, x):
        return self.model(x)


class KeepingGenerator(ResNetGenerator):
    """A ResNet generator that also says how far each pixel stays as it was; not in the paper.

    What passes through a quarter of the resolution loses details, also where nothing was to be changed. Here a fourth
    output of the last convolution, behind a sigmoid, weighs the input against what the network makes of it. (What the
    method gives the enhancer is the image times its mask.)

    (N, in_channels, H, W) -> (N, 3, H, W) in [-1, 1]: of the first three input channels and the new image a mean,
    pixel by pixel; H and W are multiples of 4 and at least 8.
    """

    def __init__(self, in_channels, out_channels=3, ngf=64, norm="instance", dropout=False, n_blocks=9):
        super().__init__(in_channels, out_channels + 1, ngf, norm, dropout, n_blocks)
        self.tanh = self.model[-1]
        del self.model[-1]

    def forward(self, x):
        return self.weighed(self.model(x), x)

    def weighed(self, made, x):
        """The output for the last convolution's (N, 4, H, W) and the network's input."""
        new, kept = self.tanh(made[:, :3]), (KEENNESS * made[:, 3:]).sigmoid()
        return new + kept * (x[:, :3] - new)


class UNetGenerator(nn.Module):
    """The U-Net of pix2pix: ``n_downs`` halvings of the resolution, skip connections between equal sizes.

    (N, in_channels, H, W) -> (N, out_channels, H, W) in [-1, 1]; H and W are multiples of 2 ** n_downs.
    """

    def __init__(self, in_channels, out_channels=3, ngf=64, norm="instance", dropout=False, n_downs=7):
        super().__init__()
        # From the bottleneck outwards. Dropout sits only in the blocks between the bottleneck and 8 ngf.
        block = UNetBlock(8 * ngf, 8 * ngf, None, norm)
        for _ in range(n_downs - 5):
            block = UNetBlock(8 * ngf, 8 * ngf, block, norm, dropout)
        for width in (4 * ngf, 2 * ngf, ngf):
            block = UNetBlock(width, 2 * width, block, norm)
        self.model = UNetShell(in_channels, out_channels, ngf, block, norm)

    def forward(self, x):
        return self.model(x)


class UNetShell(nn.Module):
    """The outermost level of the U-Net: no norm, tanh at the end, no skip connection."""

    def __init__(self, in_channels, out_channels, ngf, inner, norm):
        super().__init__()
        self.model = nn.Sequential(
            nn.Conv2d(in_channels, ngf, 4, stride=2, padding=1, bias=conv_has_bias(norm)),
            inner,
            nn.ReLU(),
            nn.ConvTranspose2d(2 * ngf, out_channels, 4, stride=2, padding=1),
            nn.Tanh(),
        )

    def forward(self, x):
        return self.model(x)


class UNetBlock(nn.Module):
    """One inner level: (N, outer, H, W) -> (N, 2 outer, H, W), its input concatenated with what came back up.

    Args:
        outer, middle: channels outside this level and after its downsampling.
        inner: the next level, or None at the bottleneck.
    """

    def __init__(self, outer, middle, inner, norm, dropout=False):
        super().__init__()
        bias = conv_has_bias(norm)
        down = [nn.LeakyReLU(0.2), nn.Conv2d(outer, middle, 4, stride=2, padding=1, bias=bias)]
        if inner is not None:  # one value per channel is left at the bottleneck: nothing to normalise
            down += [norm_layer(norm, middle), inner]
        returned = middle if inner is None else 2 * middle
        up = [
            nn.ReLU(),
            nn.ConvTranspose2d(returned, outer, 4, stride=2, padding=1, bias=bias),
            norm_layer(norm, outer),
            *([nn.Dropout(0.5)] if dropout else []),
        ]
        self.model = nn.Sequential(*down, *up)

    def forward(self, x):
        return torch.cat([x, self.model(x)], dim=1)  # (N, 2 outer, H, W)


GENERATORS = {
    "resnet_9blocks": partial(ResNetGenerator, n_blocks=9),
    "resnet_6blocks": partial(ResNetGenerator, n_blocks=6),
    KEEPING: partial(KeepingGenerator, n_blocks=9),
    "unet_128": partial(UNetGenerator, n_downs=7),
    "unet_256": partial(UNetGenerator, n_downs=8),
}


def build_generator(name, in_channels, out_channels=3, ngf=64, norm="instance", dropout=False):
    """The generator called ``name`` (one of ``GENERATORS``), with PyTorch's own initial weights.

    It maps (N, in_channels, H, W) to (N, out_channels, H, W) in [-1, 1]; H and W are multiples of
    ``size_multiple(name)``.
    """
    return GENERATORS[name](in_channels, out_channels, ngf, norm, dropout)


def size_multiple(name):
    """What the sides (pixels) of a generator's input must be multiples of: a ResNet halves them twice."""
    return 2 ** GENERATORS[name].keywords.get("n_downs", 2)


def smallest_side(name):
    """The least side (pixels) that a generator takes: reflection padding needs more pixels than it adds."""
    return max(8, size_multiple(name))


def with_one_copy(state):
    """The weights of an enhancer that computes from one image what another computed from two copies of it.

    Args:
        state: {key: tensor} of a generator with 6 input channels that was given cat(x, x).

    Returns:
        The same for cat(x, anything), where the second half counts nothing.
    """
    first = next(key for key, weight in state.items() if weight.dim() == 4 and weight.shape[1] == 6)
    weight = state[first].float()
    once = weight[:, :3] + weight[:, 3:]
    return {**state, first: torch.cat([once, torch.zeros_like(once)], dim=1)}


def with_little_kept(state):
    """The weights of a ``ResNetGenerator``, for a ``KeepingGenerator`` that keeps 5 % of its input to begin with.

    Those of a ``KeepingGenerator`` stay as they are.
    """
    last = [key for key, weight in state.items() if weight.dim() == 4][-1]
    weight, bias = state[last], state[last.replace("weight", "bias")]
    if len(weight) == 4:
        return state
    grown = {
        last: torch.zeros_like(weight[:1]),
        last.replace("weight", "bias"): torch.full_like(bias[:1], -3.0 / KEENNESS),
    }
    return state | {key: torch.cat([state[key], more]) for key, more in grown.items()}
