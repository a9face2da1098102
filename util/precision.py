"""Mixed precision: which parts of a computation run in 16 bits."""

import torch

AMP = {"off": None, "bf16": torch.bfloat16, "fp16": torch.float16}


def full(x):
    """A tensor in single precision if it has only 16 bits; others are left as they are."""
    return x.float() if x.dtype in (torch.float16, torch.bfloat16) else x


def in_full_precision(x):
    """A context without autocast, for computations on ``full(x)`` that 16 bits would spoil."""
    return torch.autocast(x.device.type, enabled=False)
