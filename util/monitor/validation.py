"""A few fixed images, enhanced again and again while a model trains."""

import contextlib
from pathlib import Path
from statistics import fmean

from util.errors import WorkError
from util.files import append_record
from util.going_on import going_on
from util.image_io.finding import find_images
from util.image_io.reading import open_rgb
from util.image_io.tensors import in_pixels
from util.monitor.loss_log import drop_later_records

MAX_IMAGES = 8  # that are shown and measured


class Validation:
    """Enhances the first images of ``--val_dir`` and measures them against those of ``--val_ref``.

    Args:
        opt: reads val_dir and val_ref; a reference has the image's name, with any extension.
        folder: the run's folder, in which validation.jsonl is kept.
        resume_at: as for ``LossLog``.

    Raises:
        WorkError: an image or a reference is missing, damaged or of another size.
    """

    def __init__(self, opt, folder, resume_at=None):
        self.images = {path.stem: open_rgb(path) for path in find_images(opt.val_dir)[:MAX_IMAGES]}
        self.references = {}
        if opt.val_ref:
            references = References(opt.val_ref)
            self.references = {name: references.open(name, image.size) for name, image in self.images.items()}
        self.file = Path(folder) / "validation.jsonl"
        drop_later_records(self.file, resume_at)

    def run(self, enhancer, epoch, images):
        """Enhance all images; measure and log them where there are references.

        Args:
            enhancer: an ``Enhancer`` that is being trained; its modules keep their modes.
            epoch, images: how far training is.

        Returns:
            {name: enhanced PIL image} and {"psnr", "ssim": mean over the images}, empty without references.
        """
        with evaluating(enhancer):
            enhanced = {name: enhancer.enhance(image) for name, image in self.images.items()}
        if not self.references:
            return enhanced, {}
        from util.metrics.scores import psnr, ssim  # imported where they are used: scikit-image takes a second

        means = {
            metric: fmean(score(enhanced[name], reference) for name, reference in self.references.items())
            for metric, score in {"psnr": psnr, "ssim": ssim}.items()
        }
        with going_on():
            append_record(self.file, {"epoch": epoch, "pictures": images, **means})
        return enhanced, means


@contextlib.contextmanager
def evaluating(network):
    """Evaluation mode inside a ``with`` statement. Each module then gets back its own: frozen norms stay frozen."""
    training = {module: module.training for module in network.modules()}
    network.eval()
    try:
        yield
    finally:
        for module, mode in training.items():
            module.training = mode


class References:
    """The images of ``--val_ref``, by the names of those they belong to; WorkError as from ``find_images``."""

    def __init__(self, folder):
        self.folder, self.paths = folder, {path.stem: path for path in find_images(folder)}

    def open(self, name, size):
        """The reference of an image, RGB; WorkError if there is none, or it is damaged or of another size."""
        if name not in self.paths:
            raise WorkError(f"--val_ref {self.folder}: there is no image {name} in it; --val_dir has one")
        path = self.paths[name]
        reference = open_rgb(path)
        if reference.size != size:
            raise WorkError(f"{path}: is {in_pixels(reference.size)} pixels, its image {in_pixels(size)}")
        return reference
