"""Colour PNGs and TIFFs with 16 bits per channel, which PIL would cut to 8."""

import logging
import warnings
import zlib

import torch

from util.errors import WorkError

_COLOUR_TIFF = 2  # PhotometricInterpretation

# How to turn an array (3, H, W) upright, by its EXIF orientation; 1 is upright.
_TURNS = {
    2: lambda x: x[:, :, ::-1],
    3: lambda x: x[:, ::-1, ::-1],
    4: lambda x: x[:, ::-1],
    5: lambda x: x.transpose(0, 2, 1),
    6: lambda x: x.transpose(0, 2, 1)[:, :, ::-1],
    7: lambda x: x[:, ::-1, ::-1].transpose(0, 2, 1),
    8: lambda x: x.transpose(0, 2, 1)[:, ::-1],
}


def deep_reader(image):
    """How to read the colours of an image at full precision.

    Args:
        image: a PIL image of which the header alone has been read.

    Returns:
        A function for ``deep_colours``, or None if the file has 8 bits per channel or is gray.
    """
    if image.format == "PNG" and {tile[3] for tile in image.tile} & {"RGB;16B", "RGBA;16B", "LA;16B"}:
        return _read_png
    if image.format == "TIFF" and image.tag_v2.get(262) == _COLOUR_TIFF and set(image.tag_v2.get(258, ())) == {16}:
        return _read_tiff
    return None


def deep_colours(path, reader, orientation=1):
    """The colours of an image with 16 bits per channel.

    Args:
        path: the file.
        reader: what ``deep_reader`` gave for it.
        orientation: its EXIF orientation.

    Returns:
        A float32 tensor (3, H, W) in [-1, 1], upright, without alpha; or None if no package that is installed
        reads this kind: PIL's 8 bits will then have to do.

    Raises:
        WorkError: the file is damaged.
    """
    values = reader(path)  # (3, H, W), uint16
    if values is None:
        return None
    values = _TURNS.get(orientation, lambda x: x)(values)
    tensor = torch.empty(values.shape)
    tensor.numpy()[...] = values
    return tensor.div_(65535).mul_(2).sub_(1)


def _read_png(path):
    try:
        from torchvision.io import ImageReadMode, decode_image  # imported where it is used: few images need it
    except ImportError:  # announced to leave torchvision
        return None
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "The image decoding", DeprecationWarning)
            return decode_image(str(path), ImageReadMode.RGB).numpy()
    except RuntimeError as error:
        raise WorkError(f"{path}: cannot read this image ({error}); replace or remove it") from error


def _read_tiff(path):
    """None where tifffile lacks the codec (LZW, for one), and where colours are stored multiplied by alpha."""
    import tifffile

    logging.getLogger("tifffile").setLevel(logging.CRITICAL)  # what is wrong with a file is told in one line
    try:
        with tifffile.TiffFile(path) as file:
            page = file.pages[0]
            if tifffile.EXTRASAMPLE.ASSOCALPHA in page.extrasamples:
                return None
            values = page.asarray()  # (H, W, S), or (S, H, W) if it is stored colour by colour
    except (ValueError, KeyError, IndexError, TypeError, OSError, zlib.error):
        return None  # PIL has the last word: it reads the file, or says why not
    return values[:3] if page.axes == "SYX" else values[:, :, :3].transpose(2, 0, 1)
