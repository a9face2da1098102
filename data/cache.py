"""Decoded training images, kept in memory when they fit (--cache)."""

from concurrent.futures import ThreadPoolExecutor

import torch

from util.errors import WorkError
from util.image_io.reading import open_rgb
from util.memory import free_memory

SHARE = 0.5  # of the free memory that decoded images may take


class ImageCache:
    """Opens images for training; those that it holds need no decoding and no resizing.

    Worker processes that are forked share its memory; where they are spawned (Windows, macOS) each has a copy.

    Args:
        prepare: what is done to each decoded image before it is kept: PIL image -> PIL image.
    """

    def __init__(self, prepare):
        self.prepare, self.kept = prepare, {}

    def open(self, path):
        """The prepared image of a file; WorkError as from ``open_image``."""
        return self.kept[path] if path in self.kept else self.prepare(open_rgb(path))

    def fill(self, paths, threads):
        """Decode files in the order of ``paths`` until the share of the memory is used up.

        A file that cannot be read is left for when it is asked for.

        Args:
            threads: how many decode at a time.

        Returns:
            One line on what is kept.
        """
        left, used = SHARE * free_memory(torch.device("cpu")), 0
        paths = list(dict.fromkeys(paths))
        with ThreadPoolExecutor(max(1, threads)) as pool:
            for start in range(0, len(paths), 64):  # a few at a time, so that what is too much is not decoded first
                some = paths[start : start + 64]
                for path, image in zip(some, pool.map(self._try, some), strict=True):
                    if image is None:
                        continue
                    used += 3 * image.width * image.height
                    if used > left:
                        return f"{len(self.kept)} of {len(paths)} images are kept in memory, as many as fit"
                    self.kept[path] = image
        return f"{len(self.kept)} of {len(paths)} images are kept in memory ({used / 2**20:.0f} MiB)"

    def _try(self, path):
        try:
            return self.prepare(open_rgb(path))
        except WorkError:
            return None
