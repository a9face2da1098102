"""Finding and opening pictures, and naming what is made from them."""

from collections import Counter
from pathlib import Path

from PIL import Image, ImageOps

from util.errors import WorkError

EXTENSIONS = (".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".tif", ".tiff", ".webp")


def find_pictures(folder):
    """All picture files in a folder and its subfolders, sorted by path; hidden files and folders are left out.

    Raises:
        WorkError: there is no such folder, or no picture in it.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise WorkError(f"{folder}: no such folder; name one that holds pictures")
    found = sorted(path for path in folder.rglob("*") if _is_picture(path, folder))
    if not found:
        raise WorkError(f"{folder}: no pictures in this folder ({', '.join(e[1:] for e in EXTENSIONS)})")
    return found


def _is_picture(path, folder):
    hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
    return path.suffix.lower() in EXTENSIONS and not hidden and path.is_file()


def open_picture(path):
    """Open and decode a picture, turned upright as its EXIF orientation says.

    Raises:
        WorkError: the file is missing, damaged, too large for PIL's safety limit, or not a picture.
    """
    try:
        with Image.open(path) as picture:
            picture.load()
            return ImageOps.exif_transpose(picture)
    except (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError) as error:
        reason = "not a picture, or damaged" if isinstance(error, Image.UnidentifiedImageError) else str(error)
        raise WorkError(f"{path}: cannot read this picture ({reason}); replace or remove it") from error


def output_names(paths, root):
    """One name per picture for the files that are made from it; no two are equal, whatever the letter case.

    A picture is called by its file name without extension. Where several share that, their folders below
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
    taken = {name.casefold() for i, name in enumerate(names) if i not in set(shared)}
    for i in shared:
        number = 1
        while (numbered := f"{names[i]}_{number}").casefold() in taken:
            number += 1
        names[i] = numbered
        taken.add(numbered.casefold())
    return names
