"""A few fixed images, enhanced again and again while a model trains."""

import contextlib
from pathlib import Path
from statistics import fmean

from util.files import append_record
from util.going_on import going_on
from util.image_io.finding import look_through, output_names
from util.image_io.reading import open_rgb
from util.image_io.references import References
from util.monitor.loss_log import drop_later_records

MAX_IMAGES = 8  # that are shown and measured


class Validation:
    """Enhances the first images of ``--val_dir`` and measures them against those of ``--val_ref``.

    Args:
        opt: reads val_dir and val_ref; see ``References``.
        folder: the run's folder, in which validation.jsonl is kept.
        resume_at: as for ``LossLog``.

    ``notices`` are lines about what lies in ``--val_dir`` and is left out.

    Raises:
        WorkError: an image or a reference is missing, damaged or of another size.
    """

    def __init__(self, opt, folder, resume_at=None):
        files, references, self.notices = find_validation(opt)
        self.images = {name: open_rgb(path) for name, path in files.items()}
        self.references = {}
        if references:
            self.references = {name: references.open(files[name], image.size) for name, image in self.images.items()}
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


def find_validation(opt):
    """The images that are validated, {name: path}; their ``References`` or None; lines about what is left out.

    Raises:
        WorkError: there are no images, or no references.
    """
    found = look_through(opt.val_dir, {opt.val_ref: "the references"} if opt.val_ref else None).whole()
    paths, notices = found.paths[:MAX_IMAGES], found.notices()
    if beyond := len(found.paths[MAX_IMAGES:]):
        notices.append(f"left out of {opt.val_dir}: {beyond} images after the first {MAX_IMAGES}")
    files = dict(zip(output_names(paths, opt.val_dir), paths, strict=True))
    return files, References(opt.val_ref, paths, opt.val_dir) if opt.val_ref else None, notices
