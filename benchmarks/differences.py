"""What the switches of inference change in the pictures: python -m benchmarks.differences --name NAME --dataroot DIR.

Each picture is enhanced as a whole in single precision, and again with each switch; the results are compared as 8-bit
pictures, in gray levels.
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
from util.image_io.finding import find_pictures, open_rgb
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
    parser.add_argument("--dataroot", required=True, help="folder of pictures")
    parser.add_argument("--width", type=int, help="resize the pictures to this width, pixels")
    parser.add_argument("--device", default="cpu", help="what to compute on")
    parser.add_argument("--leave_out", nargs="*", default=[], metavar="WORD", help="switches not to try")
    given = parser.parse_args()
    enhancer = Enhancer.from_checkpoint(Path(given.checkpoints_dir) / given.name, device=given.device)
    pictures = [_tensor(path, given.width) for path in find_pictures(given.dataroot)]
    references = [_levels(Inference(enhancer, tile="off")(low)) for low in pictures]

    pixels = sum(low[0, 0].numel() for low in pictures)
    print(f"{len(pictures)} pictures, {pixels / 1e6:.1f} megapixels, {given.name}\n")
    print("| switches | mean difference | greatest | values that differ by more than 1 |\n|---|---|---|---|")
    for name, flags in SWITCHES.items():
        if not any(word in name for word in given.leave_out):
            print(_row(name, dict(flags), enhancer, pictures, references), flush=True)
    return 0


def _tensor(path, width):
    picture = open_rgb(path)
    if width:
        picture = picture.resize((width, round(picture.height * width / picture.width)))
    return to_tensor(picture)[None]


def _levels(results):
    return torch.from_numpy(to_levels(results[0][0]).astype("int16"))


def _row(name, flags, enhancer, pictures, references):
    frugal = flags.pop("frugal", False)
    inference = Inference(copy.deepcopy(enhancer), **flags)
    run = inference.frugal_bands if frugal else inference
    total, greatest, far, count = 0, 0, 0, 0
    for low, reference in zip(pictures, references, strict=True):
        away = (_levels(run(low)) - reference).abs()
        total, greatest = total + away.sum().item(), max(greatest, away.max().item())
        far, count = far + (away > 1).sum().item(), count + away.numel()
    return f"| `{name}` | {total / count:.4f} | {greatest} | {far / count:.3%} |"


if __name__ == "__main__":
    sys.exit(main())
