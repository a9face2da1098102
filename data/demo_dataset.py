"""A small unpaired data set for `make demo` and `make demo-train`, from photographs in installed packages.

    python -m data.demo_dataset build/demo

The low-light images are simulated (data/low_light_simulation.py). Nothing is downloaded: the photographs are
read from the packages' own files, without scikit-image's loaders, which would fetch what they do not find.
"""

import argparse
import sys
from functools import partial
from importlib.resources import as_file, files
from pathlib import Path

import numpy as np
from PIL import Image

from data.low_light_simulation import darken
from util.errors import UsageError, WorkError, run_command
from util.files import make_folder, write_file

PHOTOGRAPHS = {
    "astronaut": ("skimage", "data/astronaut.png"),
    "cat": ("skimage", "data/chelsea.png"),
    "coffee": ("skimage", "data/coffee.png"),
    "motorcycle": ("skimage", "data/motorcycle_left.png"),
    "rocket": ("skimage", "data/rocket.jpg"),
    "officer": ("matplotlib", "mpl-data/sample_data/grace_hopper.jpg"),
    "stars": ("skimage", "data/hubble_deep_field.jpg"),
}

# No scene is in both training sets. Most test scenes are not in trainA either: the network has not seen them dark.
LOW_LIGHT_SCENES = ("coffee", "motorcycle", "rocket")
NORMAL_LIGHT_SCENES = ("astronaut", "cat", "officer")
TEST_SCENES = ("astronaut", "cat", "coffee", "officer")

CROPS_PER_SCENE = 5
CROP_SIZE = 256  # px
TEST_SIZE = 640  # px, longer side: keeps the enhancement of whole scenes to a second or two each on a CPU

# As a factor of the original exposure: 3.6 to 4.6 stops below, for mean levels like those of real low-light sets.
EXPOSURES = (0.04, 0.08)


def load_photograph(scene):
    """Read one of PHOTOGRAPHS.

    Args:
        scene: a key of PHOTOGRAPHS.

    Returns:
        PIL image, RGB.

    Raises:
        WorkError: the package is not installed, or came without the image.
    """
    package, name = PHOTOGRAPHS[scene]
    try:
        with as_file(files(package) / name) as path, Image.open(path) as image:
            return image.convert("RGB")
    except (ImportError, OSError) as error:
        raise WorkError(
            f"{name} of the package {package} cannot be read ({error}): "
            "install what requirements.txt and requirements-dev.txt name"
        ) from error


def random_crop(image, rng):
    """Cut a square of CROP_SIZE at a random place and mirror it half of the time.

    Args:
        image: PIL image, at least CROP_SIZE wide and high.
        rng: `numpy.random.Generator`.

    Returns:
        PIL image, CROP_SIZE x CROP_SIZE.
    """
    left = int(rng.integers(image.width - CROP_SIZE + 1))
    top = int(rng.integers(image.height - CROP_SIZE + 1))
    crop = image.crop((left, top, left + CROP_SIZE, top + CROP_SIZE))
    return crop.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if rng.integers(2) else crop


def random_darken(image, rng):
    """Darken a PIL RGB image by an exposure drawn evenly in stops from EXPOSURES."""
    exposure = np.exp(rng.uniform(*np.log(EXPOSURES)))
    return Image.fromarray(darken(np.asarray(image), exposure, rng))


def demo_images(seed):
    """Draw the data set.

    Args:
        seed: whole number from 0; the same one gives the same images.

    Yields:
        (name, image): a path below the data set's folder, such as trainA/demo_coffee_0.png, and a PIL RGB
        image. The names do not depend on the seed, and their "demo_" keeps them apart from a user's own files.

    Raises:
        WorkError: a photograph cannot be read.
    """
    rng = np.random.default_rng(seed)
    for scene in LOW_LIGHT_SCENES:
        photograph = load_photograph(scene)
        for index in range(CROPS_PER_SCENE):
            yield f"trainA/demo_{scene}_{index}.png", random_darken(random_crop(photograph, rng), rng)
    for scene in NORMAL_LIGHT_SCENES:
        photograph = load_photograph(scene)
        for index in range(CROPS_PER_SCENE):
            yield f"trainB/demo_{scene}_{index}.png", random_crop(photograph, rng)
    for scene, image in dark_photographs(seed):
        yield f"testA/demo_{scene}.png", image


def dark_photographs(seed, scenes=TEST_SCENES):
    """Take whole photographs again in low light.

    Args:
        seed: whole number from 0. It and the scene alone decide how dark an image is.
        scenes: keys of PHOTOGRAPHS.

    Yields:
        (scene, image): PIL RGB, its longer side at most TEST_SIZE.

    Raises:
        WorkError: a photograph cannot be read.
    """
    for scene in scenes:
        photograph = load_photograph(scene)
        photograph.thumbnail((TEST_SIZE, TEST_SIZE), Image.Resampling.LANCZOS)
        yield scene, random_darken(photograph, np.random.default_rng([seed, list(PHOTOGRAPHS).index(scene)]))


def write_demo_dataset(folder, seed):
    """Write the data set's PNG files below `folder`, over those of an earlier call; all other files stay.

    Args:
        folder: path of the data set; made where missing.
        seed: as for `demo_images`.

    Returns:
        The number of images written.

    Raises:
        WorkError: a photograph cannot be read, or the folder or an image cannot be written.
    """
    count = 0
    for name, image in demo_images(seed):
        path = Path(folder) / name
        make_folder(path.parent)
        write_file(path, partial(image.save, compress_level=1))  # noise hardly shrinks, however long one tries
        count += 1
    return count


def main():
    """Run the command on `sys.argv`; return its exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m data.demo_dataset",
        description="Make a small low-light data set (trainA, trainB, testA) from photographs in installed packages.",
    )
    parser.add_argument("output", help="folder of the data set; made where missing")
    parser.add_argument("--seed", type=int, default=0, help="whole number from 0 (default: %(default)s)")
    parser.add_argument("--verbose", action="store_true", help="print the traceback of an error, too")
    arguments = parser.parse_args()

    def make():
        if not arguments.output:
            raise UsageError("the output folder has an empty name; name one, for example build/demo")
        if arguments.seed < 0:
            raise UsageError(f"--seed {arguments.seed}: must be 0 or more")
        count = write_demo_dataset(arguments.output, arguments.seed)
        print(f"{count} images in {arguments.output}: trainA (low light), trainB (normal light), testA (low light)")

    return run_command(make, arguments.verbose)


if __name__ == "__main__":
    sys.exit(main())
