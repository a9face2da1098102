"""Enhance pictures: python test.py --dataroot ./dataset --name LSRW (--help lists the flags)."""

import os
import sys
from pathlib import Path

# Threads that wait by spinning slow each other down wherever cores are shared; read when torch is loaded.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import torch
from tqdm import tqdm

from data import create_dataset
from models.enhancer import Enhancer
from options.base_options import check_architecture
from options.test_options import TestOptions
from util.device import select_device
from util.errors import WorkError, run_command
from util.files import make_folder, write_file
from util.gallery import Gallery
from util.images import stretch, to_picture


def main():
    # Options, pictures, weights.
    opt = TestOptions().parse()
    pictures = create_dataset(opt)
    weights, device = Path(opt.checkpoints_dir) / opt.name, select_device(opt.gpu_ids)
    enhancer = Enhancer.from_checkpoint(weights, opt.epoch, device, opt.ema)
    check_architecture(opt, enhancer.options)
    if opt.verbose:
        print(enhancer)

    # Where the results go.
    folder = make_folder(Path(opt.results_dir) / opt.name / f"{opt.phase}_{opt.epoch}")
    images = make_folder(folder / "images")
    facts = f"{len(pictures)} pictures from {opt.dataroot}, weights {opt.name} {opt.epoch}"
    gallery = Gallery(folder / "index.html", f"{opt.name}: low light enhanced", facts, opt.display_winsize)

    # Picture by picture; one that fails does not stop the others.
    failures = []
    for sample in tqdm(pictures, unit="picture", dynamic_ncols=True):
        name = sample["name"]
        try:
            before, after = enhance(enhancer, sample, opt.aspect_ratio)
            write_file(images / f"{name}_real_A.png", before.save)
            write_file(images / f"{name}_fake_B.png", after.save)
            gallery.add(name, after.size, images / f"{name}_real_A.png", images / f"{name}_fake_B.png")
        except WorkError as error:
            failures.append(error)
            gallery.add_failure(name, str(error))

    # The page, last of all its address.
    gallery.write()
    for error in failures:
        print(f"error: {error}", file=sys.stderr)
    if failures:
        print(f"{len(failures)} of {len(pictures)} pictures failed", file=sys.stderr)
    print(gallery.path.resolve())
    return 1 if failures else 0


def enhance(enhancer, sample, aspect_ratio):
    """The picture of a sample before and after enhancement, as PIL pictures of one size."""
    if "error" in sample:
        raise sample["error"]
    with torch.inference_mode():
        enhanced = enhancer(enhancer.placed(sample["A"]))[0]
    return [stretch(to_picture(x, sample["alpha"]), aspect_ratio) for x in (sample["A"][0], enhanced)]


if __name__ == "__main__":
    sys.exit(run_command(main, verbose="--verbose" in sys.argv))
