"""How many images a second the whole of test.py enhances: reading, computing, measuring, writing, its page."""

import runpy
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path
from unittest import mock

from benchmarks.loading import write_images
from benchmarks.machine import timed
from util.errors import WorkError

ROOT = Path(__file__).resolve().parents[1]
IMAGES = {"cpu": 4, "cuda": 60}


def whole_rate(switches, device, size):
    """Images a second with the shipped weights, in a second run: the first has a GPU's libraries load.

    Args:
        switches: flags of test.py, in one string.
        device: a torch.device.
        size: (width, height) of the images, pixels.

    Raises:
        WorkError: test.py failed.
    """
    count = IMAGES[device.type]
    sys.modules.update(_pages())
    with tempfile.TemporaryDirectory() as folder:
        write_images(Path(folder) / "low", size, count)
        main = runpy.run_path(str(ROOT / "test.py"))["main"]
        flags = ["--name", "demo", "--checkpoints_dir", str(ROOT / "saves"), "--dataroot", f"{folder}/low"]
        flags += ["--gpu_ids", "0" if device.type == "cuda" else "-1", *switches.split()]
        for run, images in enumerate((min(count, 8), count)):
            limit = ["--results_dir", f"{folder}/{run}", "--max_dataset_size", str(images)]
            with mock.patch("sys.argv", ["test.py", *flags, *limit]):
                statuses = []
                seconds = timed(lambda: statuses.append(main()), device)  # noqa: B023
            if statuses != [0]:
                raise WorkError(f"test.py {switches}: ended with status {statuses[0]}")
    return count / seconds


def _pages():
    """What stands in for dominate where that is not installed: the page is then empty, which takes little time."""
    if "dominate" in sys.modules or find_spec("dominate"):
        return {}
    stand_in = mock.MagicMock()
    stand_in.document.return_value.render.return_value = ""
    stand_in.tags.html_tag = mock.MagicMock  # a class, as the gallery derives one from it
    return {"dominate": stand_in, "dominate.tags": stand_in.tags, "dominate.util": stand_in.util}
