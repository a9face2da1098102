"""CLIP: an image encoder and a text encoder with one feature space. State dicts are OpenAI's, key for key."""

import math

import torch
import torch.nn.functional as F
from torch import nn

from clip.layers import LayerNorm, Transformer
from clip.visual import ModifiedResNet, VisionTransformer

HEAD_WIDTH = 64  # of every attention head, in both encoders


class CLIP(nn.Module):
    """CLIP with either image encoder.

    Args:
        embed_dim: width of the common feature space.
        image_resolution: side R of the square images.
        vision_layers: blocks of the vision transformer, or a sequence of the four stages' depths for a ResNet.
        vision_width: width of the vision transformer, or the ResNet's channels after its stem.
        vision_patch_size: side of a patch; None for a ResNet.
        context_length: number of tokens in a text.
        vocab_size: number of different tokens; the last one ends a text.
        transformer_width, transformer_heads, transformer_layers: of the text transformer.
    """

    def __init__(
        self,
        embed_dim,
        image_resolution,
        vision_layers,
        vision_width,
        vision_patch_size,
        context_length,
        vocab_size,
        transformer_width,
        transformer_heads,
        transformer_layers,
    ):
        super().__init__()
        self.context_length = context_length
        self.vocab_size = vocab_size
        if vision_patch_size is None:
            heads = 32 * vision_width // HEAD_WIDTH
            self.visual = ModifiedResNet(vision_layers, embed_dim, heads, image_resolution, vision_width)
        else:
            heads = vision_width // HEAD_WIDTH
            self.visual = VisionTransformer(
                image_resolution, vision_patch_size, vision_width, vision_layers, heads, embed_dim
            )
        self.transformer = Transformer(transformer_width, transformer_layers, transformer_heads, causal=True)
        self.token_embedding = nn.Embedding(vocab_size, transformer_width)
        self.positional_embedding = nn.Parameter(0.01 * torch.randn(context_length, transformer_width))
        self.ln_final = LayerNorm(transformer_width)
        self.text_projection = nn.Parameter(torch.randn(transformer_width, embed_dim) / transformer_width**0.5)
        self.logit_scale = nn.Parameter(torch.tensor(math.log(1 / 0.07)))
        nn.init.normal_(self.token_embedding.weight, std=0.02)

    @property
    def input_resolution(self):
        """Side of the square images that the image encoder takes."""
        return self.visual.input_resolution

    @property
    def dtype(self):
        """Precision of the weights, to which images are converted."""
        return self.visual.conv1.weight.dtype

    def encode_image(self, image):
        """Features of images.

        Args:
            image: (N, 3, R, R), preprocessed, R = ``input_resolution``.

        Returns:
            (N, embed_dim), not normalised.

        Raises:
            ValueError: the image has another size. Some would run, with meaningless positions.
        """
        side = self.input_resolution
        if image.shape[1:] != (3, side, side):
            raise ValueError(f"CLIP takes images of shape (N, 3, {side}, {side}), not {tuple(image.shape)}")
        return self.visual(image.to(self.dtype))

    def encode_text(self, tokens):
        """Features of texts, read where the text ends: at the largest token id.

        Args:
            tokens: (N, context_length) of int32 or int64, from ``tokenize``.

        Returns:
            (N, embed_dim), not normalised.

        Raises:
            ValueError: the tokens have another length.
        """
        if tokens.shape[1:] != (self.context_length,):
            raise ValueError(f"CLIP takes tokens of shape (N, {self.context_length}), not {tuple(tokens.shape)}")
        x = self.token_embedding(tokens) + self.positional_embedding  # (N, context_length, width)
        x = self.ln_final(self.transformer(x))
        x = x[torch.arange(x.shape[0], device=x.device), tokens.argmax(dim=-1)]  # (N, width)
        return x @ self.text_projection  # (N, embed_dim)

    def forward(self, image, text):
        """Scaled cosine similarities of every image with every text.

        Args:
            image: (N, 3, R, R), as for ``encode_image``.
            text: (M, context_length), as for ``encode_text``.

        Returns:
            logits_per_image (N, M) and logits_per_text (M, N).
        """
        image_features = F.normalize(self.encode_image(image), dim=-1)  # (N, embed_dim)
        text_features = F.normalize(self.encode_text(text), dim=-1)  # (M, embed_dim)
        logits_per_image = self.logit_scale.exp() * image_features @ text_features.t()  # (N, M)
        return logits_per_image, logits_per_image.t()
