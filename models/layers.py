"""Layers that several networks share: norms, the residual block, the ResNet trunk, weight initialisation."""

import torch
import torch.nn.functional as F
from torch import nn

from models.winograd import Conv3x3

NORMS = ("instance", "batch", "none")
SUMMED_PIXELS = 2**15  # of which single precision adds up values without losing digits that count
INIT_TYPES = ("normal", "xavier", "kaiming", "orthogonal")


def norm_layer(norm, channels):
    """A normalisation layer that keeps (N, channels, H, W).

    Args:
        norm: ``instance`` (no affine parameters, no running statistics), ``batch`` (with both), or ``none``.
        channels: number of feature maps.
    """
    if norm == "instance":
        return InstanceNorm(channels)
    if norm == "batch":
        return nn.BatchNorm2d(channels)
    # A module that does nothing keeps the numbering of the layers, and with it the keys of a checkpoint.
    return nn.Identity()


class InstanceNorm(nn.InstanceNorm2d):
    """Instance norm without parameters or statistics; at inference on a CPU it may overwrite its input.

    There, PyTorch's own takes a tenth of the time of all networks. Exported files keep the operation that other
    programs know.
    """

    def forward(self, x):
        if x.is_cuda or torch.jit.is_tracing():
            return super().forward(x)
        if torch.is_grad_enabled():
            return self._with_gradient(x)
        if x.is_contiguous() or x.dtype in (torch.float16, torch.bfloat16):
            return F.group_norm(x, self.num_features, eps=self.eps)  # groups of one channel each
        # With channels last, group norm takes the difference of two large sums, which costs digits.
        mean, variance = channel_statistics(x)
        scale = variance.add_(self.eps).rsqrt_()
        return torch.addcmul(mean.neg_().mul_(scale), x, scale, out=x)

    def _with_gradient(self, x):
        if x.is_contiguous():
            return super().forward(x)
        # PyTorch's own would turn channels last into planes, and each layer after it would turn them back.
        samples = [F.batch_norm(sample, None, None, training=True, eps=self.eps) for sample in x.split(1)]
        return samples[0] if len(samples) == 1 else torch.cat(samples)


def channel_statistics(x):
    """Mean and variance of each channel of each sample, without gradients: (N, C, H, W) -> two (N, C, 1, 1).

    With channels last, batch norm's kernel is twenty times as fast as PyTorch's variance; it adds up value by value,
    so that it is given few rows at a time.
    """
    if x.is_contiguous() or not x.is_contiguous(memory_format=torch.channels_last):
        variance, mean = torch.var_mean(x, (2, 3), correction=0, keepdim=True)
        return mean, variance
    rows = max(1, SUMMED_PIXELS // x.shape[3])
    found = [_statistics_of_one(sample.split(rows, dim=2)) for sample in x.split(1)]
    mean, variance = (torch.stack(values)[:, :, None, None] for values in zip(*found, strict=True))
    return mean, variance


def _statistics_of_one(parts):
    means, variances = zip(*(torch.batch_norm_update_stats(part, None, None, 0.0) for part in parts), strict=True)
    means, variances = torch.stack(means), torch.stack(variances)  # (parts, C)
    share = means.new_tensor([part.shape[2] for part in parts])[:, None]
    share = share / share.sum()
    mean = (share * means).sum(0)
    return mean, (share * (variances + (means - mean).square())).sum(0)


def conv_has_bias(norm):
    """Whether a convolution that a norm follows has a bias: as in the released weights, only with ``instance``."""
    return norm == "instance"


class ResidualBlock(nn.Module):
    """x + branch(x): two 3x3 convolutions with reflection padding, no ReLU after the sum.

    (N, channels, H, W) -> the same shape; H and W are at least 2.
    """

    def __init__(self, channels, norm, dropout=False):
        super().__init__()
        bias = conv_has_bias(norm)
        self.conv_block = nn.Sequential(
            nn.ReflectionPad2d(1),
            Conv3x3(channels, channels, bias=bias),
            norm_layer(norm, channels),
            nn.ReLU(inplace=True),
            *([nn.Dropout(0.5)] if dropout else []),
            nn.ReflectionPad2d(1),
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
        nn.ReflectionPad2d(3),
        nn.Conv2d(in_channels, ngf, 7, bias=bias),
        norm_layer(norm, ngf),
        nn.ReLU(inplace=True),
    ]
    for width in (ngf, 2 * ngf):  # down to a quarter of the resolution
        layers += [
            nn.Conv2d(width, 2 * width, 3, stride=2, padding=1, bias=bias),
            norm_layer(norm, 2 * width),
            nn.ReLU(inplace=True),
        ]
    layers += [ResidualBlock(4 * ngf, norm, dropout) for _ in range(n_blocks)]
    for width in (4 * ngf, 2 * ngf):  # and back up
        layers += [
            nn.ConvTranspose2d(width, width // 2, 3, stride=2, padding=1, output_padding=1, bias=bias),
            norm_layer(norm, width // 2),
            nn.ReLU(inplace=True),
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
        inputs: tensors (N, C, H, W).
        call: how the network is called.
    """
    mixes = any(isinstance(module, nn.BatchNorm2d) and module.training for module in network.modules())
    if len(inputs) < 2 or mixes or len({x.shape for x in inputs}) > 1:
        return [call(network, x) for x in inputs]
    outputs = call(network, torch.cat(inputs))  # (len(inputs) * N, ...)
    return list(outputs.chunk(len(inputs)))


def freeze_batch_norms(network):
    """Let the batch norms of a network normalise by their running statistics in training, too, and keep those."""
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eval()


def keep_tanh_sloping(network, slope=0.1):
    """Add ``slope`` to the gradient of a network's tanh layers, from now on; what they compute stays the same.

    A saturated tanh has no slope, so no distance of pictures can bring a value back that has gone too far.
    """
    for layer in network.modules():
        if isinstance(layer, nn.Tanh):
            layer.register_forward_hook(lambda _, given, answer: answer + slope * (given[0] - given[0].detach()))
