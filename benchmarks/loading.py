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
        for letter in "AB":
            write_images(Path(folder) / f"train{letter}", size, IMAGES)
        return {name: _rate(folder, flags) for name, flags in (("plain", []), ("cached", ["--cache"]))}


def write_images(folder, size, count):
    """Write ``count`` PNGs of a size (width, height), smooth random colours, into a new folder."""
    rng = np.random.default_rng(0)
    folder.mkdir()
    for number in range(count):
        coarse = rng.integers(0, 256, (25, 40, 3), dtype=np.uint8)
        Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC).save(folder / f"{number}.png")


def _rate(folder, flags):
    opt = TrainOptions().parse(["--dataroot", folder, "--name", "benchmark", "--gpu_ids", "-1", *flags])
    data = create_dataset(opt)
    for _ in data:  # starts the workers
        pass
    start = perf_counter()
    count = sum(len(batch["A"]) for batch in data)
    return count / (perf_counter() - start)
