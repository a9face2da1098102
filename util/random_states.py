"""Where the random generators stand, so that a resumed run draws what the one before would have drawn."""

import random

import numpy as np
import torch


def random_states():
    """The states of Python's, numpy's and PyTorch's generators: tensors and numbers in plain containers."""
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
