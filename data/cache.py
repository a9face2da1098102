"""Decoded training images, kept in memory when they fit (--cache)."""

from concurrent.futures import ThreadPoolExecutor

import torch

from util.errors import WorkError
from util.image_io.reading import open_rgb
from util.memory import free_memory

SHARE = 0.5  # of the free memory that decoded images may take
CHUNK = 64  # images that are decoded before the memory they take is counted


class ImageCache:
    """Opens images for training; those that it keeps are decoded and resized only once.

    Forked worker processes share its memory; where they are spawned (Windows, macOS), each has a copy.

    Args:
        prepare: what is done to each decoded image before it is kept: PIL image -> PIL image.
    """

    def __init__(self, prepare):
        self.prepare, self.kept = prepare, {}

    def open(self, path):
        """The prepared image of a file; WorkError as from ``open_image``."""
        return self.kept[path] if path in self.kept else self.prepare(open_rgb(path))

    def fill(self, paths, threads):
        """Keep images in the order of ``paths`` until the share of the memory is used up.

        A file that cannot be read is left out: ``open`` raises its error.

        Args:
            threads: how many decode at a time.

        Returns:
            One line on what is kept.
        """
        available, used = SHARE * free_memory(torch.device("cpu")), 0
        paths = list(dict.fromkeys(paths))
        with ThreadPoolExecutor(max(1, threads)) as pool:
            for start in range(0, len(paths), CHUNK):
                chunk = paths[start : start + CHUNK]
                for path, image in zip(chunk, pool.map(self._open_or_none, chunk), strict=True):
                    if image is None:
                        continue
                    used += 3 * image.width * image.height
                    if used > available:
                        return f"{len(self.kept)} of {len(paths)} images are kept in memory, as many as fit"
                    self.kept[path] = image
        return f"{len(self.kept)} of {len(paths)} images are kept in memory ({used / 2**20:.0f} MiB)"

    def _open_or_none(self, path):
        try:
            return self.open(path)
        except WorkError:
            return None
