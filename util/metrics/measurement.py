"""Measuring enhanced images: against references where there are some, and by what they are alone."""

from util.errors import WorkError
from util.metrics.external import ExternalMetric
from util.metrics.scores import METRICS, loe, matched_mean, psnr, ssim

_AGAINST_REFERENCE = {"psnr", "ssim", "psnr_gt_mean", "ssim_gt_mean", "lpips"}


class Measurement:
    """Measures each enhanced image, with and without a reference.

    Args:
        references: the ``References`` of the inputs, or None.
        gt_mean: whether PSNR and SSIM are also given in the reference's brightness; see ``matched_mean``.
        device: where the networks of LPIPS and NIQE compute.

    ``metrics`` is {key: ``Metric``} in the order of the columns; ``notices`` has a line for each metric that is left
    out because its package or its weights are not there.
    """

    def __init__(self, references=None, gt_mean=False, device="cpu"):
        self.references, self.notices, self._external = references, [], {}
        self.gt_mean = gt_mean and references is not None
        left_out = set() if self.gt_mean else {"psnr_gt_mean", "ssim_gt_mean"}
        if references is None:
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
        if self.references:
            try:
                reference = self.references.open(path, enhanced.size)
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
