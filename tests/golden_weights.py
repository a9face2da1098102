"""The formula weights under which the golden numbers were computed, and the numbers themselves."""

import json
import zlib
from pathlib import Path

import numpy as np
import torch

GOLDEN = Path(__file__).parent / "golden"


def formula_weight(net_name, key, shape):
    """The weight of tensor ``key`` in network ``net_name``: normal numbers seeded by the name, scaled by kind."""
    if len(shape) == 1:
        scale = 0.01
    elif "imnet" in key:
        scale = 0.05
    elif key in ("fc1.weight", "fc2.weight", "conv_ca.weight", "conv1.weight"):
        scale = 0.3
    elif key == "output.weight":
        scale = 0.01
    else:
        scale = 0.02
    return scaled_normal(f"{net_name}/{key}", shape, scale)


def scaled_normal(name, shape, scale):
    """Standard normal numbers from a generator seeded by ``name``, times ``scale``: a float32 tensor."""
    generator = np.random.Generator(np.random.Philox(key=zlib.crc32(name.encode())))
    return torch.from_numpy(generator.standard_normal(tuple(shape), dtype=np.float32) * np.float32(scale))


def formula_state_dict(network, net_name):
    """Formula weights under the keys of ``network``."""
    return {
        key: formula_weight(net_name, key, value.shape) if value.is_floating_point() else value
        for key, value in network.state_dict().items()
    }


def with_formula_weights(network, net_name):
    """``network`` after its weights were replaced by the formula's."""
    network.load_state_dict(formula_state_dict(network, net_name))
    return network


def golden_arrays(file):
    """The arrays of a golden .npz file as tensors."""
    with np.load(GOLDEN / file) as arrays:
        return {name: torch.from_numpy(arrays[name]) for name in arrays.files}


def golden_json(file):
    return json.loads((GOLDEN / file).read_text())
