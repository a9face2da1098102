"""The random generators of Python, NumPy and PyTorch: seeding them, saving and restoring their states."""

import os
import random

import numpy as np
import torch


def seed_everything(seed, deterministic=False):
    """Seed all generators.

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


def random_states():
    """The states of all generators, for a resumed run to go on with: tensors and numbers in plain containers."""
    version, words, gauss = random.getstate()
    numpy_state = np.random.get_state()
    return {
        "python": [version, list(words), gauss],
        "numpy": [numpy_state[0], torch.from_numpy(numpy_state[1].astype(np.int64)), *numpy_state[2:]],
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
    }


def restore_random_states(states):
    """Set the generators to what ``random_states`` gave; those of GPUs where there are as many as then."""
    version, words, gauss = states["python"]
    random.setstate((version, tuple(words), gauss))
    kind, words, *rest = states["numpy"]
    np.random.set_state((kind, words.numpy().astype(np.uint32), *rest))
    torch.set_rng_state(states["torch"])
    if len(states["cuda"]) == torch.cuda.device_count():
        torch.cuda.set_rng_state_all(states["cuda"])
