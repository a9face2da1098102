"""Photographs above what the weights make of them: python -m docs.before_after writes docs/before_after.jpg, at the top
of the README, and with --limits docs/limits.jpg, of what the weights cannot do well.

All may be shown anywhere, by the notes that scikit-image's loaders of them carry: the cat is CC0 by Stefan van der
Walt, the coffee CC0 by Rachel Michetti; the astronaut Eileen Collins (NASA), the rocket (SpaceX) and the stars of the
Hubble deep field (NASA) are in the public domain. The other photographs of data/demo_dataset.py come without such a
note and are not shown.
"""

import argparse
import sys
from functools import partial
from pathlib import Path

from PIL import Image, ImageOps

from data.demo_dataset import TEST_SIZE, dark_photographs, load_photograph
from docs.contact_sheet import check_output
from models.enhancer import Enhancer
from util.device import select_device
from util.errors import UsageError, run_command
from util.files import make_folder, write_file

SCENES = {"astronaut": 0.1, "cat": 0.5, "coffee": 0.3, "rocket": 0.5}  # which part is shown: 0 the top, 1 the bottom
LIMITS = {"astronaut": 0.1, "cat": 0.5, "rocket": 0.5, "stars": 0.5}  # as they are: what is right should stay
CELL, GAP = (298, 224), 2  # pixels
QUALITY = 88  # of JPEG: hardly a trace of it, under 200 KB
PAPER = (255, 255, 255)


def draw_strip(enhance, seed=0, limits=False):
    """Draw the scenes in low light, or those of LIMITS as they are, and below each, enhanced.

    Args:
        enhance: function from a PIL image, RGB, to one of the same size.
        seed: of the simulation, see ``dark_photographs``.
        limits: whether to draw LIMITS.

    Returns:
        PIL image, RGB, about 1200 pixels wide.

    Raises:
        WorkError: a photograph cannot be read.
    """
    width, height = CELL
    parts = LIMITS if limits else SCENES
    images = [(scene, load_photograph(scene)) for scene in parts] if limits else dark_photographs(seed, parts)
    strip = Image.new("RGB", ((width + GAP) * len(parts) - GAP, 2 * height + GAP), PAPER)
    for place, (scene, given) in enumerate(images):
        given.thumbnail((TEST_SIZE, TEST_SIZE), Image.Resampling.LANCZOS)
        for row, image in enumerate((given, enhance(given))):
            cell = ImageOps.fit(image, CELL, Image.Resampling.LANCZOS, centering=(0.5, parts[scene]))
            strip.paste(cell, (place * (width + GAP), row * (height + GAP)))
    return strip


def main():
    """Run the command on `sys.argv`; return its exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m docs.before_after", description="Draw photographs above what the weights make of them."
    )
    parser.add_argument("--name", default="demo", help="of the weights (default: %(default)s)")
    parser.add_argument(
        "--checkpoints_dir", default="./saves", help="the weights are in DIR/NAME (default: %(default)s)"
    )
    parser.add_argument("--limits", action="store_true", help="draw what the weights cannot do well")
    parser.add_argument("--output", help="the image (default: docs/before_after.jpg, or docs/limits.jpg)")
    parser.add_argument("--verbose", action="store_true", help="print the traceback of an error, too")
    arguments = parser.parse_args()

    def make():
        if not arguments.name:
            raise UsageError("--name is empty; name the folder of the weights, for example demo")
        output = arguments.output or f"docs/{'limits' if arguments.limits else 'before_after'}.jpg"
        check_output(output)
        weights = Path(arguments.checkpoints_dir) / arguments.name
        enhancer = Enhancer.from_checkpoint(weights, device=select_device([]))
        strip = draw_strip(enhancer.enhance, limits=arguments.limits)
        make_folder(Path(output).parent)
        write_file(output, partial(strip.save, quality=QUALITY))
        print(output)

    return run_command(make, arguments.verbose)


if __name__ == "__main__":
    sys.exit(main())
