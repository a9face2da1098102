"""The README's screenshot of a results page: python -m docs.gallery writes docs/gallery.jpg.

The page is that of the photographs of docs/before_after.py, which may be shown anywhere. Needs Chromium.
"""

import argparse
import shutil
import subprocess
import sys
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from PIL import Image

from data.demo_dataset import dark_photographs
from docs.before_after import SCENES
from docs.contact_sheet import check_output
from util.errors import WorkError, run_command
from util.files import make_folder, write_file

ROOT = Path(__file__).parent.parent
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    "--timeout=5000",  # milliseconds in which the page is drawn
)
WINDOW = (1200, 900)  # pixels
QUALITY = 85  # of JPEG


def take(folder, output):
    """Enhance the photographs, show the page of results in a browser, and write what it shows.

    Args:
        folder: path for images and results; its name is on the page.
        output: path of the JPEG file.

    Raises:
        WorkError: there is no browser, or a photograph cannot be read.
    """
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        raise WorkError("no Chromium was found: install it (Debian and Ubuntu: apt install chromium)")
    make_folder(folder / "testA")
    for scene, dark in dark_photographs(0, SCENES):
        dark.save(folder / "testA" / f"{scene}.png")
    flags = ["--name", "demo", "--checkpoints_dir", ROOT / "saves", "--dataroot", folder, "--results_dir", folder]
    subprocess.run([sys.executable, ROOT / "test.py", *flags, "--gpu_ids", "-1"], check=True)
    page = folder / "demo" / "test_latest" / "index.html"
    size = "--window-size={},{}".format(*WINDOW)
    with TemporaryDirectory() as profile:
        shot = Path(profile, "shot.png")
        flags = [*FLAGS, size, f"--user-data-dir={profile}", f"--screenshot={shot}", page.resolve().as_uri()]
        subprocess.run([browser, *flags], check=True, stderr=subprocess.DEVNULL)
        with Image.open(shot) as image:
            write_file(output, partial(image.convert("RGB").save, quality=QUALITY))


def main():
    """Run the command on `sys.argv`; return its exit status."""
    parser = argparse.ArgumentParser(prog="python -m docs.gallery", description="Take the README's screenshot.")
    parser.add_argument("--output", default="docs/gallery.jpg", help="the image (default: %(default)s)")
    parser.add_argument("--verbose", action="store_true", help="print the traceback of an error, too")
    arguments = parser.parse_args()

    def make():
        check_output(arguments.output)
        make_folder(Path(arguments.output).parent)
        take(Path("build/gallery"), arguments.output)
        print(arguments.output)

    return run_command(make, arguments.verbose)


if __name__ == "__main__":
    sys.exit(main())
