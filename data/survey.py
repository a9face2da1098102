"""Reading all images of a training run before it starts: which are damaged, and how large they are."""

from concurrent.futures import ThreadPoolExecutor

from PIL import Image
from tqdm import tqdm

from data.loader import ADVICE, MIXED_SIZES, too_many
from data.transforms import preprocess
from util.errors import WorkError
from util.image_io.finding import domain_folders, look_through
from util.image_io.reading import open_rgb
from util.image_io.tensors import in_pixels


class ImageSurvey:
    """Decodes every image of both folders, as training will.

    Args:
        opt: reads dataroot, phase, direction, max_dataset_size, num_threads, batch_size and what ``preprocess``
            needs.

    ``problems`` (WorkErrors) and ``warnings`` (lines) say what was found; ``complete``, whether both folders hold
    images.
    """

    def __init__(self, opt):
        self.opt, self.problems, self.warnings = opt, [], []
        self.sizes = {}  # {kind: sizes of its images, the smallest area first}
        self.unreadable = []  # WorkErrors
        for kind, folder in zip(("low-light", "normal-light"), domain_folders(opt), strict=True):
            try:
                found = look_through(folder).whole()
            except WorkError as error:
                self.problems.append(error)
            else:
                self.warnings += found.notices()
                self.sizes[kind] = sorted(self._read_sizes(kind, found.paths[: opt.max_dataset_size]), key=_area)
        self.complete = len(self.sizes) == 2
        self._judge_unreadable_images()
        self._warn_of_small_images()
        self._refuse_mixed_batches()

    def rows(self):
        """Smallest, median and largest size of each kind, rows {title: text} of the plan."""
        return {kind.removesuffix("-light"): _range_of(sizes) for kind, sizes in self.sizes.items()}

    def pixels(self):
        """How many pixels training sees of the median low-light image."""
        sizes = self.sizes["low-light"]
        return _area(self._prepared(sizes[len(sizes) // 2])) if sizes else 0

    def _read_sizes(self, kind, paths):
        pool = ThreadPoolExecutor(max(1, self.opt.num_threads))
        try:
            results = pool.map(_size_or_error, paths)
            results = list(tqdm(results, f"reading {kind}", len(paths), unit="image", dynamic_ncols=True))
        finally:
            pool.shutdown(cancel_futures=True)  # Ctrl-C need not wait for all of them
        self.unreadable += [result for result in results if isinstance(result, WorkError)]
        return [result for result in results if not isinstance(result, WorkError)]

    def _judge_unreadable_images(self):
        """Training leaves out a few of them; it cannot do without most, or without a whole folder."""
        count, total = len(self.unreadable), len(self.unreadable) + sum(map(len, self.sizes.values()))
        if too_many(count, total):
            self.problems += [*self.unreadable, WorkError(f"{count} of {total} images cannot be read, and {ADVICE}")]
        elif not all(self.sizes.values()):
            self.problems += self.unreadable
        else:
            self.warnings += [f"{error}; it would be left out" for error in self.unreadable]

    def _warn_of_small_images(self):
        crop = self.opt.crop_size
        for kind, sizes in self.sizes.items():
            small = sum(self._is_enlarged(*size) for size in sizes)
            if small:
                few = f"{small} of {len(sizes)} {kind} images are smaller than the crop"
                self.warnings.append(f"{few}, {crop}x{crop} pixels, and will be enlarged")

    def _is_enlarged(self, width, height):
        opt, sides = self.opt, [width, height]
        if opt.preprocess.startswith("scale_width"):
            sides += [opt.load_size, opt.load_size * height / width]
        return opt.preprocess.endswith("crop") and min(sides) < opt.crop_size

    def _refuse_mixed_batches(self):
        opt = self.opt
        if opt.batch_size == 1 or opt.preprocess.endswith("crop"):
            return
        if len({self._prepared(size) for size in set(self.sizes.get("low-light", ()))}) > 1:
            self.problems.append(WorkError(f"--batch_size {opt.batch_size}: {MIXED_SIZES}"))

    def _prepared(self, size):
        """The size in which training sees an image of this size."""
        opt = self.opt
        sides = (opt.load_size, opt.crop_size, opt.size_multiple, opt.smallest_side)
        return preprocess(Image.new("1", size), opt.preprocess, *sides).size


def _size_or_error(path):
    try:
        return open_rgb(path).size
    except WorkError as error:
        return error


def _area(size):
    return size[0] * size[1]


def _range_of(sizes):
    if not sizes:
        return "not one image can be read"
    smallest, median, largest = (in_pixels(sizes[i]) for i in (0, len(sizes) // 2, -1))
    return f"smallest {smallest}, median {median}, largest {largest} pixels"
