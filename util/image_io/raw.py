"""RAW files of cameras, developed with LibRaw through the optional package rawpy."""

import contextlib
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from util.errors import WorkError
from util.image_io.finding import RAW
from util.image_io.metadata import DAMAGED, PREFIX, Metadata, descriptive_tags


def is_raw(path):
    """Whether a file is called as RAW files are; many begin as a TIFF with a preview in it."""
    return Path(path).suffix.lower() in RAW


def raw_size(path):
    """(width, height) of a RAW file, developed and upright."""
    with _opened(path) as raw:
        size = raw.sizes
        return (size.height, size.width) if size.flip in (5, 6) else (size.width, size.height)


def develop(path):
    """Develop a RAW file as its camera saw it: the camera's white balance, no automatic brightening, sRGB.

    Returns:
        Its colours (3, H, W) in [-1, 1], upright, and a ``Metadata``.
    """
    with _opened(path) as raw:
        # The curve is that of sRGB: the inverse of its power, and the slope of its straight part.
        levels = raw.postprocess(use_camera_wb=True, no_auto_bright=True, output_bps=16, gamma=(2.4, 12.92))
    # (H, W, 3), uint16
    pixels = torch.from_numpy(levels.transpose(2, 0, 1).astype(np.float32)).div_(32767.5).sub_(1)
    return pixels, Metadata(exif=_exif(path))


def _opened(path):
    try:
        import rawpy
    except ImportError:
        raise WorkError(f"{path}: RAW is read with rawpy: pip install -r requirements-formats.txt") from None
    return rawpy.imread(str(path))


def _exif(path):
    """What a RAW file that begins as a TIFF says about the image, but for its orientation; else None."""
    exif = Image.Exif()
    with contextlib.suppress(*DAMAGED), Path(path).open("rb") as file:
        exif.load_from_fp(file)
        described = Image.Exif()
        described.update(descriptive_tags(exif))
        return PREFIX + described.tobytes().removeprefix(PREFIX) if len(described) else None
    return None
