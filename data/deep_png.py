"""Colour PNGs with 16 bits per channel, which PIL would cut to 8."""

import warnings

from PIL import Image

from util.errors import WorkError


def sixteen_bit_colours(path):
    """The colours of a 16-bit colour PNG at full precision, or None for any other file.

    Returns:
        A float32 tensor (3, H, W) in [-1, 1], upright, without alpha.

    Raises:
        WorkError: the file is damaged.
    """
    with Image.open(path) as picture:  # reads the header alone
        raw_modes = {tile[3] for tile in picture.tile}
        if picture.format != "PNG" or not raw_modes & {"RGB;16B", "RGBA;16B"}:
            return None
    try:
        from torchvision.io import ImageReadMode, decode_image  # imported where it is used: few pictures need it
    except ImportError:  # announced to leave torchvision: PIL's 8 bits will then have to do
        return None
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "The image decoding", DeprecationWarning)
            values = decode_image(str(path), ImageReadMode.RGB, apply_exif_orientation=True)  # (3, H, W), uint16
    except RuntimeError as error:
        raise WorkError(f"{path}: cannot read this picture ({error}); replace or remove it") from error
    return values.float() / 65535 * 2 - 1
