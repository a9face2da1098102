"""The PatchGAN discriminators of pix2pix."""

from torch import nn

from models.networks.layers import NormedConv2d, conv_has_bias, norm_layer
from util.precision import full, in_full_precision


class PatchDiscriminator(nn.Module):
    """4x4 convolutions: ``n_layers`` of stride 2, then two of stride 1; the widths double up to 8 ndf.

    (N, in_channels, H, W) -> (N, 1, h, w), unbounded scores; 6x6 for a 64x64 input with three layers.
    """

    def __init__(self, in_channels=3, ndf=64, n_layers=3, norm="instance"):
        super().__init__()
        layers = [nn.Conv2d(in_channels, ndf, 4, stride=2, padding=1), nn.LeakyReLU(0.2, inplace=True)]
        width = ndf
        for layer in range(1, n_layers + 1):
            wider = ndf * min(2**layer, 8)
            stride = 2 if layer < n_layers else 1
            layers += [
                NormedConv2d(width, wider, 4, stride=stride, padding=1, bias=conv_has_bias(norm)),
                norm_layer(norm, wider),
                nn.LeakyReLU(0.2),  # not in place: see ``ReLU`` in layers.py
            ]
            width = wider
        self.model = nn.Sequential(*layers, nn.Conv2d(width, 1, 4, stride=1, padding=1))

    def forward(self, x):
        return scored(self.model, x)


class PixelDiscriminator(nn.Module):
    """1x1 convolutions, each pixel judged alone: (N, in_channels, H, W) -> (N, 1, H, W), unbounded scores."""

    def __init__(self, in_channels=3, ndf=64, norm="instance"):
        super().__init__()
        bias = conv_has_bias(norm)
        self.net = nn.Sequential(
            nn.Conv2d(in_channels, ndf, 1),
            nn.LeakyReLU(0.2, inplace=True),
            NormedConv2d(ndf, 2 * ndf, 1, bias=bias),
            norm_layer(norm, 2 * ndf),
            nn.LeakyReLU(0.2),
            nn.Conv2d(2 * ndf, 1, 1, bias=bias),
        )

    def forward(self, x):
        return scored(self.net, x)


def scored(layers, x):
    """Run a discriminator's layers, the last one in full precision: its scores decide the adversarial losses."""
    *inner, last = layers
    for layer in inner:
        x = layer(x)
    with in_full_precision(x):
        return last(full(x))


DISCRIMINATORS = {
    "basic": lambda in_channels, ndf, n_layers, norm: PatchDiscriminator(in_channels, ndf, 3, norm),
    "n_layers": PatchDiscriminator,
    "pixel": lambda in_channels, ndf, n_layers, norm: PixelDiscriminator(in_channels, ndf, norm),
}


def build_discriminator(name, in_channels=3, ndf=64, n_layers=3, norm="instance"):
    """The discriminator called ``name`` (one of ``DISCRIMINATORS``): (N, in_channels, H, W) -> (N, 1, h, w) scores.

    ``basic`` is ``n_layers`` with three layers, whose patch is 70x70 pixels; ``pixel`` judges each pixel alone.
    """
    return DISCRIMINATORS[name](in_channels, ndf, n_layers, norm)


def smallest_input(name, n_layers=3):
    """The least side (pixels) of a square image that the discriminator can be trained on.

    ``n_layers`` halvings and a convolution that takes one pixel more must leave 2x2 values: an instance norm
    needs more than one, and the last convolution takes another pixel.
    """
    return 2 if name == "pixel" else 3 * 2 ** (3 if name == "basic" else n_layers)
