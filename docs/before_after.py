"""The image at the top of the README: python -m docs.before_after writes docs/before_after.jpg.

Four photographs in simulated low light above what the weights make of them. All may be shown anywhere, by the notes
that scikit-image's loaders of them carry: the cat is CC0 by Stefan van der Walt, the coffee CC0 by Rachel Michetti;
the astronaut Eileen Collins (NASA) and the rocket (SpaceX) are in the public domain. The other photographs of
data/demo_dataset.py come without such a note and are not shown.
"""

import argparse
import sys
from functools import partial
from pathlib import Path

from PIL import Image, ImageOps

from data.demo_dataset import dark_photographs
from docs.contact_sheet import check_output
from models.enhancer import Enhancer
from util.device import select_device
from util.errors import UsageError, run_command
from util.files import make_folder, write_file

SCENES = {"astronaut": 0.1, "cat": 0.5, "coffee": 0.3, "rocket": 0.5}  # which part is shown: 0 the top, 1 the bottom
CELL, GAP = (298, 224), 2  # pixels
QUALITY = 88  # of JPEG: hardly a trace of it, under 200 KB
PAPER = (255, 255, 255)


def draw_strip(enhance, seed=0):
    """Draw the scenes in low light and, below each, enhanced.

    Args:
        enhance: function from a PIL image, RGB, to one of the same size.
        seed: of the simulation, see ``dark_photographs``.

    Returns:
        PIL image, RGB, about 1200 pixels wide.

    Raises:
        WorkError: a photograph cannot be read.
    """
    width, height = CELL
    strip = Image.new("RGB", ((width + GAP) * len(SCENES) - GAP, 2 * height + GAP), PAPER)
    for place, (scene, dark) in enumerate(dark_photographs(seed, SCENES)):
        for row, image in enumerate((dark, enhance(dark))):
            cell = ImageOps.fit(image, CELL, Image.Resampling.LANCZOS, centering=(0.5, SCENES[scene]))
            strip.paste(cell, (place * (width + GAP), row * (height + GAP)))
    return strip


def main():
    """Run the command on `sys.argv`; return its exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m docs.before_after", description="Draw the README's image of dark and enhanced photographs."
    )
    parser.add_argument("--name", default="demo", help="of the weights (default: %(default)s)")
    parser.add_argument(
        "--checkpoints_dir", default="./saves", help="the weights are in DIR/NAME (default: %(default)s)"
    )
    parser.add_argument("--output", default="docs/before_after.jpg", help="the image (default: %(default)s)")
    parser.add_argument("--verbose", action="store_true", help="print the traceback of an error, too")
    arguments = parser.parse_args()

    def make():
        if not arguments.name:
            raise UsageError("--name is empty; name the folder of the weights, for example demo")
        check_output(arguments.output)
        weights = Path(arguments.checkpoints_dir) / arguments.name
        strip = draw_strip(Enhancer.from_checkpoint(weights, device=select_device([])).enhance)
        make_folder(Path(arguments.output).parent)
        write_file(arguments.output, partial(strip.save, quality=QUALITY))
        print(arguments.output)

    return run_command(make, arguments.verbose)


if __name__ == "__main__":
    sys.exit(main())
