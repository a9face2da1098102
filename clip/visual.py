"""CLIP's two image encoders: the modified ResNet and the vision transformer."""

import torch
import torch.nn.functional as F
from torch import nn

from clip.layers import LayerNorm, Transformer, attend


class Bottleneck(nn.Module):
    """A ResNet bottleneck that strides by average pooling, so that no position is skipped.

    (N, in_channels, H, W) to (N, 4 channels, H / stride, W / stride).
    """

    def __init__(self, in_channels, channels, stride):
        super().__init__()
        out_channels = 4 * channels
        self.stride = stride
        self.conv1 = nn.Conv2d(in_channels, channels, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.conv3 = nn.Conv2d(channels, out_channels, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(out_channels)
        self.downsample = None
        if stride > 1 or in_channels != out_channels:
            self.downsample = nn.Sequential(
                nn.Conv2d(in_channels, out_channels, 1, bias=False), nn.BatchNorm2d(out_channels)
            )

    def forward(self, x):
        out = F.relu(self.bn1(self.conv1(x)))  # (N, channels, H, W)
        out = F.relu(self.bn2(self.conv2(out)))
        out = F.avg_pool2d(out, self.stride)  # (N, channels, H / stride, W / stride)
        out = self.bn3(self.conv3(out))  # (N, 4 channels, H / stride, W / stride)
        if self.downsample is not None:
            x = self.downsample(F.avg_pool2d(x, self.stride))  # (N, 4 channels, H / stride, W / stride)
        return F.relu(out + x)


class AttentionPool2d(nn.Module):
    """Pools a feature map by attention whose query is the map's mean; (N, width, H, W) to (N, embed_dim)."""

    def __init__(self, grid, width, heads, embed_dim):
        super().__init__()
        self.heads = heads
        self.positional_embedding = nn.Parameter(torch.randn(grid**2 + 1, width) / width**0.5)
        self.k_proj = nn.Linear(width, width)
        self.q_proj = nn.Linear(width, width)
        self.v_proj = nn.Linear(width, width)
        self.c_proj = nn.Linear(width, embed_dim)

    def forward(self, x):
        x = x.flatten(2).transpose(1, 2)  # (N, H W, width)
        x = torch.cat([x.mean(dim=1, keepdim=True), x], dim=1)  # (N, 1 + H W, width)
        x = x + self.positional_embedding
        pooled = attend(self.q_proj(x[:, :1]), self.k_proj(x), self.v_proj(x), self.heads)  # (N, 1, width)
        return self.c_proj(pooled).squeeze(1)  # (N, embed_dim)


class ModifiedResNet(nn.Module):
    """ResNet with a stem of three convolutions, pooled strides and attention pooling.

    Args:
        layers: number of bottlenecks in each of the four stages.
        embed_dim: width of the features.
        heads: heads of the attention pool.
        input_resolution: side R of the square images; a multiple of 32.
        width: channels after the stem.

    Takes (N, 3, R, R), gives (N, embed_dim).
    """

    def __init__(self, layers, embed_dim, heads, input_resolution, width):
        super().__init__()
        self.input_resolution = input_resolution
        self.conv1 = nn.Conv2d(3, width // 2, 3, stride=2, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width // 2)
        self.conv2 = nn.Conv2d(width // 2, width // 2, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width // 2)
        self.conv3 = nn.Conv2d(width // 2, width, 3, padding=1, bias=False)
        self.bn3 = nn.BatchNorm2d(width)
        self.layer1 = self._stage(width, width, layers[0], stride=1)
        self.layer2 = self._stage(4 * width, 2 * width, layers[1], stride=2)
        self.layer3 = self._stage(8 * width, 4 * width, layers[2], stride=2)
        self.layer4 = self._stage(16 * width, 8 * width, layers[3], stride=2)
        self.attnpool = AttentionPool2d(input_resolution // 32, 32 * width, heads, embed_dim)

    @staticmethod
    def _stage(in_channels, channels, blocks, stride):
        first = Bottleneck(in_channels, channels, stride)
        return nn.Sequential(first, *(Bottleneck(4 * channels, channels, 1) for _ in range(blocks - 1)))

    def forward(self, x):
        x = F.relu(self.bn1(self.conv1(x)))  # (N, width / 2, R / 2, R / 2)
        x = F.relu(self.bn2(self.conv2(x)))
        x = F.relu(self.bn3(self.conv3(x)))  # (N, width, R / 2, R / 2)
        x = F.avg_pool2d(x, 2)  # (N, width, R / 4, R / 4)
        x = self.layer1(x)  # (N, 4 width, R / 4, R / 4)
        x = self.layer2(x)  # (N, 8 width, R / 8, R / 8)
        x = self.layer3(x)  # (N, 16 width, R / 16, R / 16)
        x = self.layer4(x)  # (N, 32 width, R / 32, R / 32)
        return self.attnpool(x)  # (N, embed_dim)


class VisionTransformer(nn.Module):
    """ViT whose feature is the projected class token.

    Args:
        input_resolution: side R of the square images; a multiple of patch_size.
        patch_size: side P of a patch.
        width, layers, heads: of the transformer.
        embed_dim: width of the features.

    Takes (N, 3, R, R), gives (N, embed_dim).
    """

    def __init__(self, input_resolution, patch_size, width, layers, heads, embed_dim):
        super().__init__()
        self.input_resolution = input_resolution
        patches = (input_resolution // patch_size) ** 2
        scale = width**-0.5
        self.class_embedding = nn.Parameter(scale * torch.randn(width))
        self.positional_embedding = nn.Parameter(scale * torch.randn(patches + 1, width))
        self.proj = nn.Parameter(scale * torch.randn(width, embed_dim))
        self.conv1 = nn.Conv2d(3, width, patch_size, stride=patch_size, bias=False)
        self.ln_pre = LayerNorm(width)
        self.transformer = Transformer(width, layers, heads)
        self.ln_post = LayerNorm(width)

    def forward(self, x):
        x = self.conv1(x)  # (N, width, R / P, R / P)
        x = x.flatten(2).transpose(1, 2)  # (N, patches, width)
        class_token = self.class_embedding.expand(x.shape[0], 1, -1)  # (N, 1, width)
        x = torch.cat([class_token, x], dim=1)  # (N, 1 + patches, width)
        x = self.transformer(self.ln_pre(x + self.positional_embedding))
        return self.ln_post(x[:, 0]) @ self.proj  # (N, embed_dim)
