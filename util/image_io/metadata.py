"""An image's metadata: the colour profile, and the EXIF that a camera wrote, on their way from file to file."""

import struct
from dataclasses import dataclass

from PIL import Image

PREFIX = b"Exif\0\0"
_ORIENTATION = 0x0112
_INTEROPERABILITY = 0xA005  # a table inside a table; it holds nothing about the image

# A TIFF keeps these tags beside those that say how its pixels are stored; only these concern another file.
_DESCRIPTIVE = (
    *(0x010E, 0x010F, 0x0110, 0x011A, 0x011B, 0x0128),  # description, maker, model, resolution
    *(0x0131, 0x0132, 0x013B, 0x8298),  # software, date, artist, copyright
)
_TABLES = (0x8769, 0x8825)  # exposure and lens; place

# What PIL raises over tags that are damaged or of an unexpected type.
DAMAGED = (SyntaxError, ValueError, KeyError, IndexError, TypeError, AttributeError, OSError, struct.error)


@dataclass(frozen=True)
class Metadata:
    """What a file says about its image.

    Args:
        icc: the colour profile of the RGB values, bytes, or None.
        exif: bytes that begin with ``Exif`` and two zero bytes, as in a JPEG, or None. Without orientation: the
            image has been turned upright.
    """

    icc: bytes | None = None
    exif: bytes | None = None


def read_metadata(image):
    """The metadata of an open PIL image that has not been turned, and its EXIF orientation, 1 to 8.

    Damaged EXIF counts as none. A colour profile for gray or print is left out: it would be wrong on RGB values.
    """
    orientation, exif = 1, None
    try:
        orientation = image.getexif().get(_ORIENTATION, 1)
        exif = _upright(image.info["exif"]) if "exif" in image.info else _tiff_exif(image)
    except DAMAGED:
        orientation = 1
    icc = image.info.get("icc_profile")
    describes_rgb = image.mode in ("RGB", "RGBA", "P", "PA") and icc and icc[16:20] == b"RGB "
    return Metadata(icc if describes_rgb else None, exif), orientation


def _upright(exif):
    """EXIF without its orientation, and without its preview; None if it is no EXIF.

    Nothing else moves: makers' own notes hold places in the whole, and would be spoilt.
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


def _tiff_exif(image):
    """The EXIF of an open TIFF, which is spread among its other tags; None if there is none."""
    tags = descriptive_tags(image.getexif())
    if not tags:
        return None
    exif = Image.Exif()
    exif.update(tags)
    return exif.tobytes()


def descriptive_tags(exif):
    """What a ``PIL.Image.Exif`` says about the image: {tag: value, or a table's {tag: value}}."""
    tags = {tag: exif[tag] for tag in _DESCRIPTIVE if tag in exif}
    for table in _TABLES:
        entries = {tag: value for tag, value in exif.get_ifd(table).items() if tag != _INTEROPERABILITY}
        if entries:
            tags[table] = entries
    return tags
