"""The pictures to enhance: dataset/testA, any folder, or one file."""

from collections import deque
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from data.deep_png import sixteen_bit_colours
from data.image_folder import EXTENSIONS, find_pictures, open_picture, output_names
from data.transforms import preprocess
from util.errors import WorkError
from util.images import alpha_channel, to_8bit, to_tensor


class SingleDataset:
    """Low-light pictures, decoded in threads ahead of their use.

    Args:
        opt: reads dataroot, phase, direction, max_dataset_size, preprocess, load_size, crop_size, num_threads.

    ``paths`` and ``names`` are the files and the distinct names for what is made from them.

    Raises:
        WorkError: there are no pictures where dataroot points.
    """

    def __init__(self, opt):
        self.opt = opt
        root = Path(opt.dataroot)
        folder = root / f"{opt.phase}{'A' if opt.direction == 'AtoB' else 'B'}"
        if root.is_file():
            if root.suffix.lower() not in EXTENSIONS:
                raise WorkError(f"{root}: not a picture ({', '.join(e[1:] for e in EXTENSIONS)})")
            self.paths, self.root = [root], root.parent
        else:
            self.root = folder if folder.is_dir() else root
            self.paths = find_pictures(self.root)[: opt.max_dataset_size]
        self.names = output_names(self.paths, self.root)

    def __len__(self):
        return len(self.paths)

    def __iter__(self):
        """Samples in the order of ``paths``: see ``read``."""
        ahead = max(1, self.opt.num_threads)
        with ThreadPoolExecutor(ahead) as pool:
            waiting = deque()
            for index in range(len(self)):
                waiting.append(pool.submit(self.read, index))
                if len(waiting) > ahead:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()

    def read(self, index):
        """One sample: {"A": (1, 3, H, W) in [-1, 1], "A_paths": [str], "name": str, "alpha": picture or None}.

        A picture that cannot be read gives {"A_paths", "name", "error": WorkError} instead.
        """
        opt, path = self.opt, self.paths[index]
        sample = {"A_paths": [str(path)], "name": self.names[index]}
        try:
            picture, colours = open_picture(path), None
            if opt.preprocess == "none":
                colours = sixteen_bit_colours(path)
            else:
                picture = preprocess(to_8bit(picture), opt.preprocess, opt.load_size, opt.crop_size)
            sample["alpha"] = alpha_channel(picture)
            sample["A"] = (to_tensor(picture) if colours is None else colours)[None]
        except WorkError as error:
            sample["error"] = error
        return sample
