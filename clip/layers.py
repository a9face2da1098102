"""The transformer that CLIP's image and text towers share."""

import torch
import torch.nn.functional as F
from torch import nn


def attend(query, key, value, heads, causal=False):
    """Multi-head scaled dot-product attention over projected inputs.

    Args:
        query: (N, T, C).
        key, value: (N, S, C).
        heads: number of heads; divides C.
        causal: whether position t sees only the positions up to t.

    Returns:
        (N, T, C): the heads' outputs side by side, not yet projected.
    """
    query, key, value = (
        x.unflatten(-1, (heads, -1)).transpose(1, 2)  # (N, heads, T or S, C / heads)
        for x in (query, key, value)
    )
    out = F.scaled_dot_product_attention(query, key, value, is_causal=causal)
    return out.transpose(1, 2).flatten(2)  # (N, T, C)


class LayerNorm(nn.LayerNorm):
    """Layer normalisation that half-precision inputs pass through in float32; others keep their precision."""

    def forward(self, x):
        if x.dtype not in (torch.float16, torch.bfloat16):
            return super().forward(x)
        out = F.layer_norm(x.float(), self.normalized_shape, self.weight.float(), self.bias.float(), self.eps)
        return out.to(x.dtype)


class SelfAttention(nn.Module):
    """Multi-head self-attention, (N, T, width) to (N, T, width); parameters named as in nn.MultiheadAttention."""

    def __init__(self, width, heads, causal):
        super().__init__()
        self.heads = heads
        self.causal = causal
        self.in_proj_weight = nn.Parameter(torch.empty(3 * width, width))
        self.in_proj_bias = nn.Parameter(torch.zeros(3 * width))
        self.out_proj = nn.Linear(width, width)
        nn.init.xavier_uniform_(self.in_proj_weight)

    def forward(self, x):
        qkv = F.linear(x, self.in_proj_weight, self.in_proj_bias)  # (N, T, 3 width)
        return self.out_proj(attend(*qkv.chunk(3, dim=-1), self.heads, self.causal))  # (N, T, width)


class MLP(nn.Module):
    """Two linear layers with CLIP's sigmoid approximation of GELU between them; (..., width) to (..., width)."""

    def __init__(self, width):
        super().__init__()
        self.c_fc = nn.Linear(width, 4 * width)
        self.c_proj = nn.Linear(4 * width, width)

    def forward(self, x):
        x = self.c_fc(x)  # (..., 4 width)
        return self.c_proj(x * torch.sigmoid(1.702 * x))  # (..., width)


class ResidualAttentionBlock(nn.Module):
    """A pre-norm transformer block, (N, T, width) to (N, T, width)."""

    def __init__(self, width, heads, causal):
        super().__init__()
        self.attn = SelfAttention(width, heads, causal)
        self.ln_1 = LayerNorm(width)
        self.mlp = MLP(width)
        self.ln_2 = LayerNorm(width)

    def forward(self, x):
        x = x + self.attn(self.ln_1(x))
        return x + self.mlp(self.ln_2(x))


class Transformer(nn.Module):
    """A stack of residual attention blocks, (N, T, width) to (N, T, width)."""

    def __init__(self, width, layers, heads, causal=False):
        super().__init__()
        self.resblocks = nn.Sequential(*(ResidualAttentionBlock(width, heads, causal) for _ in range(layers)))

    def forward(self, x):
        return self.resblocks(x)
