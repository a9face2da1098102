"""Reading an image, a file or PIL's: pixels in 8 bits or more, alpha, metadata, upright."""

import contextlib
from dataclasses import dataclass, replace
from math import prod
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from util.errors import WorkError, reason_of
from util.image_io.metadata import Metadata, read_metadata
from util.image_io.opening import opened, refuse_damaged_png, refuse_pixels, refuse_too_large, without_pixel_limit
from util.image_io.raw import develop, is_raw, raw_size
from util.image_io.sixteen_bits import GRAY_ALPHA, low_byte_tiles, mend_planes, raw_modes
from util.image_io.tensors import alpha_channel, each_channel, is_deep, is_gray, to_8bit, to_image, to_tensor

_ORDINARY = (OSError, SyntaxError, ValueError, EOFError)  # what PIL raises on purpose: the message is enough
_NOT_OPENED = {PermissionError: "change its permissions", FileNotFoundError: "check the path"}

SHOWN_BY_BROWSERS = {"PNG": "png", "JPEG": "jpg", "WEBP": "webp"}  # by PIL's names: endings

_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


@dataclass
class LoadedImage:
    """What an image holds, upright.

    Args:
        pixels: a PIL image of mode RGB or RGBA; of more than 8 bits per channel, a float32 tensor (3, H, W) in
            [-1, 1].
        alpha: a PIL image of mode L, or None.
        metadata: a ``Metadata``.
        gray: whether it has no colours: its three channels are equal, and its result is to be gray, too.
        shown_as: the ending (png, jpg, webp) under which a browser shows the very file as this image; None where it
            would show something else.
        several: whether the file has more frames or pages, of which this is the first.
    """

    pixels: Image.Image | torch.Tensor
    alpha: Image.Image | None
    metadata: Metadata
    gray: bool
    shown_as: str | None = None
    several: bool = False

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
            return replace(self, pixels=pixels, alpha=alpha_channel(pixels), shown_as=None)
        alpha = None if self.alpha is None else change(self.alpha)
        return replace(self, pixels=each_channel(self.pixels, change).clamp_(-1, 1), alpha=alpha, shown_as=None)


def read_image(source, deep=True):
    """Read an image, turned upright as its EXIF orientation says.

    Args:
        source: a file, or a PIL image, which stays as it is.
        deep: whether more than 8 bits per channel are kept where the file has them, and PIL can read them.

    Returns:
        A ``LoadedImage``. Of several frames or pages it is the first.

    Raises:
        WorkError: the file is missing, damaged, too large for the free memory, or not an image.
    """
    if isinstance(source, Image.Image):
        with _one_line_errors(getattr(source, "filename", "") or "the image"):
            return _loaded(*_upright(source), deep=deep)
    with _one_line_errors(source), without_pixel_limit(), Path(source).open("rb") as file:
        if is_raw(source):
            return _developed(source, deep)
        image = opened(file, source)
        refuse_too_large(image, source)
        if image.format == "PNG":
            refuse_damaged_png(file)
        mend_planes(image)
        low_tiles, gray = low_byte_tiles(image) if deep else None, GRAY_ALPHA in raw_modes(image)
        (high, metadata), low = _upright(image), None
        if low_tiles:
            image = opened(file, source)
            image.tile = low_tiles
            low, _ = _upright(image)
            if gray:
                low = Image.merge("RGB", [low.getchannel("G")] * 3)
        return replace(_loaded(high, metadata, low, gray, deep), several=_has_several(file, source))


def open_image(path):
    """A file as an 8-bit PIL image, RGB or RGBA, upright; WorkError as from ``read_image``."""
    return read_image(path, deep=False).pixels


def open_rgb(path):
    """A file as an 8-bit PIL image of mode RGB, upright; WorkError as from ``read_image``."""
    return open_image(path).convert("RGB")


def count_pixels(path):
    """Width times height of an image by its header alone; 0 if that cannot be read."""
    try:
        with _one_line_errors(path), without_pixel_limit(), Path(path).open("rb") as file:
            if is_raw(path):
                return prod(raw_size(path))
            image = opened(file, path)
            return image.width * image.height
    except WorkError:
        return 0


@contextlib.contextmanager
def _one_line_errors(path):
    """Turn whatever is raised over an unreadable image into a WorkError of one line that names ``path``.

    A decoder may raise anything over a damaged file: TypeError, IndexError, RuntimeError, MemoryError.
    """
    try:
        yield
    except WorkError:
        raise
    except Exception as error:
        advice = _NOT_OPENED.get(type(error), "replace or remove it")
        reason = " ".join((reason_of(error) if type(error) in _NOT_OPENED else str(error)).split())
        if not isinstance(error, _ORDINARY):
            reason = f"damaged: {type(error).__name__} {reason}".rstrip()
        raise WorkError(f"{path}: cannot read this image ({reason}); {advice}") from error


def _upright(image):
    """A PIL image, decoded and turned as its EXIF says, and its metadata; the given one is not turned itself."""
    if image.format != "TIFF":  # PIL turns a TIFF when it decodes it; a PNG may hold its EXIF behind its pixels
        image.load()
    metadata, orientation = read_metadata(image)
    image.load()
    if orientation in _UPRIGHT and image.format != "TIFF":
        image = image.transpose(_UPRIGHT[orientation])
    return image, metadata


def _developed(path, deep):
    refuse_pixels(raw_size(path), path)
    pixels, metadata = develop(path)
    return LoadedImage(pixels if deep else to_image(pixels), None, metadata, gray=False)


def _has_several(file, path):
    """Whether a file has more than one frame or page; damage behind the first does no harm."""
    try:
        return getattr(opened(file, path), "n_frames", 1) > 1
    except Exception:  # what decoders raise over damage
        return False


def _loaded(image, metadata, low=None, gray=False, deep=True):
    """A ``LoadedImage``; ``low`` holds the low bytes of 16 bits per channel where ``image`` has the high ones."""
    if image.mode == "F" and not np.isfinite(np.asarray(image)).all():
        raise ValueError("its values are not all finite numbers: NaN or Inf")
    pixels = to_tensor(image, low) if deep and (low or is_deep(image)) else to_8bit(image)
    return LoadedImage(pixels, alpha_channel(image), metadata, gray or is_gray(image), _shown_as(image, metadata))


def _shown_as(image, metadata):
    # An image that was turned has no format. One moves; the colours of others a browser would take for different ones.
    if image.mode == "CMYK" or getattr(image, "is_animated", False) or image.info.get("icc_profile") != metadata.icc:
        return None
    return SHOWN_BY_BROWSERS.get(image.format)
