"""LPIPS and NIQE as other packages compute them."""

import contextlib
import importlib
import importlib.util
import io
import math
import threading
import warnings
from pathlib import Path

import torch

from util.errors import WorkError
from util.image_io.tensors import to_tensor


class ExternalMetric:
    """LPIPS or NIQE; called with 8-bit PIL images, it computes for one thread at a time. Nothing is downloaded.

    Args:
        key: ``lpips`` or ``niqe``.
        device: where its network computes.

    Raises:
        WorkError: the package or its weights are missing or do not work, without the metric's name in front.
    """

    def __init__(self, key, device):
        package, weights, build, download = _METRICS[key]
        self.label, self.device, self._lock = key.upper(), device, threading.Lock()
        if importlib.util.find_spec(package) is None:
            raise WorkError(f"the package {package} is not installed")
        weights = Path(torch.hub.get_dir()) / weights
        if not weights.exists():  # building would download them, unasked and perhaps for minutes
            raise WorkError(f'no weights {weights}; python -c "import {package}; {download}" downloads them')
        try:
            # Packages announce themselves, and torchvision warns of how it is called by them.
            with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
                self._network = build(importlib.import_module(package), device)
        except Exception as error:  # whatever another's package or a damaged file of weights leads to
            raise WorkError(f"the package {package} does not work ({_in_a_line(error)})") from error

    def __call__(self, *images):
        """The value for an image, or for an image and its reference; WorkError if there is none."""
        tensors = [to_tensor(image)[None] for image in images]  # (1, 3, H, W) in [-1, 1]
        try:
            with self._lock, torch.inference_mode():
                value = float(self._network(*(tensor.to(self.device) for tensor in tensors)))
        except Exception as error:  # images too small for the network, too large for the device, and so on
            raise WorkError(f"{self.label} cannot be measured ({_in_a_line(error)})") from error
        if not math.isfinite(value):
            raise WorkError(f"{self.label} has no value for this image")
        return value


def _build_lpips(lpips, device):
    return lpips.LPIPS(net="alex", verbose=False).eval().to(device)


def _build_niqe(pyiqa, device):
    warnings.filterwarnings("ignore", module=r"pyiqa\.")  # of small images, in the midst of a progress bar
    niqe = pyiqa.create_metric("niqe", device=device)
    return lambda image: niqe((image + 1) / 2)  # it takes [0, 1]


_METRICS = {  # the package, its weights below torch.hub's folder, what builds the metric, what downloads the weights
    "lpips": ("lpips", "checkpoints/alexnet-owt-7be5be79.pth", _build_lpips, "lpips.LPIPS(net='alex')"),
    "niqe": ("pyiqa", "pyiqa/niqe_modelparameters.mat", _build_niqe, "pyiqa.create_metric('niqe')"),
}


def _in_a_line(error):
    return " ".join(f"{type(error).__name__}: {error}".split())[:200]
