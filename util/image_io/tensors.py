"""Between images (PIL) and tensors.

Large images are converted strip by strip: beside the result, only a few rows exist in another form.
"""

import numpy as np
import torch
from PIL import Image

_SIXTEEN_BIT = ("I", "I;16", "I;16B", "I;16L", "I;16N")
_STRIP = 2**18  # pixels
_LUMA = (0.299, 0.587, 0.114)


def row_strips(width, height):
    """Slices that part ``height`` rows, in order, into strips of equally many (the last one may be lower)."""
    rows = max(1, _STRIP // width)
    return [slice(top, min(top + rows, height)) for top in range(0, height, rows)]


def in_pixels(size):
    """(width, height) as a text."""
    return f"{size[0]}x{size[1]}"


def is_deep(image):
    """Whether a PIL image has more than 8 bits per channel: gray in every case."""
    return image.mode in _SIXTEEN_BIT or image.mode == "F"


def is_gray(image):
    """Whether a PIL image has no colours; that of a palette has, whatever they are."""
    return is_deep(image) or image.mode in ("1", "L", "LA", "La")


def alpha_channel(image):
    """The alpha channel of a PIL image, as an image of mode L, or None if it has none."""
    if is_deep(image) or not image.has_transparency_data:
        return None
    return (image if image.mode in ("RGBA", "LA") else image.convert("RGBA")).getchannel("A")


def to_8bit(image):
    """Any PIL image in 8 bits: mode RGB, or RGBA if it has an alpha channel."""
    if image.mode in ("RGB", "RGBA") and "transparency" not in image.info:
        return image
    if is_deep(image):  # PIL's own conversion would clip these at 255
        gray = np.rint(_gray(image, _white(image)) * 255)
        return Image.fromarray(gray.astype(np.uint8)).convert("RGB")
    return image.convert("RGBA" if image.has_transparency_data else "RGB")


def to_tensor(image, low=None):
    """The colours of a PIL image, without alpha: a float32 tensor (3, H, W) in [-1, 1].

    Args:
        image: any mode: 1, L, P, RGB, CMYK, YCbCr, LAB, with or without alpha, or gray with 16 bits or floating.
        low: where ``image`` holds the high bytes of 16 bits, an image of mode RGB or RGBA with the low ones.
    """
    width, height = image.size
    white = _white(image) if is_deep(image) else None
    tensor = torch.empty(3, height, width)
    for rows in row_strips(width, height):
        strip = image.crop((0, rows.start, width, rows.stop))
        if white:
            tensor.numpy()[:, rows] = _gray(strip, white)
        else:
            colours, highest = _rgb(strip), 255  # (h, W, 3)
            if low:
                colours, highest = colours * 256 + _rgb(low.crop((0, rows.start, width, rows.stop))), 65535
            tensor.numpy()[:, rows] = colours.transpose(2, 0, 1) / highest
    return tensor.mul_(2).sub_(1)


def _rgb(image):
    return np.asarray(to_8bit(image).convert("RGB"), dtype=np.float32)


def _white(image):
    if image.mode in _SIXTEEN_BIT:
        return 65535
    return 1 if image.getextrema()[1] <= 1 else 255  # floating-point TIFF: [0, 1] by convention, else 8-bit levels


def _gray(image, white):
    return np.clip(np.asarray(image, dtype=np.float32) / white, 0, 1)  # (H, W)


def luma(tensor):
    """The brightness of a tensor (3, H, W): (1, H, W), as ITU-R BT.601 weighs red, green and blue."""
    return torch.einsum("chw,c->hw", tensor.float(), tensor.new_tensor(_LUMA, dtype=torch.float32))[None]


def rounded(tensor, highest=255):
    """A tensor in [-1, 1] as whole numbers from 0 to ``highest``, rounded and clipped, on its device.

    Args:
        tensor: any shape and floating type; uint8 stays as it is.
        highest: 255 or 65535.

    Returns:
        uint8, or int32 for 65535.
    """
    if tensor.dtype == torch.uint8:
        return tensor
    levels = tensor.detach().float().add(1).mul_(highest / 2).round_().clamp_(0, highest)
    return levels.to(torch.uint8 if highest == 255 else torch.int32)


def to_levels(tensor, highest=255):
    """A tensor (C, H, W) as a numpy array (H, W, C), uint8 or uint16; see ``rounded``."""
    channels, height, width = tensor.shape
    levels = np.empty((height, width, channels), np.uint8 if highest == 255 else np.uint16)
    for channel, plane in enumerate(rounded(tensor, highest).cpu().numpy()):
        levels[:, :, channel] = plane
    return levels


def to_image(tensor, alpha=None):
    """A tensor (3, H, W) or (1, H, W) as an 8-bit PIL image.

    Args:
        tensor: in [-1, 1], of any floating type, or ``rounded``; on any device.
        alpha: an image of mode L and the same size, to become the alpha channel.
    """
    channels, height, width = tensor.shape
    image = Image.new("RGB" if channels == 3 else "L", (width, height))
    for rows in row_strips(width, height):
        levels = to_levels(tensor[:, rows])
        image.paste(Image.fromarray(levels if channels == 3 else levels[:, :, 0]), (0, rows.start))
    if alpha is not None:
        image.putalpha(alpha)
    return image


def stretch(image, ratio):
    """A PIL image with its width times ``ratio`` if that is above 1, its height divided by it if below (bicubic)."""
    if ratio == 1:
        return image
    width, height = image.size
    size = (round(width * ratio), height) if ratio > 1 else (width, round(height / ratio))
    return image.resize(size, Image.Resampling.BICUBIC)


def each_channel(tensor, change):
    """Resize a tensor (C, H, W) at full precision: ``change`` gets each channel as a PIL image and returns one."""
    return torch.stack([torch.from_numpy(np.array(change(Image.fromarray(x.numpy())))) for x in tensor])
