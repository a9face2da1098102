"""How many training images a second the loader alone delivers, decoding each time or from memory."""

import tempfile
from pathlib import Path
from time import perf_counter

import numpy as np
from PIL import Image

from data import create_dataset
from options.train_options import TrainOptions

IMAGES = 40  # per folder, 600x400 PNGs as in LOL


def measure_loading(size=(600, 400)):
    """{"plain", "cached": pairs of images a second}, with the default flags of train.py."""
    with tempfile.TemporaryDirectory() as folder:
        _write_images(Path(folder), size)
        return {name: _rate(folder, flags) for name, flags in (("plain", []), ("cached", ["--cache"]))}


def _write_images(root, size):
    rng = np.random.default_rng(0)
    for letter in "AB":
        (root / f"train{letter}").mkdir()
        for number in range(IMAGES):
            coarse = rng.integers(0, 256, (25, 40, 3), dtype=np.uint8)
            Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC).save(root / f"train{letter}/{number}.png")


def _rate(folder, flags):
    opt = TrainOptions().parse(["--dataroot", folder, "--name", "benchmark", "--gpu_ids", "-1", *flags])
    data = create_dataset(opt)
    for _ in data:  # starts the workers
        pass
    start = perf_counter()
    count = sum(len(batch["A"]) for batch in data)
    return count / (perf_counter() - start)
