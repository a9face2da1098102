"""How close an enhanced picture is to a reference: PSNR and SSIM as scikit-image computes them."""

import numpy as np
from skimage.metrics import peak_signal_noise_ratio, structural_similarity


def psnr(picture, reference):
    """Peak signal-to-noise ratio in dB of two 8-bit PIL pictures of one size; infinite for equal ones."""
    with np.errstate(divide="ignore"):
        return float(peak_signal_noise_ratio(_levels(reference), _levels(picture), data_range=255))


def ssim(picture, reference):
    """Structural similarity (Wang et al. 2004) of two 8-bit PIL pictures of one size, at least 11 pixels each way.

    Gaussian weights with sigma 1.5, the mean over the three channels; at most 1.
    """
    return float(
        structural_similarity(
            _levels(reference), _levels(picture), channel_axis=2, data_range=255, gaussian_weights=True, sigma=1.5
        )
    )


def _levels(picture):
    return np.asarray(picture.convert("RGB"))
