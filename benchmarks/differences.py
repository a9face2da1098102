"""What the switches of inference change in the images: python -m benchmarks.differences --name NAME --dataroot DIR.

Each image is enhanced as a whole in single precision, and again with each switch; the results are compared as 8-bit
images, in gray levels.
"""

import argparse
import copy
import os
import sys
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import torch

from models.enhancer import Enhancer
from models.inference.runner import Inference
from util.image_io.finding import find_images
from util.image_io.reading import open_rgb
from util.image_io.tensors import to_levels, to_tensor

SWITCHES = {
    "--tile 64": {"tile": 64},
    "--tile 64, maps kept in 16 bits": {"tile": 64, "frugal": True},
    "--amp bf16": {"amp": "bf16"},
    "--amp bf16 --tile 64": {"amp": "bf16", "tile": 64},
    "--amp fp16": {"amp": "fp16"},
    "--compile": {"compile": True},
}


def main():
    parser = argparse.ArgumentParser(prog="python -m benchmarks.differences", description="Compare the switches.")
    parser.add_argument("--name", required=True, help="weights in CHECKPOINTS_DIR/NAME")
    parser.add_argument("--checkpoints_dir", default="./saves", help="where the weights lie")
    parser.add_argument("--dataroot", required=True, help="folder of images")
    parser.add_argument("--width", type=int, help="resize the images to this width, pixels")
    parser.add_argument("--device", default="cpu", help="what to compute on")
    parser.add_argument("--leave_out", nargs="*", default=[], metavar="WORD", help="switches not to try")
    given = parser.parse_args()
    enhancer = Enhancer.from_checkpoint(Path(given.checkpoints_dir) / given.name, device=given.device)
    images = [_tensor(path, given.width) for path in find_images(given.dataroot)]
    references = [_levels(Inference(enhancer, tile="off")(low)) for low in images]

    pixels = sum(low[0, 0].numel() for low in images)
    print(f"{len(images)} images, {pixels / 1e6:.1f} megapixels, {given.name}\n")
    print("| switches | mean difference | greatest | values that differ by more than 1 |\n|---|---|---|---|")
    for name, flags in SWITCHES.items():
        if not any(word in name for word in given.leave_out):
            print(_row(name, dict(flags), enhancer, images, references), flush=True)
    return 0


def _tensor(path, width):
    image = open_rgb(path)
    if width:
        image = image.resize((width, round(image.height * width / image.width)))
    return to_tensor(image)[None]


def _levels(results):
    return torch.from_numpy(to_levels(results[0][0]).astype("int16"))


def _row(name, flags, enhancer, images, references):
    frugal = flags.pop("frugal", False)
    inference = Inference(copy.deepcopy(enhancer), **flags)
    run = inference.frugal_bands if frugal else inference
    total, greatest, far, count = 0, 0, 0, 0
    for low, reference in zip(images, references, strict=True):
        difference = (_levels(run(low)) - reference).abs()
        total, greatest = total + difference.sum().item(), max(greatest, difference.max().item())
        far, count = far + (difference > 1).sum().item(), count + difference.numel()
    return f"| `{name}` | {total / count:.4f} | {greatest} | {far / count:.3%} |"


if __name__ == "__main__":
    sys.exit(main())
