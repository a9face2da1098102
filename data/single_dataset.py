"""The images to enhance: dataset/testA, any folder, or one file."""

from collections import deque
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from data.transforms import preprocess
from util.errors import WorkError
from util.image_io.finding import EXTENSIONS, domain_folders, find_images, output_names
from util.image_io.reading import count_pixels, read_image

MOST_AHEAD = 16_000_000  # pixels decoded ahead of their use: 12 bytes each


class SingleDataset:
    """Low-light images, decoded in threads ahead of their use.

    Beside the image in use, ``num_threads`` wait at most, and no more than MOST_AHEAD pixels; but always one.

    Args:
        opt: reads dataroot, results_dir (in which nothing is looked for), phase, direction, max_dataset_size,
            preprocess, load_size, crop_size, num_threads.

    ``paths`` and ``names`` are the files and the distinct names for what is made from them.

    Raises:
        WorkError: there are no images where dataroot points.
    """

    def __init__(self, opt):
        self.opt = opt
        root, (folder, _) = Path(opt.dataroot), domain_folders(opt)
        if root.is_file():
            if root.suffix.lower() not in EXTENSIONS:
                raise WorkError(f"{root}: not an image ({', '.join(e[1:] for e in EXTENSIONS)})")
            self.paths, self.root = [root], root.parent
        else:
            self.root = folder if folder.is_dir() else root
            self.paths = find_images(self.root, without=opt.results_dir)[: opt.max_dataset_size]
        self.names = output_names(self.paths, self.root)

    def __len__(self):
        return len(self.paths)

    def __iter__(self):
        """Samples in the order of ``paths``: see ``read``."""
        return self.samples(range(len(self)))

    def samples(self, indices):
        """The samples of some images, in the order of ``indices``."""
        to_come, waiting = deque(indices), deque()  # waiting: (pixels, future)
        with ThreadPoolExecutor(max(1, self.opt.num_threads)) as pool:
            self._read_ahead(pool, to_come, waiting)
            while waiting:
                future = waiting.popleft()[1]
                self._read_ahead(pool, to_come, waiting)
                sample = [future.result()]
                del future  # so that a sample is let go as soon as it has been used
                yield sample.pop()

    def _read_ahead(self, pool, to_come, waiting):
        while to_come and len(waiting) < max(1, self.opt.num_threads):
            pixels = count_pixels(self.paths[to_come[0]])
            if waiting and pixels + sum(others for others, _ in waiting) > MOST_AHEAD:
                break
            waiting.append((pixels, pool.submit(self.read, to_come.popleft())))

    def batches(self, indices, size):
        """The samples of some images in lists of at most ``size``, which share one size of image.

        Only images that follow each other share a batch. One that cannot be read is alone.
        """
        batch, shape = [], None
        for sample in self.samples(indices):
            sample_shape = sample["A"].shape if "A" in sample else None
            if batch and (sample_shape != shape or sample_shape is None or len(batch) == size):
                yield batch
                batch = []
            batch, shape = [*batch, sample], sample_shape
        if batch:
            yield batch

    def read(self, index):
        """One sample, a dict:

        ``A``: (1, 3, H, W) in [-1, 1]; ``A_paths``: [str]; ``name``: str; ``alpha``: an image of mode L or None;
        ``metadata``: a ``Metadata``, for the file made from it; ``deep``: whether the file has, and ``A`` has kept,
        16 bits per channel; ``gray``: whether it has no colours.

        An image that cannot be read gives {"A_paths", "name", "error": WorkError} instead.
        """
        path, opt = self.paths[index], self.opt
        sample = {"A_paths": [str(path)], "name": self.names[index]}
        try:
            image = read_image(path)
        except WorkError as error:
            return sample | {"error": error}
        if opt.preprocess != "none":
            image = image.changed(lambda pixels: preprocess(pixels, opt.preprocess, opt.load_size, opt.crop_size))
        colours = image.colours()[None]  # (1, 3, H, W)
        kept = {key: getattr(image, key) for key in ("alpha", "metadata", "deep", "gray")}
        return sample | {"A": colours, **kept}
