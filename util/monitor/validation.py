"""A few fixed images, enhanced again and again while a model trains."""

import math
from pathlib import Path

from util.errors import WorkError
from util.image_io.finding import find_images
from util.image_io.reading import open_rgb
from util.image_io.tensors import in_pixels
from util.monitor.loss_log import append_record, read_records, write_records

MOST = 8  # images that are shown and measured


class Validation:
    """Enhances the first images of ``--val_dir`` and measures them against those of ``--val_ref``.

    Args:
        opt: reads val_dir and val_ref; a reference has the image's name, with any extension.
        folder: the run's folder, in which validation.jsonl is kept.
        resume_at: number of images after which a resumed run goes on; later records are dropped.

    Raises:
        WorkError: an image or a reference is missing, damaged or of another size.
    """

    def __init__(self, opt, folder, resume_at=None):
        paths = find_images(opt.val_dir)[:MOST]
        self.images, self.references = {path.stem: open_rgb(path) for path in paths}, {}
        if opt.val_ref:
            references = References(opt.val_ref)
            self.references = {name: references.open(name, one.size) for name, one in self.images.items()}
        self.file = Path(folder) / "validation.jsonl"
        records = read_records(self.file)
        kept = [record for record in records if resume_at is not None and record["pictures"] <= resume_at]
        write_records(self.file, kept)

    def run(self, enhancer, epoch, images):
        """Enhance all images; measure and log them where there are references.

        Args:
            enhancer: an ``Enhancer`` that is being trained.
            epoch, images: how far training is.

        Returns:
            {name: enhanced PIL image} and {"psnr", "ssim": mean over the images}, empty without references.
        """
        enhancer.eval()
        enhanced = {name: enhancer.enhance(image) for name, image in self.images.items()}
        enhancer.train()
        if not self.references:
            return enhanced, {}
        from util.metrics.scores import psnr, ssim  # imported where they are used: scikit-image takes a second

        scores = {"psnr": psnr, "ssim": ssim}
        means = {
            name: math.fsum(score(enhanced[one], self.references[one]) for one in enhanced) / len(enhanced)
            for name, score in scores.items()
        }
        append_record(self.file, {"epoch": epoch, "pictures": images, **means})
        return enhanced, means


class References:
    """The images of ``--val_ref``, by the names of those they belong to; WorkError as from ``find_images``."""

    def __init__(self, folder):
        self.folder, self.found = folder, {path.stem: path for path in find_images(folder)}

    def open(self, name, size):
        """The reference of an image, RGB; WorkError if there is none, or it is damaged or of another size."""
        if name not in self.found:
            raise WorkError(f"--val_ref {self.folder}: there is no image {name} in it; --val_dir has one")
        path = self.found[name]
        reference = open_rgb(path)
        if reference.size != size:
            raise WorkError(f"{path}: is {in_pixels(reference.size)} pixels, its image {in_pixels(size)}")
        return reference
