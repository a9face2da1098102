"""PNG and TIFF with 8 or 16 bits per channel, lossless, written strip by strip.

No package that is required here does: PIL has no colour mode with more than 8 bits, and its compressed TIFFs cannot
hold the tables of EXIF. tifffile cannot either ("extratags cannot be used to write IFD type tags"), and takes four
times as long. torchvision writes PNGs of 8 bits alone. PIL tries five filters for each row of a PNG: enhanced
photographs then are a tenth smaller than with one, and take more than twice as long.
"""

import io
import struct
import zlib
from pathlib import Path

import numpy as np
from PIL import Image
from PIL.TiffImagePlugin import ImageFileDirectory_v2
from PIL.TiffTags import LONG

from util.image_io.metadata import DAMAGED, PREFIX, descriptive_tags

_AVERAGE = b"\3"  # the PNG filter that takes the mean of the left and the upper neighbour as the prediction


def _compressor():
    # Of a photograph's noisy differences only runs are worth looking for: four times faster, and no larger.
    return zlib.compressobj(6, zlib.DEFLATED, 15, 9, zlib.Z_RLE)


def write_png(path, shape, strips, metadata, bits):
    """Write a PNG.

    Args:
        path: the file.
        shape: (H, W, C) of the image; C is 1 to 4: gray, with alpha, RGB, with alpha.
        strips: arrays (h, W, C) from top to bottom, of uint8 or, with 16 bits, uint16.
        metadata: a ``Metadata``.
        bits: 8 or 16, per channel.

    Raises:
        OSError: the file cannot be written.
    """
    height, width, channels = shape
    colour_type = {1: 0, 2: 4, 3: 2, 4: 6}[channels]
    compressor, above = _compressor(), np.zeros((1, width, channels * bits // 8), np.uint8)
    with Path(path).open("wb") as file:
        file.write(b"\x89PNG\r\n\x1a\n")
        _write_chunk(file, b"IHDR", struct.pack(">2I5B", width, height, bits, colour_type, 0, 0, 0))
        if metadata.icc:
            _write_chunk(file, b"iCCP", b"ICC Profile\0\0" + zlib.compress(metadata.icc))
        if metadata.exif:
            _write_chunk(file, b"eXIf", metadata.exif.removeprefix(PREFIX))
        for strip in strips:
            rows = strip.astype(strip.dtype.newbyteorder(">"), order="C").view(np.uint8)  # (h, W, C or 2 C)
            _write_chunk(file, b"IDAT", compressor.compress(_filtered(rows, above)))
            above = rows[-1:]
        _write_chunk(file, b"IDAT", compressor.flush())
        _write_chunk(file, b"IEND", b"")


def _filtered(rows, above):
    """Bytes (h, W, B) less the mean of their left and upper neighbours, each row behind its filter's number."""
    height, width, depth = rows.shape
    upper = np.concatenate([above, rows[:-1]])
    left = np.zeros_like(rows)
    left[:, 1:] = rows[:, :-1]
    mean = (left & upper) + ((left ^ upper) >> 1)  # rounded down, without a ninth bit
    lines = np.full((height, 1 + width * depth), ord(_AVERAGE), np.uint8)
    lines[:, 1:] = (rows - mean).reshape(height, -1)
    return lines.tobytes()


def _write_chunk(file, kind, contents):
    check = zlib.crc32(contents, zlib.crc32(kind))
    file.write(struct.pack(">I", len(contents)) + kind + contents + struct.pack(">I", check))


def write_tiff(path, shape, strips, metadata, bits):
    """Write a TIFF, compressed with deflate.

    Args:
        path, shape, bits: as for ``write_png``.
        strips: also as there, of one height; the last one may be lower.
        metadata: a ``Metadata``; EXIF that PIL cannot take apart is left out.

    Raises:
        OSError: the file cannot be written.
    """
    height, width, channels = shape
    compressed, rows = [], 0
    for strip in strips:
        rows = rows or len(strip)
        differences = strip.astype(strip.dtype.newbyteorder("<"))
        differences[:, 1:] -= strip[:, :-1]
        compressor = _compressor()
        compressed.append(compressor.compress(differences.tobytes()) + compressor.flush())
    layout = {
        256: width,
        257: height,
        258: (bits,) * channels,
        259: 8,  # compression: deflate
        262: 1 if channels < 3 else 2,  # gray with black at 0, or RGB
        277: channels,
        278: rows,
        284: 1,  # the channels of a pixel lie side by side
        317: 2,  # differences of neighbours in a row
    }
    if channels in (2, 4):
        layout[338] = 2  # alpha by which the colours have not been multiplied
    if metadata.icc:
        layout[34675] = metadata.icc
    lengths = [len(strip) for strip in compressed]
    exif = Image.Exif()
    try:
        exif.load(metadata.exif)
        header = _tiff_header(descriptive_tags(exif) | layout, lengths)
    except DAMAGED:
        header = _tiff_header(layout, lengths)
    with Path(path).open("wb") as file:
        file.write(header)
        file.writelines(compressed)


def _tiff_header(values, lengths):
    """A TIFF's header and tags, behind which its strips of these lengths (bytes) follow."""
    tags = ImageFileDirectory_v2()
    for tag, value in values.items():
        tags[tag] = value
    places = np.cumsum([0, *lengths[:-1]]).tolist()  # counted from the end of the tags: PIL adds their length
    for tag, numbers in ((273, places), (279, lengths)):
        tags.tagtype[tag] = LONG
        tags[tag] = tuple(numbers)
    directory = io.BytesIO()
    tags.save(directory)
    return directory.getvalue()
