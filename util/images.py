"""Between pictures (PIL) and tensors."""

import numpy as np
import torch
from PIL import Image

_SIXTEEN_BIT = ("I", "I;16", "I;16B", "I;16L", "I;16N")


def colour_values(picture):
    """The colours of a PIL picture, without alpha: a float32 array (H, W, 3) in [0, 1].

    Args:
        picture: any mode: 1, L, P, RGB, CMYK, YCbCr, LAB, with or without alpha, or gray with 16 bits.
    """
    if picture.mode in _SIXTEEN_BIT:  # PIL's own conversion to RGB would clip these at 255
        return _gray_values(picture, 65535)
    if picture.mode == "F":  # floating-point TIFF: [0, 1] by convention, else 8-bit levels
        return _gray_values(picture, 1 if np.asarray(picture).max() <= 1 else 255)
    if picture.has_transparency_data:
        picture = picture.convert("RGBA")  # a palette's transparent entries, too
    return np.asarray(picture.convert("RGB"), dtype=np.float32) / 255


def _gray_values(picture, white):
    gray = np.clip(np.asarray(picture, dtype=np.float32) / white, 0, 1)
    return np.repeat(gray[:, :, None], 3, axis=2)  # (H, W, 3)


def alpha_channel(picture):
    """The alpha channel of a PIL picture, as a picture of mode L, or None if it has none."""
    return picture.convert("RGBA").getchannel("A") if picture.has_transparency_data else None


def to_8bit(picture):
    """Any PIL picture in 8 bits: mode RGB, or RGBA if it has an alpha channel."""
    if picture.mode in ("RGB", "RGBA"):
        return picture
    reduced = Image.fromarray(np.rint(colour_values(picture) * 255).astype(np.uint8))
    alpha = alpha_channel(picture)
    if alpha is not None:
        reduced.putalpha(alpha)
    return reduced


def to_tensor(picture):
    """A PIL picture, without its alpha, as a float32 tensor (3, H, W) in [-1, 1]."""
    return torch.from_numpy(colour_values(picture)).permute(2, 0, 1).contiguous() * 2 - 1


def to_picture(tensor, alpha=None):
    """A tensor (3, H, W) or (1, H, W) in [-1, 1] as an 8-bit PIL picture, rounded and clipped.

    Args:
        tensor: any floating type, on any device.
        alpha: a picture of mode L and the same size, to become the alpha channel.
    """
    levels = ((tensor.detach().float() + 1) * 127.5).round_().clamp_(0, 255).to(torch.uint8)
    array = levels.permute(1, 2, 0).cpu().numpy()  # (H, W, C)
    picture = Image.fromarray(array if array.shape[2] == 3 else array[:, :, 0])
    if alpha is not None:
        picture.putalpha(alpha)
    return picture


def stretch(picture, ratio):
    """A PIL picture with its width times ``ratio`` if that is above 1, its height divided by it if below (bicubic)."""
    if ratio == 1:
        return picture
    width, height = picture.size
    size = (round(width * ratio), height) if ratio > 1 else (width, round(height / ratio))
    return picture.resize(size, Image.Resampling.BICUBIC)
