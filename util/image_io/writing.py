"""Writing an image file: PNG, JPEG, WebP or TIFF, in 8 or 16 bits, with metadata."""

import io
from pathlib import Path

import numpy as np
from PIL import Image

from util.errors import WorkError
from util.files import write_file
from util.image_io.encoders import write_png, write_tiff
from util.image_io.metadata import Metadata
from util.image_io.tensors import (
    each_channel,
    in_pixels,
    luma,
    rounded,
    row_strips,
    stretch,
    to_8bit,
    to_image,
    to_levels,
)

_JPEG, _TIFF = (".jpg", ".jpeg"), (".tif", ".tiff")
_LONGEST_SIDE = {".jpg": 65500, ".jpeg": 65500, ".webp": 16383}  # pixels: libjpeg's limit, and the format's
_LONGEST_JPEG_EXIF = 65533  # bytes: one segment


def result_image(values, *, alpha=None, metadata=None, deep=False, gray=False):
    """What ``write_image`` would write, as a PIL image: profile and EXIF are in its ``info``.

    PIL has colours in 8 bits alone. Gray without alpha keeps 16 bits (mode I;16) if it is ``deep``.
    """
    values, metadata = _as_gray(values, metadata) if gray else (values, metadata or Metadata())
    if deep and gray and alpha is None:
        image = Image.fromarray(to_levels(values, 65535)[:, :, 0])
    else:
        image = to_image(values, alpha)
    contents = {"icc_profile": metadata.icc, "exif": metadata.exif}
    image.info |= {key: value for key, value in contents.items() if value}
    return image


def write_image(path, values, *, alpha=None, metadata=None, deep=False, gray=False, quality=95, aspect_ratio=1.0):
    """Write one image file in one step: a reader sees the old file or the whole new one.

    Args:
        path: its ending says the format: .png, .jpg, .jpeg, .webp, .tif or .tiff; its folder exists.
        values: a tensor (3, H, W) or (1, H, W) in [-1, 1], any floating type, on any device; or what ``as_written``
            gives.
        alpha: an image of mode L and the same size, or None. JPEG has no alpha: it is left out there.
        metadata: a ``Metadata``, or None. The colour profile is left out if ``values`` is gray. A JPEG holds
            64 KiB of EXIF at most: more is left out.
        deep: whether to write 16 bits per channel, where the format has them (PNG, TIFF).
        gray: whether the brightness alone is written: a gray image stays gray, without a tint.
        quality: from 1 to 100, for JPEG and WebP; a JPEG from 90 up keeps the colours of each pixel (4:4:4), a
            WebP of 100 is lossless.
        aspect_ratio: how to stretch the image: see ``util.image_io.tensors.stretch``.

    Returns:
        The image as it was written, but in 8 bits: a PIL image of mode RGB or RGBA.

    Raises:
        WorkError: the image is too large for the format, or the file cannot be written; an old one is untouched.
    """
    path = Path(path)
    kind = path.suffix.lower()
    encode = write_png if kind == ".png" else write_tiff
    metadata = metadata or Metadata()
    if gray or len(values) == 1:
        values, metadata = _as_gray(values, metadata)
    if deep and kind in (".png", *_TIFF):
        if len(values) == 1 and alpha is not None and kind in _TIFF:
            values = values.expand(3, -1, -1)  # PIL does not open gray and alpha in a TIFF of 16 bits
        if aspect_ratio != 1:
            values = each_channel(values.detach().float().cpu(), lambda channel: stretch(channel, aspect_ratio))
            alpha = None if alpha is None else stretch(alpha, aspect_ratio)
        image, strips = to_image(values, alpha), _deep_strips(values, alpha)
        write_file(path, lambda beside: encode(beside, _shape(image), strips, metadata, 16))
        return to_8bit(image)
    image = stretch(to_image(values, None if kind in _JPEG else alpha), aspect_ratio)
    longest = _LONGEST_SIDE.get(kind)
    if longest and max(image.size) > longest:
        raise WorkError(
            f"{path}: {in_pixels(image.size)} pixels do not fit into this format, whose sides have {longest} at "
            "most; save it as png"
        )
    if kind in (".png", *_TIFF):
        write_file(path, lambda beside: encode(beside, _shape(image), _strips(image), metadata, 8))
    else:
        write_file(path, lambda beside: _write_with_pil(image, beside, kind, quality, metadata))
    return to_8bit(image)


def as_written(values, deep, gray):
    """What ``write_image`` needs of values (3, H, W) or (1, H, W) in [-1, 1]: 8 bits, unless they are ``deep``, and of
    gray the brightness alone. On the device of ``values``."""
    values = luma(values) if gray and len(values) == 3 else values
    return values.float() if deep else rounded(values)


def _as_gray(values, metadata):
    """Values (1, H, W), and the metadata without a profile, which would be that of colours."""
    return luma(values) if len(values) == 3 else values, Metadata(exif=metadata.exif if metadata else None)


def _shape(image):
    return image.height, image.width, len(image.getbands())


def _deep_strips(values, alpha):
    """Arrays (h, W, C), uint16, from top to bottom."""
    _, height, width = values.shape
    for rows in row_strips(width, height):
        levels = to_levels(values[:, rows], 65535)
        if alpha is not None:
            alpha_levels = np.asarray(alpha.crop((0, rows.start, width, rows.stop)))[:, :, None]
            levels = np.concatenate([levels, alpha_levels.astype(np.uint16) * 257], axis=2)
        yield levels


def _strips(image):
    """Arrays (h, W, C), uint8, from top to bottom."""
    width, height = image.size
    for rows in row_strips(width, height):
        yield np.asarray(image.crop((0, rows.start, width, rows.stop))).reshape(rows.stop - rows.start, width, -1)


def _write_with_pil(image, path, kind, quality, metadata):
    options = {"exif": metadata.exif, "icc_profile": metadata.icc, "quality": quality}
    if kind in _JPEG:
        options |= {"format": "JPEG", "subsampling": "4:4:4" if quality >= 90 else "4:2:0"}
        if len(metadata.exif or b"") > _LONGEST_JPEG_EXIF:
            del options["exif"]
    elif quality < 100:
        options |= {"format": "WEBP"}
    else:  # Here quality stands for effort. Exact: colours are kept even where alpha hides them.
        options |= {"format": "WEBP", "lossless": True, "quality": 50, "exact": True}
    contents = io.BytesIO()  # on a full disk, PIL's own writing can end early without an error
    try:
        image.save(contents, **{name: value for name, value in options.items() if value is not None})
    except ValueError as error:  # libwebp's way to say that it failed
        raise OSError(str(error)) from error
    path.write_bytes(contents.getbuffer())
