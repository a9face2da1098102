"""Layers that several networks share: norms, the residual block, the ResNet trunk, weight initialisation."""

import torch
import torch.nn.functional as F
from torch import nn

from models.kernels.norms import InstanceNorm, LayerInstanceNorm
from models.kernels.padding import ReflectionPad2d
from models.kernels.winograd import Conv3x3

# The last does nothing; it keeps the numbering of the layers, and with it the keys of a checkpoint.
NORMS = {"instance": InstanceNorm, "layer_instance": LayerInstanceNorm, "batch": nn.BatchNorm2d, "none": nn.Identity}

INIT_TYPES = ("normal", "xavier", "kaiming", "orthogonal")


def norm_layer(norm, channels):
    """A normalisation layer that keeps (N, channels, H, W).

    Args:
        norm: ``instance`` (no affine parameters, no running statistics), ``layer_instance`` (the sum of an instance
            and a layer norm, with parameters), ``batch`` (with parameters and running statistics), or ``none``.
        channels: number of feature maps.
    """
    return NORMS[norm](channels)


def conv_has_bias(norm):
    """Whether a convolution that a norm follows has a bias: as in the released weights, only with ``instance``."""
    return norm == "instance"


class NormedConv2d(nn.Conv2d):
    """A convolution that a norm follows. An instance norm takes any bias away again, so that it is not even added: it
    is in checkpoints alone."""

    def forward(self, x):
        return self._conv_forward(x, self.weight, None)


class NormedConvTranspose2d(nn.ConvTranspose2d):
    """The same of a transposed convolution."""

    def forward(self, x):
        return F.conv_transpose2d(x, self.weight, None, self.stride, self.padding, self.output_padding)


class ReLU(nn.ReLU):
    """max(x, 0), in place unless gradients are asked for: what a norm gives is a view, and autograd copies a view that
    is written to, three times in a training step."""

    def forward(self, x):
        return F.relu(x, inplace=not torch.is_grad_enabled())


class ResidualBlock(nn.Module):
    """x + branch(x): two 3x3 convolutions with reflection padding, no ReLU after the sum.

    (N, channels, H, W) -> the same shape; H and W are at least 2.
    """

    def __init__(self, channels, norm, dropout=False):
        super().__init__()
        bias = conv_has_bias(norm)
        self.conv_block = nn.Sequential(
            ReflectionPad2d(1),
            Conv3x3(channels, channels, bias=bias),
            norm_layer(norm, channels),
            ReLU(),
            *([nn.Dropout(0.5)] if dropout else []),
            ReflectionPad2d(1),
            Conv3x3(channels, channels, bias=bias),
            norm_layer(norm, channels),
        )

    def forward(self, x):
        return x + self.conv_block(x)


def resnet_trunk(in_channels, ngf, norm, dropout, n_blocks):
    """The layers of the ResNet generator up to its last ReLU, as a list (the caller appends its head).

    Together they map (N, in_channels, H, W) to (N, ngf, H, W); H and W are multiples of 4 and at least 8.
    """
    bias = conv_has_bias(norm)
    layers = [
        ReflectionPad2d(3),
        NormedConv2d(in_channels, ngf, 7, bias=bias),
        norm_layer(norm, ngf),
        ReLU(),
    ]
    for width in (ngf, 2 * ngf):  # down to a quarter of the resolution
        layers += [
            NormedConv2d(width, 2 * width, 3, stride=2, padding=1, bias=bias),
            norm_layer(norm, 2 * width),
            ReLU(),
        ]
    layers += [ResidualBlock(4 * ngf, norm, dropout) for _ in range(n_blocks)]
    for width in (4 * ngf, 2 * ngf):  # and back up
        layers += [
            NormedConvTranspose2d(width, width // 2, 3, stride=2, padding=1, output_padding=1, bias=bias),
            norm_layer(norm, width // 2),
            ReLU(),
        ]
    return layers


def init_weights(network, init_type="normal", gain=0.02):
    """Initialise every convolution and linear layer of ``network`` in place, and return it.

    Args:
        init_type: ``normal`` N(0, gain), ``xavier`` (normal), ``kaiming`` (normal, fan-in; no gain), ``orthogonal``.
        gain: the standard deviation (normal) or the scaling factor (xavier, orthogonal).

    Biases become 0; the scale of a batch norm is drawn from N(1, gain).
    """
    fill = {
        "normal": lambda weight: nn.init.normal_(weight, 0.0, gain),
        "xavier": lambda weight: nn.init.xavier_normal_(weight, gain=gain),
        "kaiming": lambda weight: nn.init.kaiming_normal_(weight, a=0, mode="fan_in"),
        "orthogonal": lambda weight: nn.init.orthogonal_(weight, gain=gain),
    }[init_type]
    for module in network.modules():
        if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)):
            fill(module.weight)
        elif isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.weight, 1.0, gain)
        else:
            continue
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    return network


def batched(network, *inputs, call=lambda network, x: network(x)):
    """One call of ``network`` on several inputs that do not depend on each other; a list of its outputs.

    Every layer but batch norm treats each sample of a batch alone, so the outputs are those of separate calls;
    with a batch norm in training, whose statistics would mix, the calls stay separate, and so they do where
    shapes differ.

    Args:
        inputs: tensors (N, C, H, W), or None where there is nothing to compute: the output is then None, too.
        call: how the network is called.
    """
    given = [x for x in inputs if x is not None]
    if len(given) < 2 or _mixes_samples(network) or len({x.shape for x in given}) > 1:
        outputs = [call(network, x) for x in given]
    else:
        outputs = call(network, torch.cat(given)).chunk(len(given))
    outputs = iter(outputs)
    return [None if x is None else next(outputs) for x in inputs]


def _mixes_samples(network):
    return any(isinstance(module, nn.BatchNorm2d) and module.training for module in network.modules())


def keep_tanh_sloping(network, slope=0.1):
    """Add ``slope`` to the gradient of a network's tanh layers, from now on; what they compute stays the same.

    A saturated tanh has no slope, so no distance of images can bring a value back that has gone too far.
    """
    for layer in network.modules():
        if isinstance(layer, nn.Tanh):
            layer.register_forward_hook(lambda _, given, answer: answer + slope * (given[0] - given[0].detach()))


def freeze_batch_norms(network):
    """Let the batch norms of a network normalise by their running statistics in training, too, and keep those."""
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eval()
