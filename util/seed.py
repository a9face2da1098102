"""Where random numbers come from."""

import os
import random

import numpy as np
import torch


def seed_everything(seed, deterministic=False):
    """Seed Python, NumPy and PyTorch.

    Args:
        seed: a whole number from 0.
        deterministic: whether a GPU, too, computes the same from run to run, where PyTorch can; a warning names
            what cannot.
    """
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)
    if deterministic:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # asked for by PyTorch's documentation
        torch.use_deterministic_algorithms(True, warn_only=True)
    # Crops have one size: time spent on choosing the fastest convolutions comes back.
    torch.backends.cudnn.benchmark = not deterministic
