"""Two folders of unpaired images: trainA, low light, and trainB, normal light (docs/method.md, section 6)."""

import random
from functools import partial

import numpy as np
from PIL import Image
from torch.utils.data import Dataset

from data.cache import ImageCache
from data.low_light_simulation import darken_at_random, draw_darkness, repainted, well_exposed, with_black_parts
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

        With ``--lambda_simulation``, also a simulated pair, "sim_A" and "lit_B", like B: see ``_normal_light``.

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
        a = self._prepare(low, rng)
        found = self._normal_light(normal, low, a.size, rng)
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

    def _normal_light(self, normal, low, size, rng):
        """What a sample holds of a photograph in normal light: {"B"} and, with ``--lambda_simulation``, a pair.

        lit_B is the same part of it, but for some surfaces in other colours, some places black as at night. sim_A is
        lit_B darkened, until the photograph is as dark as ``low`` is, in some samples less, in some not at all: then
        both have grain, or more light, too.
        """
        place = rng.getstate()
        found = {"B": to_tensor(self._fitted(normal, size, rng))}
        if self.opt.lambda_simulation:
            draws = np.random.default_rng(rng.getrandbits(64))
            scene = Image.fromarray(with_black_parts(repainted(np.asarray(normal), draws), draws))
            rng.setstate(place)
            lit = np.asarray(self._fitted(scene, size, rng))
            darkness = draw_darkness(draws)
            lit = lit if darkness else well_exposed(lit, draws)
            dark = darken_at_random(lit, _overview(low).mean(), draws, _overview(scene), darkness)
            found |= {"sim_A": to_tensor(Image.fromarray(dark)), "lit_B": to_tensor(Image.fromarray(lit))}
        return found

    def _fitted(self, image, size, rng):
        image = self._prepare(image, rng)
        return image if image.size == size else image.resize(size, Image.Resampling.BICUBIC)

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
