"""The mask extractor (ME in the paper): where the enhancer should look, and a residual of brightness."""

import torch
from torch import nn

from models.kernels.padding import ReflectionPad2d
from models.networks.layers import NormedConv2d, ReLU, ResidualBlock, conv_has_bias, norm_layer


class MaskExtractor(nn.Module):
    """Channel attention, then spatial attention, on three residual blocks at full resolution.

    Args:
        ngf: width of the features.
        norm, dropout: as in the generators.
        units: values that the channel attention squeezes 2 ngf to. None: ngf / 16 as released, but at least 4: a
            single one, behind its ReLU, is dead from the start with many seeds, and the mask 0.5 everywhere.
    """

    def __init__(self, ngf=64, norm="instance", dropout=False, units=None):
        super().__init__()
        units = max(4, ngf // 16) if units is None else units
        self.output = nn.Conv2d(ngf, 3, 7)  # first: the order of the keys in the released files
        self.model = nn.Sequential(
            ReflectionPad2d(3),
            NormedConv2d(3, ngf, 7, bias=conv_has_bias(norm)),
            norm_layer(norm, ngf),
            ReLU(),
            *[ResidualBlock(ngf, norm, dropout) for _ in range(3)],
            ReflectionPad2d(3),
        )
        self.fc1 = nn.Conv2d(2 * ngf, units, 1, bias=False)
        self.fc2 = nn.Conv2d(units, 2 * ngf, 1, bias=False)
        self.conv1 = nn.Conv2d(2, 1, 7, bias=False)
        self.conv_ca = nn.Conv2d(2 * ngf, ngf, 1, bias=False)

    def take_shape(self, state):
        """Take over the number of units of a state dict: those of earlier narrow networks had fewer than 4."""
        units = len(state.get("fc1.weight", self.fc1.weight))
        for layer, name, dim in ((self.fc1, "out_channels", 0), (self.fc2, "in_channels", 1)):
            if getattr(layer, name) != units:
                setattr(layer, name, units)
                layer.weight.data = layer.weight.data.narrow(dim, 0, 1).repeat_interleave(units, dim)

    def forward(self, x):
        """The residual and the mask of an image.

        Args:
            x: (N, 3, H, W) in [-1, 1], H and W at least 4.

        Returns:
            The residual h (N, 3, H, W) in (-1, 1) and the attention mask m (N, 1, H, W) in (0, 1).
        """
        features = self.model(x)  # (N, ngf, H + 6, W + 6)
        return torch.tanh(self.output(features)), self._attend(features)

    def mask(self, x):
        """The mask alone, all that inference needs: (N, 3, H, W) in [-1, 1] -> (N, 1, H, W) in (0, 1)."""
        return self._attend(self.model(x))

    def _attend(self, features):  # (N, ngf, H + 6, W + 6) -> (N, 1, H, W)
        weights = self.channel_weights(features.mean((2, 3), keepdim=True), features.amax((2, 3), keepdim=True))
        return torch.sigmoid(self.conv1(self.pooled(features, weights)))

    def channel_weights(self, mean, highest):
        """Channel attention: each channel's mean and maximum, two tensors (N, ngf, 1, 1) -> a factor each."""
        return self.conv_ca(self.fc2(torch.relu(self.fc1(torch.cat([mean, highest], dim=1)))))

    @staticmethod
    def pooled(features, weights):
        """What spatial attention sees of (N, ngf, h, w): mean and maximum of the weighted channels, (N, 2, h, w)."""
        features = features * weights
        return torch.cat([features.mean(1, keepdim=True), features.amax(1, keepdim=True)], dim=1)
