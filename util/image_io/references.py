"""Which reference belongs to which image: by path, by name, or as the published data sets name them."""

import re
import unicodedata
from collections import Counter, defaultdict
from pathlib import Path

from util.errors import WorkError
from util.image_io.finding import find_images, identity
from util.image_io.reading import open_rgb
from util.image_io.tensors import in_pixels

# What data sets add to the name of a scene, in front or behind: low00705 and normal00705, 1_input and 1_gt.
IMAGE_WORDS, REFERENCE_WORDS = ("low", "input"), ("normal", "high", "gt")


class References:
    """The references of some images. An image is never a reference itself.

    A reference belongs to an image if it has, with any extension, the image's path below ``root``, the end of that
    path, or its name alone. Where none has, the letter case and the words above are left out of both names. An image
    has no reference if several fit, or if its reference fits others, too, and has not the image's whole path.

    Args:
        where: a folder; or one file, the reference of one image.
        paths: the images.
        root: the folder in which they were found.

    Raises:
        WorkError: there are no references.
    """

    def __init__(self, where, paths, root):
        self.where, paths, root = Path(where), [Path(path) for path in paths], Path(root)
        one = self.where.is_file()
        if one and len(paths) > 1:
            raise WorkError(f"{where}: is one file, but there are {len(paths)} images; name a folder of references")
        images = {identity(path) for path in paths}
        found = [self.where] if one else find_images(self.where, {root: "the images"})
        found = [path for path in found if identity(path) not in images]
        if not found:
            raise WorkError(f"{where}: holds no other images than those to measure; name where their references are")
        self._exact, self._alike = defaultdict(list), defaultdict(list)
        for path in found if not one else []:
            *folders, name = path.relative_to(self.where).with_suffix("").parts
            self._exact[(*folders, name)].append(path)
            scene, named = _scene(name, REFERENCE_WORDS)
            self._alike[(*folders, scene)].append((path, named))
        self._fitting = {path: (found, True) if one else self._fit(path.relative_to(root)) for path in paths}
        self._times = Counter(fitting[0] for fitting, _ in self._fitting.values() if len(fitting) == 1)

    def _fit(self, path):
        """The references that fit an image, and whether they have its whole path, which is relative to the root."""
        parts = path.with_suffix("").parts
        scene, named = _scene(parts[-1], IMAGE_WORDS)
        folders = [parts[first:-1] for first in range(len(parts))]  # all of them, ..., none
        alike = next(filter(None, (self._alike.get((*some, scene)) for some in folders)), [])
        for some in folders:
            if exact := self._exact.get((*some, parts[-1])):
                # Beside normal1, low1 need not be the reference of the image low1: it can be its copy.
                others = [other for other, has_word in alike if named and has_word]
                return exact + others, some == parts[:-1]
        return [path for path, _ in alike], False

    def of(self, path):
        """The path of an image's reference; WorkError if it has none."""
        fitting, whole_path = self._fitting[Path(path)]
        if not fitting:
            raise WorkError(f"{path}: no reference of this name in {self.where}")
        if len(fitting) > 1:
            names = " and ".join(map(str, fitting))
            raise WorkError(f"{path}: several references of this name: {names}; keep one")
        if self._times[fitting[0]] > 1 and not whole_path:
            raise WorkError(f"{path}: {fitting[0]} fits other images, too; give the references the images' paths")
        return fitting[0]

    def open(self, path, size):
        """The reference of an image of some size (width, height): 8-bit RGB; WorkError if there is none to compare."""
        found = self.of(path)
        reference = open_rgb(found)
        if reference.size != size:
            raise WorkError(f"{found}: {in_pixels(reference.size)}, the image is {in_pixels(size)}; not compared")
        return reference


def _scene(name, words):
    """The scene in a name: in lower case, without one of some words in front or behind; and whether it had one."""
    name, word = unicodedata.normalize("NFC", name).casefold(), "|".join(words)
    front, behind = rf"(?:{word})(?![^\W\d_])[\s._-]*(.*)", rf"(.*?)[\s._-]*(?<![^\W\d_])(?:{word})"  # no letter beside
    found = re.fullmatch(f"{front}|{behind}", name, re.DOTALL)
    return (found[1] or found[2] or "", True) if found else (name, False)
