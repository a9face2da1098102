"""Many results in one image, to look over: python -m docs.contact_sheet results/my_run/test_latest dataset/high.

Each folder is a column and each image a row: the input, what one or several runs made of it, a reference, in the
order in which the folders are named. Inputs are found in the folders that test.py wrote.
"""

import argparse
import math
import sys
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont, ImageOps

from util.errors import UsageError, run_command
from util.files import make_folder, write_file
from util.image_io.finding import find_images
from util.image_io.reading import open_rgb

INPUT, RESULT = "_real_A", "_fake_B"  # how test.py ends the names of its images
GAP, LINE, FONT = 4, 18, 13  # pixels: between images, height of a line of text, of its letters
WRITTEN = (".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp", ".ppm")
PAPER, INK = (24, 24, 24), (230, 230, 230)


def find_columns(folders):
    """What a sheet shows.

    Args:
        folders: paths of results, such as results/NAME/test_latest, or of any images.

    Returns:
        {title: {name: path}} in the order of the columns. The first is "input" where a folder was written by test.py.

    Raises:
        WorkError: a folder is missing or holds no images.
    """
    inputs, others = {}, {}
    for folder in map(Path, folders):
        if (folder / "images").is_dir():
            paths = find_images(folder / "images")
            inputs = _ending_with(INPUT, paths) | inputs
            others[str(folder)] = _ending_with(RESULT, paths)
        else:
            others[str(folder)] = {path.stem: path for path in find_images(folder)}
    return {"input": inputs, **others} if inputs else others


def _ending_with(end, paths):
    return {path.stem.removesuffix(end): path for path in paths if path.stem.endswith(end)}


def draw_sheet(columns, width=320, across=None):
    """Draw a sheet.

    Args:
        columns: as from ``find_columns``. The rows are the images of the first one, in the order of their names.
        width: of each image, pixels; none is higher than wide.
        across: how many rows stand side by side; None makes the sheet about as wide as high.

    Returns:
        PIL image, RGB.

    Raises:
        WorkError: an image cannot be read.
    """
    names = sorted(next(iter(columns.values())))
    rows = [_row(name, [paths.get(name) for paths in columns.values()], width) for name in names]
    if across is None:
        across = round(math.sqrt(sum(row.height for row in rows) / rows[0].width))
    across = min(max(across, 1), len(rows))
    head = _beside([_text(title, width) for title in columns])
    bands = [_beside(rows[first : first + across]) for first in range(0, len(rows), across)]
    return _stack([_beside([head] * across), *bands])


def _row(name, paths, width):
    """An image in all columns, under its name."""
    cells = [_text("(none)", width) if path is None else _scaled(open_rgb(path), width) for path in paths]
    images = _beside(cells)
    return _stack([_text(name, images.width), images])


def _scaled(image, side):
    """An image in a cell ``side`` wide and at most as high."""
    scaled = ImageOps.contain(image, (side, side), Image.Resampling.LANCZOS)
    cell = Image.new("RGB", (side, scaled.height), PAPER)
    cell.paste(scaled, ((side - scaled.width) // 2, 0))
    return cell


def _text(text, width):
    """A line of text; where it is too long, its end is shown."""
    line, font = Image.new("RGB", (width, LINE), PAPER), ImageFont.load_default(FONT)
    left = min(0, width - math.ceil(font.getlength(text)))
    ImageDraw.Draw(line).text((left, 1), text, INK, font)
    return line


def _beside(parts):
    whole = (sum(part.width + GAP for part in parts) - GAP, max(part.height for part in parts))
    return _join(parts, whole, (1, 0))


def _stack(parts):
    whole = (max(part.width for part in parts), sum(part.height + GAP for part in parts) - GAP)
    return _join(parts, whole, (0, 1))


def _join(parts, size, direction):
    """Paste parts one after the other; ``direction`` is (1, 0) to the right or (0, 1) downwards."""
    whole, left, top = Image.new("RGB", size, PAPER), 0, 0
    for part in parts:
        whole.paste(part, (left, top))
        left, top = left + direction[0] * (part.width + GAP), top + direction[1] * (part.height + GAP)
    return whole


def check_output(path):
    """Refuse a file name that does not say which kind of image to write (UsageError)."""
    if Path(path).suffix.lower() not in WRITTEN:
        raise UsageError(f"--output {path}: must end in one of {' '.join(WRITTEN)}")


def main():
    """Run the command on `sys.argv`; return its exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m docs.contact_sheet",
        description="Show many results, with inputs and references, in one image.",
    )
    parser.add_argument("folders", nargs="+", help="results/NAME/test_EPOCH, or a folder of images of the same names")
    parser.add_argument("--output", default="build/contact_sheet.jpg", help="the image (default: %(default)s)")
    parser.add_argument("--width", type=int, default=320, help="of each image, pixels (default: %(default)s)")
    parser.add_argument("--across", type=int, help="rows side by side (default: about as wide as high)")
    parser.add_argument("--verbose", action="store_true", help="print the traceback of an error, too")
    arguments = parser.parse_args()

    def make():
        for flag in ("width", "across"):
            value = getattr(arguments, flag)
            if value is not None and value < 1:
                raise UsageError(f"--{flag} {value}: must be 1 or more")
        check_output(arguments.output)
        sheet, output = draw_sheet(find_columns(arguments.folders), arguments.width, arguments.across), arguments.output
        make_folder(Path(output).parent)
        write_file(output, sheet.save)
        print(output)

    return run_command(make, arguments.verbose)


if __name__ == "__main__":
    sys.exit(main())
