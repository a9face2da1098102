"""Colours of 16 bits, of which PIL keeps the high bytes: how to have it decode the low ones, too.

Its decoders hold against damaged files, and take no more memory than the header asks for. Of those tried, torchvision's
ended the process, and tifffile's filled the memory with what a strip of a few megabytes inflates to.
"""

import re
import sys

_BITS, _PLANES = 258, 284  # tags of a TIFF
_CHANNELS, GRAY_ALPHA = ("R", "G", "B", "A"), "LA;16B"  # raw modes
_DEEP_COLOURS = re.compile(r"(RGB|RGBX|RGBA|[RGBA]);16[LBN]|LA;16B")


def raw_modes(image):
    """How the pixels of an image lie in its file, tile by tile, in PIL's words ("RGB;16B")."""
    return [tile[3] if isinstance(tile[3], str) else (tile[3] or ("",))[0] for tile in image.tile]


def _retiled(image, raw_modes):
    """What ``image.tile`` is with other raw modes."""
    tiles = []
    for tile, raw_mode in zip(image.tile, raw_modes, strict=True):
        make = getattr(type(tile), "_make", tuple)  # PIL before 11 has plain tuples
        tiles.append(make([*tile[:3], raw_mode if isinstance(tile[3], str) else (raw_mode, *tile[3][1:])]))
    return tiles


def mend_planes(image):
    """Have PIL read 16 bits of a TIFF whose colours lie apart, uncompressed: it takes them for 8."""
    if image.format == "TIFF" and set(image.tag_v2.get(_BITS, ())) == {16} and image.tag_v2.get(_PLANES) == 2:
        order = ";16B" if image.tag_v2.prefix == b"MM" else ";16L"
        image.tile = _retiled(image, [mode + order if mode in _CHANNELS else mode for mode in raw_modes(image)])


def low_byte_tiles(image):
    """What ``image.tile`` has to be for PIL to decode the low bytes of 16 bits per channel; None for other images.

    PIL keeps the high byte of each. Told that the two are in the other order, it keeps the low one.
    """
    modes = raw_modes(image)
    if image.format not in ("PNG", "TIFF") or not all(_DEEP_COLOURS.fullmatch(mode) for mode in modes):
        return None
    if image.tile[0][0] == "libtiff" and image.tag_v2.get(_PLANES) == 2:
        return None  # there PIL takes the high bytes, whatever it is told
    other = {"L": "B", "B": "L", "N": "B" if sys.byteorder == "little" else "L"}
    # Gray and alpha in 16 bits have no other order; read as four channels of 8 bits, the second one is gray's low byte.
    return _retiled(image, ["RGBA" if mode == GRAY_ALPHA else mode[:-1] + other[mode[-1]] for mode in modes])
