"""Measuring enhanced images: against references where there are some, and by what they are alone."""

import contextlib
import importlib
import importlib.util
import io
import math
import threading
import warnings
from collections import defaultdict
from functools import partial
from pathlib import Path

import torch

from util.errors import WorkError
from util.image_io.finding import find_images, open_rgb
from util.image_io.tensors import in_pixels, to_tensor
from util.metrics.scores import Metric, loe, matched_mean, psnr, ssim
from util.results import tables as metric_tables

_METRICS = {  # in the order of the columns
    "psnr": Metric("PSNR", "dB", True, 2),
    "ssim": Metric("SSIM", "", True, 3),
    "psnr_gt_mean": Metric("PSNR (GT mean)", "dB", True, 2),
    "ssim_gt_mean": Metric("SSIM (GT mean)", "", True, 3),
    "lpips": Metric("LPIPS", "", False, 3),
    "niqe": Metric("NIQE", "", False, 2),
    "loe": Metric("LOE", "", False, 1),
}


class Measurement:
    """Measures each enhanced image, with and without a reference.

    Args:
        root: the folder in which the inputs were found.
        reference: folder of the references, or None. An image's reference has its path below ``root`` with any
            extension, or else its name directly in ``reference``.
        gt_mean: whether PSNR and SSIM are also given in the reference's brightness; see ``matched_mean``.
        device: where the networks of LPIPS and NIQE compute.

    ``metrics`` is {key: ``Metric``} in the order of the columns; ``notices`` has a line for each metric that is left
    out because its package or its weights are not there. Nothing is downloaded.

    Raises:
        WorkError: there is no such folder of references, or no image in it.
    """

    def __init__(self, root, reference=None, gt_mean=False, device="cpu"):
        self.root, self.notices = Path(root), []
        self.reference = Path(reference) if reference else None
        self.gt_mean = gt_mean and self.reference is not None
        self._found = _by_name(self.reference) if self.reference else {}
        self._networks = {}
        for key in (["lpips"] if self.reference else []) + ["niqe"]:
            try:
                self._networks[key] = _Network(key, device)
            except WorkError as error:
                self.notices.append(f"{_METRICS[key].label} is left out: {error}")
        keys = {"loe", *self._networks}
        keys |= {"psnr", "ssim"} if self.reference else set()
        keys |= {"psnr_gt_mean", "ssim_gt_mean"} if self.gt_mean else set()
        self.metrics = {key: metric for key, metric in _METRICS.items() if key in keys}

    def measure(self, path, original, enhanced):
        """Measure one image; several threads may do so at once.

        Args:
            path: the input's file.
            original, enhanced: 8-bit PIL images, RGB or RGBA; alpha is ignored. Without LOE if their sizes differ.

        Returns:
            {key: float} in the order of ``metrics``, without those that could not be measured, and why they could
            not, in one line, or None.
        """
        reference, problems = None, []
        if self.reference:
            try:
                reference = self._reference(Path(path), enhanced.size)
            except WorkError as error:
                problems.append(str(error))
        scores, values = self._scores(original, enhanced, reference), {}
        for key in (key for key in self.metrics if key in scores):
            try:
                values[key] = scores[key]()
            except WorkError as error:
                problems.append(str(error))
        return values, "; ".join(dict.fromkeys(problems)) or None  # the SSIMs share theirs

    def means(self, records):
        """The mean of each metric over the images that have it; see ``metric_tables.means``."""
        return metric_tables.means(self.metrics, records)

    def _scores(self, original, enhanced, reference):
        scores = {"loe": partial(loe, enhanced, original)} if original.size == enhanced.size else {}
        if "niqe" in self._networks:
            scores["niqe"] = partial(self._networks["niqe"], enhanced)
        if reference is None:
            return scores
        scores |= {"psnr": partial(psnr, enhanced, reference), "ssim": partial(ssim, enhanced, reference)}
        if self.gt_mean:
            matched = matched_mean(enhanced, reference)
            scores |= {"psnr_gt_mean": partial(psnr, matched, reference)}
            scores |= {"ssim_gt_mean": partial(ssim, matched, reference)}
        if "lpips" in self._networks:
            scores["lpips"] = partial(self._networks["lpips"], enhanced, reference)
        return scores

    def _reference(self, path, size):
        below = path.relative_to(self.root) if path.is_relative_to(self.root) else Path(path.name)
        found = self._found.get(below.with_suffix("")) or self._found.get(Path(path.stem), [])
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


class _Network:
    """LPIPS or NIQE as another package computes it; called with PIL images, by one thread at a time.

    Raises:
        WorkError: the package or its weights are missing or do not work, without the metric's name in front.
    """

    def __init__(self, key, device):
        package, weights, build, download = {
            "lpips": ("lpips", _lpips_weights, _build_lpips, "lpips.LPIPS(net='alex')"),
            "niqe": ("pyiqa", _niqe_weights, _build_niqe, "pyiqa.create_metric('niqe')"),
        }[key]
        self.label, self.device, self._lock = _METRICS[key].label, device, threading.Lock()
        if importlib.util.find_spec(package) is None:
            raise WorkError(f"the package {package} is not installed")
        if not weights().exists():  # building would download them, unasked and perhaps for minutes
            raise WorkError(f'no weights {weights()}; python -c "import {package}; {download}" downloads them')
        try:
            # Packages announce themselves, and torchvision warns of how it is called by them.
            with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
                self._network = build(importlib.import_module(package), device)
        except Exception as error:  # whatever another's package or a damaged file of weights leads to
            raise WorkError(f"the package {package} does not work ({_in_a_line(error)})") from error

    def __call__(self, *images):
        tensors = [to_tensor(one)[None] for one in images]  # (1, 3, H, W) in [-1, 1]
        try:
            with self._lock, torch.inference_mode():
                value = float(self._network(*(one.to(self.device) for one in tensors)))
        except Exception as error:  # images too small for the network, too large for the device, and so on
            raise WorkError(f"{self.label} cannot be measured ({_in_a_line(error)})") from error
        if not math.isfinite(value):
            raise WorkError(f"{self.label} has no value for this image")
        return value


def _lpips_weights():
    from torchvision.models import AlexNet_Weights

    return Path(torch.hub.get_dir()) / "checkpoints" / Path(AlexNet_Weights.IMAGENET1K_V1.url).name


def _build_lpips(lpips, device):
    return lpips.LPIPS(net="alex", verbose=False).eval().to(device)


def _niqe_weights():
    return Path(torch.hub.get_dir()) / "pyiqa" / "niqe_modelparameters.mat"


def _build_niqe(pyiqa, device):
    warnings.filterwarnings("ignore", module=r"pyiqa\.")  # of small images, in the midst of a progress bar
    niqe = pyiqa.create_metric("niqe", device=device)
    return lambda image: niqe((image + 1) / 2)  # it takes [0, 1]


def _in_a_line(error):
    return " ".join(f"{type(error).__name__}: {error}".split())[:200]
