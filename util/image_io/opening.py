"""Opening an image file: which formats there are, and how large an image may be. Nothing is decoded here."""

import contextlib
import os
import struct
import threading
import zlib
from pathlib import Path

import torch
from PIL import Image, UnidentifiedImageError, features

from util.errors import WorkError
from util.image_io.tensors import in_pixels
from util.memory import free_memory

# Nothing else is opened, whatever a file is called: PIL would start other programs for some formats (EPS).
_FORMATS = ("JPEG", "PNG", "PPM", "BMP", "TIFF", "WEBP", "AVIF", "GIF", "JPEG2000", "HEIF")
_BY_NAME = {".tga": "TGA"}  # has no signature: PIL would take many a damaged file for one
_PARTS = {".webp": "webp", ".avif": "avif", ".jp2": "jpg_2000", ".j2k": "jpg_2000"}  # of PIL, lacking in some builds

_BYTES_PER_PIXEL = 24  # while an image is decoded: PIL's own, twice if it has 16 bits, and the tensor
_DEFLATE = 1032  # bytes that one byte can inflate to
_LARGEST_TILE = 2**24  # pixels, of a TIFF with fewer: it takes as much memory as an image of this size
_TILE_SIDES, _DEPTHS = (322, 323), (32997, 32998)  # tags of a TIFF


def opened(file, path):
    """A PIL image of an open file, its pixels not yet decoded."""
    file.seek(0)
    start, suffix = file.read(12), Path(path).suffix.lower()
    heic = start[4:8] == b"ftyp" and start[8:12] not in (b"avif", b"avis")
    if heic:
        with contextlib.suppress(ImportError):
            import pillow_heif  # optional

            pillow_heif.register_heif_opener()
    Image.init()
    formats = [name for name in _FORMATS if name in Image.OPEN]
    if suffix in _BY_NAME:
        formats.append(_BY_NAME[suffix])
    try:
        return Image.open(file, formats=formats)
    except UnidentifiedImageError:
        reason = "not an image, or damaged"
        if heic and "HEIF" not in Image.OPEN:
            reason = "HEIC is read with the package pillow-heif: pip install pillow-heif"
        elif suffix in _PARTS and _PARTS[suffix] not in features.get_supported():
            reason = f"PIL is installed without its part {_PARTS[suffix]}"
        raise ValueError(reason) from None


def refuse_pixels(size, path):
    """Raise WorkError if an image of this (width, height) does not fit into the free memory."""
    needed, free = size[0] * size[1] * _BYTES_PER_PIXEL, free_memory(torch.device("cpu"))
    if needed > free:
        raise WorkError(
            f"{path}: decoding {in_pixels(size)} pixels takes about {needed / 2**30:.1f} GiB of memory, and "
            f"{free / 2**30:.1f} GiB are free; free some, or make the image smaller"
        )


def refuse_too_large(image, path):
    """By what the header says: nothing has been decoded yet."""
    refuse_pixels(image.size, path)
    if image.format == "TIFF":
        width, height = (image.tag_v2.get(tag, 0) for tag in _TILE_SIDES)
        if width * height > max(_LARGEST_TILE, image.width * image.height):
            raise ValueError(f"tiles of {width}x{height} pixels in an image of {in_pixels(image.size)}")
        if any(image.tag_v2.get(tag, 1) != 1 for tag in _DEPTHS):
            raise ValueError("a stack of images as one")


def refuse_damaged_png(file):
    """Compare the check sums of a PNG's pixels, as libpng does; PIL passes over them, and shows the damage.

    Nor may the header ask for more pixels than so many bytes can hold: PIL would leave the missing rows black.
    """
    size, stored = os.fstat(file.fileno()).st_size, 0
    file.seek(16)
    width, height, bits, colour_type = struct.unpack(">IIBB", file.read(10))
    needed = width * height * bits * {2: 3, 4: 2, 6: 4}.get(colour_type, 1) // 8
    place, kind = file.seek(8), None
    while place + 8 <= size and kind != b"IEND":
        length, kind = struct.unpack(">I4s", file.read(8))
        place += length + 12
        if kind == b"IDAT":
            if place > size:
                raise ValueError("truncated: it ends within its pixels")
            contents = file.read(length)
            stored += length
            if file.read(4) != struct.pack(">I", zlib.crc32(contents, zlib.crc32(kind))):
                raise ValueError("damaged: the check sum of its pixels is wrong")
        file.seek(place)
    if needed > (stored + 1) * _DEFLATE:
        raise ValueError(f"damaged: {stored} bytes cannot hold {width}x{height} pixels")


_at_work = threading.Lock()
_limits = []  # one of each reader at work; the first one's is PIL's


@contextlib.contextmanager
def without_pixel_limit():
    """Leave PIL's limit, 179 megapixels for all of the process, to ``refuse_too_large``, which goes by the memory."""
    with _at_work:
        _limits.append(Image.MAX_IMAGE_PIXELS)
        Image.MAX_IMAGE_PIXELS = None
    try:
        yield
    finally:
        with _at_work:
            limit = _limits.pop()
            if not _limits:
                Image.MAX_IMAGE_PIXELS = limit
