"""Finding images, and naming what is made from them."""

import contextlib
import os
from collections import Counter
from pathlib import Path

from util.errors import WorkError

EXTENSIONS = (
    *(".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".png", ".ppm", ".pgm", ".pbm", ".pnm", ".bmp", ".tif", ".tiff"),
    *(".webp", ".avif", ".gif", ".jp2", ".j2k", ".tga", ".heic", ".heif"),
)


def domain_folders(opt):
    """The folders of low-light and of normal-light images, as dataroot, phase and direction say."""
    low, normal = ("A", "B") if opt.direction == "AtoB" else ("B", "A")
    return tuple(Path(opt.dataroot) / f"{opt.phase}{letter}" for letter in (low, normal))


def find_images(folder, without=None):
    """All image files in a folder and its subfolders, sorted by path; hidden files and folders are left out.

    Links to files count as files. Links to folders are followed, but each real folder is gone through once, under
    its own path if it has one here; so links in a circle end. Links that lead nowhere are left out.

    Args:
        folder: where to look.
        without: a folder whose content is left out wherever it is met below ``folder``; it need not exist.

    Raises:
        WorkError: there is no such folder, no image in it, or a subfolder that may not be read.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise WorkError(f"{folder}: no such folder; name one that holds images")
    found = sorted(_walk(folder, without))
    if not found:
        raise WorkError(f"{folder}: no images in this folder ({', '.join(e[1:] for e in EXTENSIONS)})")
    return found


def _walk(root, without):
    seen = set()
    with contextlib.suppress(OSError):  # where there is nothing, nothing is left out
        seen.add(_identity(root if without is None else without))
    seen.discard(_identity(root))  # asked for by name, it is not left out
    folders, links = [root], []
    while folders or links:
        folder = folders.pop() if folders else links.pop(links.index(min(links)))  # real folders before links
        try:
            identity = _identity(folder)
            entries = [] if identity in seen else [e for e in os.scandir(folder) if not e.name.startswith(".")]
        except OSError as error:
            reason = error.strerror or error
            raise WorkError(
                f"{folder}: cannot read this folder ({reason}); change its permissions, or move it"
            ) from error
        seen.add(identity)
        for entry in entries:
            with contextlib.suppress(OSError):  # a link that leads nowhere
                if entry.is_dir():
                    (links if entry.is_symlink() else folders).append(folder / entry.name)
                elif entry.is_file() and Path(entry.name).suffix.lower() in EXTENSIONS:
                    yield folder / entry.name


def _identity(folder):
    status = Path(folder).stat()
    return status.st_dev, status.st_ino


def output_names(paths, root):
    """One name per image for the files that are made from it; no two are equal, whatever the letter case.

    An image is called by its file name without extension. Where several share that, their folders below
    ``root`` are put in front, then their extensions are added, and then a number.

    Args:
        paths: distinct files below ``root``.
        root: the folder they were found in.

    Returns:
        A list of names in the order of ``paths``; none holds a path separator.
    """
    relative = [Path(path).relative_to(root) for path in paths]
    candidates = [
        [path.stem, "_".join(path.with_suffix("").parts), "_".join(path.parts).replace(".", "_")] for path in relative
    ]
    level = [0] * len(paths)
    while True:
        names = [options[chosen] for options, chosen in zip(candidates, level, strict=True)]
        times = Counter(name.casefold() for name in names)
        shared = [i for i, name in enumerate(names) if times[name.casefold()] > 1]
        longer = [i for i in shared if level[i] < 2]
        if not longer:
            break
        for i in longer:
            level[i] += 1
    taken = {name.casefold() for name in names if times[name.casefold()] == 1}
    for i in shared:
        number = 1
        while (numbered := f"{names[i]}_{number}").casefold() in taken:
            number += 1
        names[i] = numbered
        taken.add(numbered.casefold())
    return names
