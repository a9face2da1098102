"""Measuring enhanced images: against references where there are some, and by what they are alone."""

from collections import defaultdict
from pathlib import Path

from util.errors import WorkError
from util.image_io.finding import find_images
from util.image_io.reading import open_rgb
from util.image_io.tensors import in_pixels
from util.metrics.external import ExternalMetric
from util.metrics.scores import METRICS, loe, matched_mean, psnr, ssim

_AGAINST_REFERENCE = {"psnr", "ssim", "psnr_gt_mean", "ssim_gt_mean", "lpips"}


class Measurement:
    """Measures each enhanced image, with and without a reference.

    Args:
        root: the folder in which the inputs were found.
        reference: folder of the references, or None. An image's reference has its path below ``root`` with any
            extension, or else its name directly in ``reference``.
        gt_mean: whether PSNR and SSIM are also given in the reference's brightness; see ``matched_mean``.
        device: where the networks of LPIPS and NIQE compute.

    ``metrics`` is {key: ``Metric``} in the order of the columns; ``notices`` has a line for each metric that is left
    out because its package or its weights are not there.

    Raises:
        WorkError: there is no such folder of references, or no image in it.
    """

    def __init__(self, root, reference=None, gt_mean=False, device="cpu"):
        self.root, self.notices = Path(root), []
        self.reference = Path(reference) if reference else None
        self.gt_mean = gt_mean and self.reference is not None
        self._references = _by_name(self.reference) if self.reference else {}
        self._external = {}
        left_out = set() if self.gt_mean else {"psnr_gt_mean", "ssim_gt_mean"}
        if self.reference is None:
            left_out |= _AGAINST_REFERENCE
        for key in ("lpips", "niqe"):
            if key not in left_out:
                try:
                    self._external[key] = ExternalMetric(key, device)
                except WorkError as error:
                    self.notices.append(f"{METRICS[key].label} is left out: {error}")
                    left_out.add(key)
        self.metrics = {key: metric for key, metric in METRICS.items() if key not in left_out}

    def measure(self, path, original, enhanced):
        """Measure one image; several threads may do so at once.

        Args:
            path: the input's file.
            original, enhanced: 8-bit PIL images, RGB or RGBA; alpha is ignored. Without LOE if their sizes differ.

        Returns:
            {key: float} in the order of ``metrics``, without those that could not be measured, and why they could
            not, in one line, or None.
        """
        reference, values, problems = None, {}, []
        if self.reference:
            try:
                reference = self._reference_of(Path(path), enhanced.size)
            except WorkError as error:
                problems.append(str(error))
        matched = matched_mean(enhanced, reference) if self.gt_mean and reference else None
        scores = {
            "psnr": lambda: psnr(enhanced, reference),
            "ssim": lambda: ssim(enhanced, reference),
            "psnr_gt_mean": lambda: psnr(matched, reference),
            "ssim_gt_mean": lambda: ssim(matched, reference),
            "lpips": lambda: self._external["lpips"](enhanced, reference),
            "niqe": lambda: self._external["niqe"](enhanced),
            "loe": lambda: loe(enhanced, original),
        }
        left_out = set() if reference else set(_AGAINST_REFERENCE)
        if original.size != enhanced.size:
            left_out.add("loe")
        for key in self.metrics:
            if key not in left_out:
                try:
                    values[key] = scores[key]()
                except WorkError as error:
                    problems.append(str(error))
        return values, "; ".join(dict.fromkeys(problems)) or None  # the SSIMs share theirs

    def _reference_of(self, path, size):
        below = path.relative_to(self.root) if path.is_relative_to(self.root) else Path(path.name)
        found = self._references.get(below.with_suffix("")) or self._references.get(Path(path.stem), [])
        if not found:
            raise WorkError(f"{path}: no reference of this name in {self.reference}")
        if len(found) > 1:
            raise WorkError(f"{path}: several references of this name: {' and '.join(map(str, found))}; keep one")
        reference = open_rgb(found[0])
        if reference.size != size:
            raise WorkError(f"{found[0]}: {in_pixels(reference.size)}, the result is {in_pixels(size)}; not compared")
        return reference


def _by_name(folder):
    found = defaultdict(list)
    for path in find_images(folder):
        found[path.relative_to(folder).with_suffix("")].append(path)
    return dict(found)
