"""Finding images, and naming what is made from them."""

import hashlib
import os
import unicodedata
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from util.errors import WorkError

RAW = (".dng", ".nef", ".nrw", ".cr2", ".cr3", ".arw", ".raf", ".orf", ".rw2", ".pef", ".srw")  # of cameras
EXTENSIONS = (
    *(".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".png", ".ppm", ".pgm", ".pbm", ".pnm", ".bmp", ".tif", ".tiff"),
    *(".webp", ".avif", ".gif", ".jp2", ".j2k", ".tga", ".heic", ".heif"),
    *RAW,
)
JOURNAL, RESULTS = "records.jsonl", "results of test.py"  # which hold that file, beside a folder "images"
WRITTEN = ".written.jsonl"  # lies in a folder that --output_dir named
KINDS_TOLD = 8  # extensions that a notice counts one by one
LONGEST_NAME = 200  # bytes: file systems take 255, and "_fake_B_preview.webp" or the like is added


def domain_folders(opt):
    """The folders of low-light and of normal-light images, as dataroot, phase and direction say."""
    low, normal = ("A", "B") if opt.direction == "AtoB" else ("B", "A")
    return tuple(Path(opt.dataroot) / f"{opt.phase}{letter}" for letter in (low, normal))


def results_folder(opt):
    """The folder that a run of test.py writes to."""
    if opt.output_dir:
        return Path(opt.output_dir)
    return Path(opt.results_dir) / opt.name / f"{opt.phase}_{opt.epoch}{'_ema' if opt.ema else ''}"


@dataclass
class Found:
    """What lies in a folder and its subfolders.

    Args:
        folder: where was looked.
        paths: the images, sorted by path.
        others: what is no image, {".txt": number of files}.
        left_out: files and folders that were left out on purpose, {path: what they are}.
        unreadable: a WorkError for each subfolder that may not be read.
    """

    folder: Path
    paths: list = field(default_factory=list)
    others: Counter = field(default_factory=Counter)
    left_out: dict = field(default_factory=dict)
    unreadable: list = field(default_factory=list)

    def whole(self):
        """Itself; WorkError if a subfolder could not be read."""
        if self.unreadable:
            raise self.unreadable[0]
        return self

    def notices(self):
        """All that is no image and all that was left out: a line for each reason."""
        lines = []
        for what in dict.fromkeys(self.left_out.values()):
            first, *more = sorted(path for path, kind in self.left_out.items() if kind == what)
            lines.append(f"left out of {self.folder}: {what}, {first}" + (f" and {len(more)} more" if more else ""))
        kinds = [f"{count} {kind}" for kind, count in sorted(self.others.items(), key=lambda one: (-one[1], one[0]))]
        if len(kinds) > KINDS_TOLD:
            kinds[KINDS_TOLD:] = [f"files of {len(kinds) - KINDS_TOLD} more kinds"]
        return [*lines, f"left out of {self.folder}: {', '.join(kinds)}"] if kinds else lines


def find_images(folder, without=None):
    """The paths of ``look_through``; WorkError also if a subfolder may not be read."""
    return look_through(folder, without).whole().paths


def look_through(folder, without=None):
    """Find all images in a folder and its subfolders.

    Links to files count as files. Links to folders are followed, but each real folder is gone through once, under
    its own path if it has one here; so links in a circle end. Hidden files and folders are left out, and so are the
    folders that test.py wrote, unless ``folder`` is one.

    Args:
        folder: where to look.
        without: {file or folder: what it is}: left out wherever it is met below ``folder``; it need not exist.

    Returns:
        What was ``Found``.

    Raises:
        WorkError: there is no such folder, it may not be read, or there is no image in it.
    """
    found = Found(Path(folder))
    if not found.folder.is_dir():
        raise WorkError(f"{folder}: no such folder; name one that holds images")
    _walk(found, without or {})
    found.paths.sort()
    if not found.paths:
        if found.unreadable:
            raise found.unreadable[0]
        formats = ", ".join(extension[1:] for extension in EXTENSIONS)
        raise WorkError("; ".join([f"{folder}: no images in this folder ({formats})", *found.notices()]))
    return found


def _walk(found, without):
    known = {identity(path): what for path, what in without.items()}
    for place in (None, identity(found.folder)):  # what is not there; what was asked for by name
        known.pop(place, None)
    seen, folders, links = set(), [found.folder], []
    while folders or links:
        folder = folders.pop() if folders else links.pop(links.index(min(links)))  # real folders before links
        place = identity(folder)
        if place in seen:
            continue
        try:
            entries = list(os.scandir(folder))
        except OSError as error:
            reason = error.strerror or error
            problem = WorkError(f"{folder}: cannot read this folder ({reason}); change its permissions, or move it")
            if folder == found.folder:
                raise problem from error
            found.unreadable.append(problem)
            continue
        seen.add(place)
        names = {entry.name for entry in entries}
        written = {JOURNAL, "images"} <= names or WRITTEN in names
        if what := known.get(place) or (RESULTS if written and folder != found.folder else None):
            found.left_out[folder] = what
            continue
        for entry in entries:
            kind, path = _kind(entry), folder / entry.name
            if kind == "folder":
                (links if entry.is_symlink() else folders).append(path)
            elif kind != "image":
                found.others.update([kind] if kind else [])
            elif what := known.get(identity(path)):
                found.left_out[path] = what
            else:
                found.paths.append(path)


def _kind(entry):
    """What an entry of a folder is: "folder", "image", as what else it is counted, or None if it is not counted."""
    extension = Path(entry.name).suffix.lower()
    is_image = extension in EXTENSIONS
    if entry.name.startswith("."):
        return "hidden" if is_image else None
    try:
        if entry.is_dir():
            return "folder"
        is_file = entry.is_file()
    except OSError:  # a link that leads to itself
        is_file = False
    if not is_file:  # a link that leads nowhere, a pipe
        return f"{extension or entry.name} (not a file)"
    return "image" if is_image else extension or "without extension"


def identity(path):
    """What is equal for two paths of one file or folder; None where there is none, or it cannot be reached."""
    try:
        status = Path(path).stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def output_names(paths, root):
    """One name per image for the files that are made from it; no two are equal, whatever the letter case.

    An image is called by its file name without extension. Where several share that, their folders below
    ``root`` are put in front, then their extensions are added, and then a number. A name that is too long for the
    files made from it is cut, and ends with a part of its hash.

    Args:
        paths: distinct files below ``root``.
        root: the folder they were found in.

    Returns:
        A list of names in the order of ``paths``; none holds a path separator.
    """
    relative = [Path(path).relative_to(root) for path in paths]
    candidates = [
        [
            _shortened(name)
            for name in (path.stem, "_".join(path.with_suffix("").parts), "_".join(path.parts).replace(".", "_"))
        ]
        for path in relative
    ]
    level = [0] * len(paths)
    while True:
        names = [options[chosen] for options, chosen in zip(candidates, level, strict=True)]
        times = Counter(map(_alike, names))
        shared = [i for i, name in enumerate(names) if times[_alike(name)] > 1]
        longer = [i for i in shared if level[i] < 2]
        if not longer:
            break
        for i in longer:
            level[i] += 1
    taken = {_alike(name) for name in names if times[_alike(name)] == 1}
    for i in shared:
        number = 1
        while _alike(numbered := f"{names[i]}_{number}") in taken:
            number += 1
        names[i] = numbered
        taken.add(_alike(numbered))
    return names


def _alike(name):
    """What is equal for names that some file system takes for one."""
    return unicodedata.normalize("NFC", name).casefold()


def _shortened(name):
    if len(os.fsencode(name)) <= LONGEST_NAME:
        return name
    mark = "_" + hashlib.sha256(os.fsencode(name)).hexdigest()[:8]
    while len(os.fsencode(name)) + len(mark) > LONGEST_NAME:
        name = name[:-1]
    return name + mark
