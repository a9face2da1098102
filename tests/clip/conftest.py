"""Golden numbers of the reference implementation and small models."""

import hashlib
import json
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch

from clip import CLIP

REPOSITORY = Path(__file__).resolve().parents[2]
GOLDEN = REPOSITORY / "tests" / "golden" / "clip"
SHARED = REPOSITORY.parent / "shared" / "golden" / "clip"

SMALL = {
    "embed_dim": 16,
    "image_resolution": 64,
    "context_length": 8,
    "vocab_size": 50,
    "transformer_width": 64,
    "transformer_heads": 1,
    "transformer_layers": 2,
}
SMALL_VISION = {
    "resnet": {"vision_layers": (1, 2, 1, 1), "vision_width": 4, "vision_patch_size": None},
    "vit": {"vision_layers": 2, "vision_width": 64, "vision_patch_size": 16},
}


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """These models are too small to gain from more threads, and a sum's order must not vary."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def golden():
    """Folder of the golden files in the repository."""
    return GOLDEN


@pytest.fixture
def shared():
    """A function: path of a golden file that is too large for the repository, or the test is skipped."""

    def find(name):
        if not (SHARED / name).is_file():
            pytest.skip(f"needs {name} in ../shared/golden/clip")
        return SHARED / name

    return find


def _draw(key, shape, rule):
    if rule == "zero":
        return np.zeros(shape, np.int64)
    if rule == "log(1/0.07)":
        return np.float32(np.log(1 / 0.07))
    generator = np.random.Generator(np.random.Philox(key=zlib.crc32(f"CLIP/{key}".encode())))
    values = generator.standard_normal(shape, dtype=np.float32) * np.float32(0.05 if len(shape) >= 2 else 0.02)
    return {"v": values, "1+v": 1 + values, "abs(v)+0.5": np.abs(values) + np.float32(0.5)}[rule]


@pytest.fixture(scope="session")
def formula_weights():
    """A function: (configuration, state dict) of one of the models in golden_weights.json."""

    def make(name):
        entry = json.loads((GOLDEN / "golden_weights.json").read_text())[name]
        weights = {}
        for key, shape, rule, sha256 in entry["weights"]:
            array = np.asarray(_draw(key, shape, rule))
            little_endian = array.astype(array.dtype.newbyteorder("<")).tobytes()
            assert hashlib.sha256(little_endian).hexdigest() == sha256, f"NumPy drew another {key}"
            weights[key] = torch.from_numpy(array)
        return entry["config"], weights

    return make


@pytest.fixture(params=SMALL_VISION)
def small_clip(request):
    """A CLIP of a few hundred kilobytes with random weights, in evaluation mode."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return CLIP(**SMALL, **SMALL_VISION[request.param]).eval()


@pytest.fixture(scope="session")
def small_inputs():
    """Images (2, 3, 64, 64) and tokens (3, 8) for ``small_clip``."""
    generator = torch.Generator().manual_seed(1)
    images = torch.randn(2, 3, 64, 64, generator=generator)
    tokens = torch.randint(1, 49, (3, 8), generator=generator, dtype=torch.int32)
    tokens[:, 5] = 49
    return images, tokens
