"""EXIF as bytes: what a camera told about a photograph, on its way from one file to another.

Everywhere in this project it begins with ``Exif`` and two zero bytes, as in a JPEG.
"""

import struct

from PIL import Image

PREFIX = b"Exif\0\0"
_ORIENTATION = 0x0112
_INTEROPERABILITY = 0xA005  # a table inside a table; it holds nothing about the photograph

# A TIFF keeps these tags beside those that say how its pixels are stored; only these concern another file.
_TOLD_IN_TIFF = (
    *(0x010E, 0x010F, 0x0110, 0x011A, 0x011B, 0x0128),  # description, maker, model, resolution
    *(0x0131, 0x0132, 0x013B, 0x8298),  # software, date, artist, copyright
)
_TABLES = (0x8769, 0x8825)  # exposure and lens; place

# What PIL raises over tags that are damaged or of an unexpected type.
DAMAGED = (SyntaxError, ValueError, KeyError, IndexError, TypeError, AttributeError, OSError, struct.error)


def upright_exif(exif):
    """EXIF without its orientation, for an image that has been turned, and without its preview.

    Nothing else moves: makers' own notes hold places in the whole, and would be spoilt.

    Args:
        exif: bytes, with or without the prefix.

    Returns:
        bytes, or None if they are no EXIF.
    """
    exif = exif.removeprefix(PREFIX)
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(exif[:4])
    try:
        (start,) = struct.unpack_from(f"{order}I", exif, 4)
        (count,) = struct.unpack_from(f"{order}H", exif, start)
        entries = [struct.unpack_from("12s", exif, start + 2 + 12 * i)[0] for i in range(count)]
        struct.unpack_from("4s", exif, start + 2 + 12 * count)
    except struct.error:
        return None
    kept = [entry for entry in entries if struct.unpack_from(f"{order}H", entry)[0] != _ORIENTATION]
    # The zeros also end the list of tables, in which the preview would come next.
    table = struct.pack(f"{order}H", len(kept)) + b"".join(kept) + bytes(4 + 12 * (count - len(kept)))
    return PREFIX + exif[:start] + table + exif[start + len(table) :]


def tiff_exif(image):
    """The same for a TIFF that is open, whose EXIF is spread among its own tags; None if it has none."""
    told = told_tags(image.getexif())
    if not told:
        return None
    exif = Image.Exif()
    exif.update(told)
    return exif.tobytes()


def told_tags(exif):
    """What a ``PIL.Image.Exif`` tells about the photograph: {tag: value, or a table's {tag: value}}."""
    told = {tag: exif[tag] for tag in _TOLD_IN_TIFF if tag in exif}
    for table in _TABLES:
        tags = {tag: value for tag, value in exif.get_ifd(table).items() if tag != _INTEROPERABILITY}
        if tags:
            told[table] = tags
    return told
