"""A photograph with all that its file tells: colours in 8 or 16 bits, alpha, colour profile, EXIF."""

from dataclasses import dataclass

import torch
from PIL import Image

from util.image_io.deep import deep_colours, deep_reader
from util.image_io.exif import DAMAGED, tiff_exif, upright_exif
from util.image_io.finding import image_errors, turn_upright
from util.image_io.tensors import alpha_channel, is_deep, to_8bit, to_tensor

_ORIENTATION = 0x0112


@dataclass
class Photograph:
    """One file, upright.

    ``image`` is an RGB or RGBA PIL image of 8 bits, or None if there are more; then ``colours`` is a float32
    tensor (3, H, W) in [-1, 1], and ``alpha`` a PIL image of mode L or None. ``icc`` is the colour profile of
    the RGB values (bytes or None), ``exif`` what util/exif.py says (bytes or None).
    """

    image: Image.Image | None
    colours: torch.Tensor | None
    alpha: Image.Image | None
    icc: bytes | None
    exif: bytes | None


def read_photograph(path):
    """Read an image file.

    Raises:
        WorkError: the file is missing, damaged, too large for PIL's safety limit, or not an image.
    """
    with image_errors(path), Image.open(path) as image:
        reader = deep_reader(image)
        if image.format != "TIFF":  # PIL turns a TIFF when it decodes it; a PNG may hold its EXIF behind its pixels
            image.load()
        orientation, exif = _told(image)
        image.load()
        turn_upright(image)
    icc = _rgb_profile(image)
    colours = to_tensor(image) if is_deep(image) else reader and deep_colours(path, reader, orientation)
    if colours is None:
        return Photograph(to_8bit(image), None, None, icc, exif)
    return Photograph(None, colours, alpha_channel(image), icc, exif)


def _told(image):
    """The EXIF orientation of an image that has not been turned, and its EXIF without it (None if there is none)."""
    try:
        orientation = image.getexif().get(_ORIENTATION, 1)
        if "exif" in image.info:
            return orientation, upright_exif(image.info["exif"])
        return orientation, tiff_exif(image)
    except DAMAGED:
        return 1, None


def _rgb_profile(image):
    """The colour profile, if it describes RGB values: one for gray or print would be wrong on the result."""
    icc = image.info.get("icc_profile")
    describes_rgb = image.mode in ("RGB", "RGBA", "P", "PA") and icc and icc[16:20] == b"RGB "
    return icc if describes_rgb else None
