"""Reading an image file: pixels in 8 bits or more, alpha, metadata, upright."""

import contextlib
import logging
import warnings
import zlib
from dataclasses import dataclass, replace

import torch
from PIL import Image, ImageOps

from util.errors import WorkError
from util.image_io.metadata import DAMAGED, Metadata, read_metadata
from util.image_io.tensors import alpha_channel, each_channel, is_deep, to_8bit, to_tensor

# What PIL raises for a file that is missing, damaged, too large for its safety limit, or not an image.
_UNREADABLE = (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError)

_COLOUR_TIFF = 2  # PhotometricInterpretation


@dataclass
class LoadedImage:
    """What an image file holds, upright.

    Args:
        pixels: a PIL image of mode RGB or RGBA; of more than 8 bits per channel, a float32 tensor (3, H, W) in
            [-1, 1].
        alpha: a PIL image of mode L, or None.
        metadata: a ``Metadata``.
    """

    pixels: Image.Image | torch.Tensor
    alpha: Image.Image | None
    metadata: Metadata

    @property
    def deep(self):
        """Whether there are more than 8 bits per channel."""
        return isinstance(self.pixels, torch.Tensor)

    def colours(self):
        """A float32 tensor (3, H, W) in [-1, 1]."""
        return self.pixels if self.deep else to_tensor(self.pixels)

    def changed(self, change):
        """The same with another size: ``change`` takes a PIL image and returns one."""
        if not self.deep:
            pixels = change(self.pixels)
            return replace(self, pixels=pixels, alpha=alpha_channel(pixels))
        alpha = None if self.alpha is None else change(self.alpha)
        return replace(self, pixels=each_channel(self.pixels, change).clamp_(-1, 1), alpha=alpha)


def read_image(path, deep=True):
    """Read an image file, turned upright as its EXIF orientation says.

    Args:
        path: the file.
        deep: whether more than 8 bits per channel are kept where the file has them, and a package that is
            installed reads them.

    Returns:
        A ``LoadedImage``.

    Raises:
        WorkError: the file is missing, damaged, too large for PIL's safety limit, or not an image.
    """
    with _image_errors(path), Image.open(path) as image:
        decode = _sixteen_bit_decoder(image) if deep else None
        if image.format != "TIFF":  # PIL turns a TIFF when it decodes it; a PNG may hold its EXIF behind its pixels
            image.load()
        metadata, orientation = read_metadata(image)
        image.load()
        with contextlib.suppress(*DAMAGED):  # damaged EXIF does not turn an image
            ImageOps.exif_transpose(image, in_place=True)
    colours = None
    if deep and is_deep(image):
        colours = to_tensor(image)
    elif decode and (levels := decode(path)) is not None:
        levels = _turned(levels, orientation)
        colours = torch.empty(levels.shape)
        colours.numpy()[...] = levels
        colours.div_(65535).mul_(2).sub_(1)
    pixels = to_8bit(image) if colours is None else colours
    return LoadedImage(pixels, alpha_channel(image), metadata)


def open_image(path):
    """A file as an 8-bit PIL image, RGB or RGBA, upright; WorkError as from ``read_image``."""
    return read_image(path, deep=False).pixels


def open_rgb(path):
    """A file as an 8-bit PIL image of mode RGB, upright; WorkError as from ``read_image``."""
    return open_image(path).convert("RGB")


def count_pixels(path):
    """Width times height of an image by its header alone; 0 if that cannot be read."""
    try:
        with Image.open(path) as image:
            return image.width * image.height
    except _UNREADABLE:
        return 0


@contextlib.contextmanager
def _image_errors(path):
    """Turn what PIL raises over an unreadable image into a WorkError of one line that names ``path``."""
    try:
        yield
    except _UNREADABLE as error:
        reason = "not an image, or damaged" if isinstance(error, Image.UnidentifiedImageError) else str(error)
        raise WorkError(f"{path}: cannot read this image ({reason}); replace or remove it") from error


def _turned(x, orientation):
    """An array (3, H, W), turned upright as an EXIF orientation says; 1 is upright."""
    if orientation in (5, 6, 7, 8):
        x = x.transpose(0, 2, 1)
    if orientation in (2, 3, 6, 7):
        x = x[:, :, ::-1]
    return x[:, ::-1] if orientation in (3, 4, 7, 8) else x


def _sixteen_bit_decoder(image):
    """What decodes the colours that PIL would cut to 8 bits, by the header of an open image; None for others.

    It takes a path and returns a uint16 array (3, H, W), as stored, without alpha; or None if no package that is
    installed reads this kind: PIL's 8 bits then have to do.
    """
    if image.format == "PNG" and {tile[3] for tile in image.tile} & {"RGB;16B", "RGBA;16B", "LA;16B"}:
        return _decode_png
    if image.format == "TIFF" and image.tag_v2.get(262) == _COLOUR_TIFF and set(image.tag_v2.get(258, ())) == {16}:
        return _decode_tiff
    return None


def _decode_png(path):
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


def _decode_tiff(path):
    """None where tifffile lacks the codec (LZW, for one), and where colours are stored multiplied by alpha."""
    import tifffile

    logging.getLogger("tifffile").setLevel(logging.CRITICAL)  # a damaged file's error is one line
    try:
        with tifffile.TiffFile(path) as file:
            page = file.pages[0]
            if tifffile.EXTRASAMPLE.ASSOCALPHA in page.extrasamples:
                return None
            values = page.asarray()  # (H, W, S), or (S, H, W) if it is stored colour by colour
    except (ValueError, KeyError, IndexError, TypeError, OSError, zlib.error):
        return None  # PIL has the last word: it reads the file, or says why not
    return values[:3] if page.axes == "SYX" else values[:, :, :3].transpose(2, 0, 1)
