"""Two folders of unpaired images: trainA, low light, and trainB, normal light (docs/method.md, section 6)."""

import random
from functools import partial

import numpy as np
from PIL import Image
from torch.utils.data import Dataset

from data.cache import ImageCache
from data.low_light_simulation import darken_at_random, draw_darkness, well_exposed, with_black_parts
from data.transforms import preprocess, resized
from util.errors import WorkError
from util.image_io.finding import domain_folders, look_through
from util.image_io.tensors import to_tensor


class UnalignedDataset(Dataset):
    """Each low-light image with a normal-light one of another scene.

    A sample is asked for as ``dataset[epoch, index]``: all its random choices follow from the seed, the epoch
    and the index, whichever worker makes it and whatever was asked for before.

    Args:
        opt: reads dataroot, phase, direction, max_dataset_size, serial_batches, seed, preprocess, load_size,
            crop_size, size_multiple, smallest_side, no_flip, lambda_simulation, cache and num_threads.

    ``notices`` are lines about what lies in the two folders and is left out.

    Raises:
        WorkError: one of the two folders is missing or empty.
    """

    def __init__(self, opt):
        found = [look_through(folder).whole() for folder in domain_folders(opt)]
        self.a_paths, self.b_paths = (one.paths[: opt.max_dataset_size] for one in found)
        self.notices = [notice for one in found for notice in one.notices()]
        self.opt = opt
        self.unreadable = set()  # paths that are left out
        self.cache = ImageCache(partial(resized, mode=opt.preprocess, load_size=opt.load_size))
        if opt.cache:
            print(self.cache.fill([*self.a_paths, *self.b_paths], opt.num_threads))

    def __len__(self):
        return max(len(self.a_paths), len(self.b_paths))

    def __getitem__(self, key):
        """{"A", "B": (3, H, W) in [-1, 1], one size; "A_paths", "B_paths": str; "unreadable": {path: error}}.

        With ``--lambda_simulation``, also "sim_A": B darkened by simulation, until it is as dark as A as a whole, in
        some samples less, in some not at all (then both have grain, or also more light); and in some, parts of B are
        black.

        Another image takes the place of one that cannot be read, which ``unreadable`` then names for the first time.
        Where there is no other, the WorkError is given: raised in a worker process it would lose its type and its one
        line.
        """
        try:
            return self._sample(*key)
        except WorkError as error:
            return error

    def _sample(self, epoch, index):
        rng = random.Random(f"{self.opt.seed} {epoch} {index}")
        other = index if self.opt.serial_batches else rng.randrange(len(self.b_paths))
        unreadable = {}
        a_path, low = self._open(self.a_paths, index, unreadable)
        b_path, normal = self._open(self.b_paths, other, unreadable)
        if self.opt.lambda_simulation:
            night = random.Random(f"{self.opt.seed} {epoch} {index} night").getrandbits(64)
            normal = Image.fromarray(with_black_parts(np.asarray(normal), np.random.default_rng(night)))
        a, b = self._prepare(low, rng), self._prepare(normal, rng)
        if b.size != a.size:
            b = b.resize(a.size, Image.Resampling.BICUBIC)
        found = self._normal_light(b, rng, normal, low)
        return {"A": to_tensor(a), "A_paths": str(a_path), "B_paths": str(b_path), "unreadable": unreadable, **found}

    def _open(self, paths, index, unreadable):
        """Path and image of an index, or of the next that can be read: that follows from the files alone.

        So a run that goes on, and other workers, find the same one.
        """
        error = None
        for path in (paths[(index + offset) % len(paths)] for offset in range(len(paths))):
            if path in self.unreadable:
                continue
            try:
                return path, self.cache.open(path)
            except WorkError as its_error:
                error = its_error
                self.unreadable.add(path)
                unreadable[str(path)] = str(error)
        raise WorkError(f"{paths[0].parent}: not one image of this folder can be read{f' ({error})' if error else ''}")

    def _normal_light(self, image, rng, whole, low):
        """What a sample holds of its image in normal light, a part of ``whole``; darkened, it is like ``low``.

        Where it is not darkened, B is given grain, or more light, too: an enhancer is to leave it so.
        """
        if not self.opt.lambda_simulation:
            return {"B": to_tensor(image)}
        noise = np.random.default_rng(rng.getrandbits(64))
        level, darkness = _overview(low).mean(), draw_darkness(noise)
        normal = np.asarray(image) if darkness else well_exposed(np.asarray(image), noise)
        dark = darken_at_random(normal, level, noise, _overview(whole), darkness)
        return {"B": to_tensor(Image.fromarray(normal)), "sim_A": to_tensor(Image.fromarray(dark))}

    def _prepare(self, image, rng):
        opt = self.opt
        image = preprocess(
            image, opt.preprocess, opt.load_size, opt.crop_size, opt.size_multiple, opt.smallest_side, rng
        )
        mirrored = not opt.no_flip and rng.random() < 0.5
        return image.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if mirrored else image


def _overview(image):
    """An image in 32x32 pixels that average its own: uint8 array (32, 32, 3)."""
    return np.asarray(image.resize((32, 32), Image.Resampling.BOX))
