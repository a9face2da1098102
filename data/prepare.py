"""Published data sets, laid out for train.py and test.py, straight from their archives.

    python -m data.prepare lol --from LOLdataset.zip --to dataset

makes dataset/trainA and trainB (low and normal light), testA and testB (the evaluation set and its references). The two
images of a pair get one name. Training pairs that overlap with the evaluation set are left out.
"""

import argparse
import contextlib
import hashlib
import os
import re
import shutil
import sys
import zipfile
import zlib
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import numpy as np
from PIL import Image
from tqdm import tqdm

from util.errors import WorkError, run_command
from util.files import make_folder
from util.image_io.finding import EXTENSIONS, find_images
from util.image_io.reading import open_rgb

# Where an image lies in the published folders: its split, its light, its name, and the camera if there are several.
LAYOUTS = {
    "lol": r"(?P<split>our485|eval15)/(?P<light>low|high)/(?P<name>[^/]+)",
    "lolv2": r"real_captured/(?P<split>train|test)/(?P<light>low|normal)/(?:low|normal)?(?P<name>[^/]+)",
    "lolv2_synthetic": r"synthetic/(?P<split>train|test)/(?P<light>low|normal)/(?P<name>[^/]+)",
    "lsrw": r"(?P<split>train[^/]*|eval)/(?P<camera>huawei|nikon)/(?P<light>low|high)/(?P<name>[^/]+)",
}
EVALUATION = ("eval15", "test", "eval")  # splits to measure on
SHARES_SCENES = {"lol": "LOL v2's real test set", "lolv2": "LOL v1's eval15"}

LARGEST_FILE, LARGEST_ALL = 2**26, 2**36  # bytes, of an image and of all
SIDE = 32  # pixels, of the small images by which scenes are compared
SAME_SCENE = 0.8  # measured on LOL: from 0.95 up if the scene is the same, at most 0.35 if not
_UNREADABLE = (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError)  # RuntimeError: encrypted


@dataclass
class Pair:
    """Two files of one name, "A" in low light and "B" in normal light, {"A", "B": (where it is from, open, bytes)}."""

    files: dict = field(default_factory=dict)
    scenes: list = field(default_factory=list)  # vectors
    hashes: set = field(default_factory=set)


def prepare(layout, sources, to, evaluation=(), keep_scenes=False):
    """Lay out a data set; returns lines that say what is there and what was left out.

    Args:
        layout: a key of LAYOUTS.
        sources: zip archives, or folders in which they were unpacked.
        to: the folder of the data set; nothing that is there is replaced.
        evaluation: folders of other images to measure on.
        keep_scenes: whether training pairs stay that show the same scene as an evaluation image, but are another
            photograph of it.

    Raises:
        WorkError: an archive is damaged or not this data set, or something cannot be written. No folder is left then.
    """
    to = Path(to)
    folders = ("trainA", "trainB", "testA", "testB")
    for folder in folders:
        if (to / folder).exists():
            raise WorkError(f"{to / folder}: is there already; move it away, or choose another --to")
    with contextlib.ExitStack() as archives:
        pairs = {"train": {}, "test": {}}
        for source in sources:
            _collect(Path(source), layout, pairs, archives)
        lone = sum(len(pair.files) == 1 for split in pairs.values() for pair in split.values())
        pairs = {split: {n: p for n, p in found.items() if len(p.files) == 2} for split, found in pairs.items()}
        for split, what in (("train", "training"), ("test", "evaluation")):
            if not pairs[split]:
                names = " and ".join(map(str, sources))
                raise WorkError(f"{names}: no pairs for {what} as {layout} has them; name all its archives with --from")
        make_folder(to)
        unfinished = to / ".preparing"
        shutil.rmtree(unfinished, ignore_errors=True)  # of a run that was killed
        try:
            for folder in folders:
                (unfinished / folder).mkdir(parents=True)
            _extract(pairs, unfinished)
            known = _known([*pairs["test"].values()], evaluation)
            copies, scenes = _leave_out(pairs["train"], known, keep_scenes, unfinished)
            if not pairs["train"]:
                raise WorkError("all training pairs overlap with the evaluation set: nothing is left to train on")
            _move(unfinished, to, folders)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
    lines = [f"{to / folder}: {len(pairs[folder[:-1]])} images" for folder in folders]
    lines += [f"left out of training: {copies} pairs with an image of the evaluation set"] if copies else []
    if scenes:
        what = "kept in training" if keep_scenes else "left out of training"
        lines += [f"{what}: {scenes} pairs of scenes that the evaluation set shows, too"]
    lines += [f"left out: {lone} images without the other of their pair"] if lone else []
    if layout in SHARES_SCENES and not evaluation:
        lines += [f"not compared: {SHARES_SCENES[layout]} shows some of these scenes; name it with --evaluation"]
    return lines


def _collect(source, layout, pairs, archives):
    """Add the images of an archive or a folder to ``pairs``, {"train", "test": {name: Pair}}."""
    members = _zip_members(source, archives) if source.is_file() else _folder_members(source)
    pattern = re.compile(f"(?:^|/){LAYOUTS[layout]}$", re.IGNORECASE)
    for path, size, opener in members:
        match = pattern.search(path)
        name = PurePosixPath(match["name"]) if match else None
        if not match or "__MACOSX" in path or name.name.startswith(".") or name.suffix.lower() not in EXTENSIONS:
            continue
        split = "test" if match["split"].lower() in EVALUATION else "train"
        camera = f"{match['camera'].capitalize()}_" if "camera" in match.groupdict() else ""
        pair = pairs[split].setdefault(f"{camera}{name.stem}", Pair())
        kind = "A" if match["light"].lower() == "low" else "B"
        where = f"{source}: {path}"
        if kind in pair.files:
            raise WorkError(f"{where}: has the same name as {pair.files[kind][0]}; keep one of them")
        if size > LARGEST_FILE:
            raise WorkError(f"{where}: is {size / 2**20:.0f} MiB large, too large for an image of a data set")
        pair.files[kind] = (where, opener, size)


def _zip_members(source, archives):
    try:
        archive = archives.enter_context(zipfile.ZipFile(source))
    except _UNREADABLE as error:
        raise WorkError(f"{source}: is no zip archive, or damaged ({error}); download it again") from error
    for info in archive.infolist():
        path = PurePosixPath(info.filename.replace("\\", "/"))
        if path.is_absolute() or ".." in path.parts or ":" in path.parts[0]:
            raise WorkError(f"{source}: {info.filename!r} would leave the folder; this is not the published archive")
        if not info.is_dir():
            yield path.as_posix(), info.file_size, lambda info=info: archive.open(info)


def _folder_members(source):
    if not source.is_dir():
        raise WorkError(f"{source}: no such archive or folder")
    for folder, _, names in os.walk(source):
        for path in (Path(folder) / name for name in sorted(names)):
            # With the folder's own name, which can be one that counts.
            inside = PurePosixPath(source.absolute().name) / path.relative_to(source).as_posix()
            yield inside.as_posix(), path.stat().st_size, lambda path=path: path.open("rb")


def _extract(pairs, folder):
    """Write all images below a folder, and take down by what they are known again."""
    files = [(pair, name, split, kind) for split in pairs for name, pair in pairs[split].items() for kind in "AB"]
    needed = sum(pair.files[kind][2] for pair, _, _, kind in files)
    free = shutil.disk_usage(folder).free
    if needed > min(free, LARGEST_ALL):
        raise WorkError(f"{folder.parent}: takes {needed / 2**30:.1f} GiB, and {free / 2**30:.1f} GiB are free")
    for pair, name, split, kind in tqdm(files, unit="image", dynamic_ncols=True):
        where, opener, _ = pair.files[kind]
        target = folder / f"{split}{kind}" / f"{name}{PurePosixPath(where).suffix.lower()}"
        try:
            with opener() as source, target.open("wb") as copy:
                shutil.copyfileobj(source, copy, 2**20)
        except _UNREADABLE as error:
            raise WorkError(f"{where}: damaged ({error}); download the archive again") from error
        try:
            image = open_rgb(target)
        except WorkError as error:
            raise WorkError(f"{where}: cannot be read as an image; download the archive again") from error
        pair.scenes.append(scene(image))
        pair.hashes.add(_hash(image))


def scene(image):
    """A vector of length 1 that is alike for photographs of one scene, whatever their exposure.

    Args:
        image: PIL image.

    Returns:
        The differences between neighbours in a small gray image, float32 (2 SIDE (SIDE - 1),).
    """
    small = np.asarray(image.convert("L").resize((SIDE, SIDE), Image.Resampling.BOX), dtype=np.float32)
    differences = np.concatenate([np.diff(small, axis=axis).ravel() for axis in (0, 1)])
    return differences / max(np.linalg.norm(differences), 1e-6)


def _hash(image):
    return hashlib.sha256(repr(image.size).encode() + image.tobytes()).digest()


def _known(test, evaluation):
    """Scenes (N, D) and hashes of all images to measure on."""
    scenes, hashes = [one for pair in test for one in pair.scenes], set().union(*(pair.hashes for pair in test))
    for folder in evaluation:
        for path in find_images(folder):
            image = open_rgb(path)
            scenes.append(scene(image))
            hashes.add(_hash(image))
    return np.stack(scenes), hashes


def _leave_out(train, known, keep_scenes, folder):
    """Remove the pairs that overlap; returns how many have a known image, and how many only a known scene."""
    scenes, hashes = known
    copies = [name for name, pair in train.items() if pair.hashes & hashes]
    alike = [name for name, pair in train.items() if (scenes @ np.stack(pair.scenes).T).max() > SAME_SCENE]
    alike = [name for name in alike if name not in set(copies)]
    for name in copies if keep_scenes else [*copies, *alike]:
        pair = train.pop(name)
        for kind in "AB":
            (folder / f"train{kind}" / f"{name}{PurePosixPath(pair.files[kind][0]).suffix.lower()}").unlink()
    return len(copies), len(alike)


def _move(unfinished, to, folders):
    """Move finished folders to their place, all or none."""
    moved = []
    try:
        for folder in folders:
            (unfinished / folder).rename(to / folder)
            moved.append(folder)
    except BaseException:
        for folder in moved:
            (to / folder).rename(unfinished / folder)
        raise


def main():
    """Run the command on `sys.argv`; return its exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m data.prepare",
        description="Lay out a published data set as trainA, trainB, testA and testB (references).",
    )
    add = parser.add_argument
    add("layout", choices=LAYOUTS, help="the data set")
    add("--from", dest="sources", nargs="+", required=True, metavar="PATH", help="its zip archives, or folders")
    add("--to", required=True, metavar="DIR", help="where the four folders go")
    add("--evaluation", nargs="+", default=(), metavar="DIR", help="other images to measure on, such as eval15")
    add("--keep_scenes", action="store_true", help="train on other photographs of the evaluation set's scenes, too")
    add("--verbose", action="store_true", help="print the traceback of an error, too")
    arguments = parser.parse_args()

    def make():
        given = arguments.layout, arguments.sources, arguments.to, arguments.evaluation, arguments.keep_scenes
        print("\n".join(prepare(*given)))

    return run_command(make, arguments.verbose)


if __name__ == "__main__":
    sys.exit(main())
