"""The images to enhance: dataset/testA, any folder, or one file."""

from collections import deque
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tqdm import tqdm

from data.transforms import preprocess
from util.errors import UsageError, WorkError
from util.image_io.finding import (
    EXTENSIONS,
    RESULTS,
    domain_folders,
    identity,
    look_through,
    output_names,
    results_folder,
)
from util.image_io.reading import count_pixels, read_image

PHASES = ("train", "val", "test")  # of a data set; --phase may name others
MOST_AHEAD = 16_000_000  # pixels decoded ahead of their use: 12 bytes each


class SingleDataset:
    """Low-light images, decoded in threads ahead of their use.

    Beside the image in use, ``num_threads`` wait at most, and no more than MOST_AHEAD pixels; but always one.

    Args:
        opt: reads dataroot, results_dir, name, epoch and reference (results and references are no input), phase,
            direction, max_dataset_size, preprocess, load_size, crop_size, num_threads.

    ``paths`` and ``names`` are the files and the distinct names for what is made from them. ``notices`` has a line for
    each kind of thing that lies there and is left out, ``unreadable`` a WorkError for each subfolder that is.

    Raises:
        UsageError: dataroot is a data set without images of this phase, or the folder for the results.
        WorkError: there are no images where dataroot points.
    """

    def __init__(self, opt):
        self.opt, self.notices, self.unreadable = opt, [], []
        self.told_of_several = False
        left_out = _no_input(opt)
        root, (folder, _) = Path(opt.dataroot), domain_folders(opt)
        own, flag = identity(results_folder(opt)), "--output_dir" if opt.output_dir else "--results_dir"
        inputs = (folder if folder.is_dir() else root, root, *root.absolute().parents)
        if own and own in map(identity, inputs):
            raise UsageError(f"--dataroot {root}: this run writes its results there; choose another {flag}")
        if root.is_file():
            if root.suffix.lower() not in EXTENSIONS:
                raise WorkError(f"{root}: not an image ({', '.join(e[1:] for e in EXTENSIONS)})")
            self.paths, self.root = [root], root.parent
        else:
            self.root = folder if folder.is_dir() else root
            if self.root == root:
                _refuse_other_phases(root, folder)
            found = look_through(self.root, left_out)
            self.paths = found.paths[: opt.max_dataset_size]
            self.notices, self.unreadable = found.notices(), found.unreadable
            if beyond := len(found.paths) - len(self.paths):
                self.notices.append(f"left out of {self.root}: {beyond} images beyond --max_dataset_size")
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
                self._tell_of_several(sample[0])
                del future  # so that a sample is let go as soon as it has been used
                yield sample.pop()

    def _tell_of_several(self, sample):
        if sample.get("several") and not self.told_of_several:
            self.told_of_several = True
            tqdm.write(f"{sample['A_paths'][0]}: several frames or pages; of such files the first is enhanced")

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
        16 bits per channel; ``gray``: whether it has no colours; ``pixels``, ``shown_as`` and ``several``: those of
        the ``LoadedImage``.

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
        keys = ("alpha", "metadata", "deep", "gray", "pixels", "shown_as", "several")
        kept = {key: getattr(image, key) for key in keys}
        return sample | {"A": colours, **kept}


def _no_input(opt):
    """Files and folders that are not enhanced, {path: what they are}."""
    folders = {place: RESULTS for place in (opt.results_dir, results_folder(opt)) if Path(place).is_dir()}
    return {**folders, opt.reference: "the references"} if opt.reference else folders


def _refuse_other_phases(root, folder):
    """Ask which images are meant where a data set has others than the folder looked for: trainA and trainB."""
    phases = [phase for phase in PHASES if all((root / f"{phase}{letter}").is_dir() for letter in "AB")]
    if phases:
        there = ", ".join(f"{phase}A and {phase}B" for phase in phases)
        raise UsageError(
            f"--dataroot {root}: there is no {folder.name} in it, but {there}; add --phase {phases[0]}, or name the "
            "folder of images"
        )
