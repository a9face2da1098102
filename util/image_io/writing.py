"""Saving results: PNG, JPEG, WebP or TIFF, in 8 or 16 bits, with colour profile and EXIF."""

import io
import zlib
from pathlib import Path

import numpy as np

from util.errors import WorkError
from util.files import write_file
from util.image_io.encoders import write_deep_png, write_tiff
from util.image_io.tensors import each_channel, row_strips, stretch, to_image, to_levels

_JPEG, _TIFF = (".jpg", ".jpeg"), (".tif", ".tiff")
_LONGEST_SIDE = {".jpg": 65500, ".jpeg": 65500, ".webp": 16383}  # pixels: libjpeg's limit, and the format's
_LONGEST_JPEG_EXIF = 65533  # bytes: one segment


def save_image(path, values, *, alpha=None, icc=None, exif=None, deep=False, quality=95, aspect_ratio=1.0):
    """Write one image file in one step: a reader sees the old file or the whole new one.

    Args:
        path: its ending says the format: .png, .jpg, .jpeg, .webp, .tif or .tiff; its folder exists.
        values: a tensor (3, H, W) or (1, H, W) in [-1, 1], any floating type, on any device.
        alpha: an image of mode L and the same size, or None. JPEG has no alpha: it is left out there.
        icc: the colour profile of the RGB values (bytes), or None; left out if ``values`` is gray.
        exif: bytes as in util/exif.py, or None. A JPEG holds 64 KiB of it at most: more is left out.
        deep: whether to write 16 bits per channel, where the format has them (PNG, TIFF).
        quality: from 1 to 100, for JPEG and WebP; a JPEG from 90 up keeps the colours of each pixel (4:4:4), a
            WebP of 100 is lossless.
        aspect_ratio: how to stretch the image: see ``util.image_io.tensors.stretch``.

    Returns:
        The saved image's (width, height).

    Raises:
        WorkError: the image is too large for the format, or the file cannot be written; an old one is untouched.
    """
    path = Path(path)
    kind = path.suffix.lower()
    facts = {"icc": icc if len(values) == 3 else None, "exif": exif}
    if deep and kind in (".png", *_TIFF):
        values, alpha = _stretched(values, alpha, aspect_ratio)
        size, strips = (values.shape[2], values.shape[1]), _deep_strips(values, alpha)
        encode = write_deep_png if kind == ".png" else write_tiff
        write_file(path, lambda beside: encode(beside, size, strips, **facts))
        return size
    image = stretch(to_image(values, None if kind in _JPEG else alpha), aspect_ratio)
    longest = _LONGEST_SIDE.get(kind)
    if longest and max(image.size) > longest:
        width, height = image.size
        raise WorkError(
            f"{path}: {width}x{height} pixels do not fit into this format, whose sides have {longest} at most; "
            "save it as png"
        )
    if kind in _TIFF:
        write_file(path, lambda beside: write_tiff(beside, image.size, _strips(image), **facts))
    else:
        write_file(path, lambda beside: _save(image, beside, _flags(kind, quality), **facts))
    return image.size


def _stretched(values, alpha, ratio):
    if ratio != 1:
        values = each_channel(values.detach().float().cpu(), lambda channel: stretch(channel, ratio))
    return values, None if alpha is None else stretch(alpha, ratio)


def _deep_strips(values, alpha):
    """Arrays (h, W, C), uint16, from top to bottom."""
    _, height, width = values.shape
    for rows in row_strips(width, height):
        levels = to_levels(values[:, rows], 65535)
        if alpha is not None:
            cover = np.asarray(alpha.crop((0, rows.start, width, rows.stop)))[:, :, None]
            levels = np.concatenate([levels, cover.astype(np.uint16) * 257], axis=2)
        yield levels


def _strips(image):
    """Arrays (h, W, C), uint8, from top to bottom."""
    width, height = image.size
    for rows in row_strips(width, height):
        levels = np.asarray(image.crop((0, rows.start, width, rows.stop)))
        yield levels if levels.ndim == 3 else levels[:, :, None]


def _flags(kind, quality):
    """What PIL is told."""
    if kind in _JPEG:
        return {"format": "JPEG", "quality": quality, "subsampling": "4:4:4" if quality >= 90 else "4:2:0"}
    if kind == ".webp" and quality == 100:
        # Here quality stands for effort. Exact: colours are kept even where alpha hides them.
        return {"format": "WEBP", "lossless": True, "quality": 50, "exact": True}
    if kind == ".webp":
        return {"format": "WEBP", "quality": quality}
    return {"format": "PNG", "compress_type": zlib.Z_RLE}  # for photographs four times faster, and no larger


def _save(image, path, flags, icc, exif):
    if flags["format"] == "JPEG" and exif and len(exif) > _LONGEST_JPEG_EXIF:
        exif = None
    told = {"icc_profile": icc, "exif": exif}
    contents = io.BytesIO()  # on a full disk, PIL's own writing can end early without an error
    try:
        image.save(contents, **flags, **{name: value for name, value in told.items() if value})
    except ValueError as error:  # libwebp's way to say that it failed
        raise OSError(str(error)) from error
    path.write_bytes(contents.getbuffer())
