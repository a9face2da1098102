"""Finding and opening images, and naming what is made from them."""

import contextlib
import os
from collections import Counter
from pathlib import Path

from PIL import Image, ImageOps

from util.errors import WorkError
from util.image_io.exif import DAMAGED
from util.image_io.tensors import to_8bit

EXTENSIONS = (".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".tif", ".tiff", ".webp")

# What PIL raises for a file that is missing, damaged, too large for its safety limit, or not an image.
_UNREADABLE = (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError)


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
            path, kind = folder / entry.name, _kind(entry)
            if kind == "folder":
                (links if entry.is_symlink() else folders).append(path)
            elif kind == "file" and path.suffix.lower() in EXTENSIONS:
                yield path


def _identity(folder):
    status = Path(folder).stat()
    return status.st_dev, status.st_ino


def _kind(entry):
    try:
        return "folder" if entry.is_dir() else "file" if entry.is_file() else None
    except OSError:  # a link to itself
        return None


@contextlib.contextmanager
def image_errors(path):
    """Turn what PIL raises over an unreadable image into a WorkError of one line that names ``path``."""
    try:
        yield
    except _UNREADABLE as error:
        reason = "not an image, or damaged" if isinstance(error, Image.UnidentifiedImageError) else str(error)
        raise WorkError(f"{path}: cannot read this image ({reason}); replace or remove it") from error


def open_image(path):
    """Open and decode an image, turned upright as its EXIF orientation says.

    Raises:
        WorkError: the file is missing, damaged, too large for PIL's safety limit, or not an image.
    """
    with image_errors(path), Image.open(path) as image:
        image.load()
        turn_upright(image)
        return image


def open_rgb(path):
    """A file as an 8-bit PIL image of mode RGB; WorkError as from ``open_image``."""
    return to_8bit(open_image(path)).convert("RGB")


def turn_upright(image):
    """Turn a decoded image, in place, as its EXIF orientation says; damaged EXIF says nothing."""
    with contextlib.suppress(*DAMAGED):
        ImageOps.exif_transpose(image, in_place=True)


def count_pixels(path):
    """Width times height of an image by its header alone; 0 if that cannot be read."""
    try:
        with Image.open(path) as image:
            return image.width * image.height
    except _UNREADABLE:
        return 0


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
