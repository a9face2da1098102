"""A photograph with all that its file tells: colours in 8 or 16 bits, alpha, colour profile, EXIF."""

from dataclasses import dataclass

import torch
from PIL import Image

from util.image_io.deep import deep_colours, deep_reader
from util.image_io.exif import DAMAGED, tiff_exif, upright_exif
from util.image_io.finding import picture_errors, turn_upright
from util.image_io.tensors import alpha_channel, is_deep, to_8bit, to_tensor

_ORIENTATION = 0x0112


@dataclass
class Photograph:
    """One file, upright.

    ``picture`` is an RGB or RGBA PIL picture of 8 bits, or None if there are more; then ``colours`` is a float32
    tensor (3, H, W) in [-1, 1], and ``alpha`` a PIL picture of mode L or None. ``icc`` is the colour profile of
    the RGB values (bytes or None), ``exif`` what util/exif.py says (bytes or None).
    """

    picture: Image.Image | None
    colours: torch.Tensor | None
    alpha: Image.Image | None
    icc: bytes | None
    exif: bytes | None


def read_photograph(path):
    """Read a picture file.

    Raises:
        WorkError: the file is missing, damaged, too large for PIL's safety limit, or not a picture.
    """
    with picture_errors(path), Image.open(path) as picture:
        reader = deep_reader(picture)
        if picture.format != "TIFF":  # PIL turns a TIFF when it decodes it; a PNG may hold its EXIF behind its pixels
            picture.load()
        orientation, exif = _told(picture)
        picture.load()
        turn_upright(picture)
    icc = _rgb_profile(picture)
    colours = to_tensor(picture) if is_deep(picture) else reader and deep_colours(path, reader, orientation)
    if colours is None:
        return Photograph(to_8bit(picture), None, None, icc, exif)
    return Photograph(None, colours, alpha_channel(picture), icc, exif)


def _told(picture):
    """The EXIF orientation of a picture that has not been turned, and its EXIF without it (None if there is none)."""
    try:
        orientation = picture.getexif().get(_ORIENTATION, 1)
        if "exif" in picture.info:
            return orientation, upright_exif(picture.info["exif"])
        return orientation, tiff_exif(picture)
    except DAMAGED:
        return 1, None


def _rgb_profile(picture):
    """The colour profile, if it describes RGB values: one for gray or print would be wrong on the result."""
    icc = picture.info.get("icc_profile")
    describes_rgb = picture.mode in ("RGB", "RGBA", "P", "PA") and icc and icc[16:20] == b"RGB "
    return icc if describes_rgb else None
