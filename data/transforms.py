"""Resizing, cropping, flipping; and the padding that lets a network take any size."""

import torch.nn.functional as F
from PIL import Image

PREPROCESS = ("resize_and_crop", "crop", "scale_width", "scale_width_and_crop", "none")


def preprocess(picture, mode, load_size, crop_size, multiple=1, smallest=1, rng=None):
    """Resize and crop a PIL picture as ``--preprocess`` says (the CycleGAN family's modes).

    Args:
        mode: ``resize_and_crop``: to a square of ``load_size``, then a square crop; ``crop``: a crop alone;
            ``scale_width``: to the width ``load_size``; ``scale_width_and_crop``; ``none``.
        load_size, crop_size: pixels.
        multiple, smallest: sides that are not cropped are rounded to a multiple of this, and are at least this
            (pixels; itself a multiple).
        rng: a ``random.Random`` that places the crop; None takes the middle.

    A picture smaller than the crop is first enlarged until its shorter side fits. All resizing is bicubic.
    """
    picture = resized(picture, mode, load_size)
    if mode.endswith("crop"):
        return _crop(picture, crop_size, rng)
    width, height = (max(smallest, round(side / multiple) * multiple) for side in picture.size)
    return _resize(picture, width, height)


def resized(picture, mode, load_size):
    """The part of ``preprocess`` in which nothing is drawn: the picture in the size that ``mode`` resizes to.

    Done twice it does no more than once.
    """
    if mode == "resize_and_crop":
        return _resize(picture, load_size, load_size)
    if mode.startswith("scale_width"):
        return _resize(picture, load_size, round(picture.height * load_size / picture.width))
    return picture


def _resize(picture, width, height):
    width, height = max(1, width), max(1, height)
    if picture.size == (width, height):
        return picture
    return picture.resize((width, height), Image.Resampling.BICUBIC)


def _crop(picture, size, rng):
    short = min(picture.size)
    if short < size:
        picture = _resize(
            picture, max(size, round(picture.width * size / short)), max(size, round(picture.height * size / short))
        )
    spare_x, spare_y = picture.width - size, picture.height - size
    left, top = (rng.randint(0, spare_x), rng.randint(0, spare_y)) if rng else (spare_x // 2, spare_y // 2)
    return picture.crop((left, top, left + size, top + size))


def pad_to_multiple(x, multiple, smallest):
    """Extend a batch to the right and below until a network takes it; cut ``[..., :H, :W]`` to undo it.

    Reflection, or repetition of the last pixel where there are too few pixels to reflect.

    Args:
        x: (N, C, H, W), any H and W from 1 up.
        multiple: what the sides must be multiples of (pixels).
        smallest: the least side (pixels), itself a multiple.
    """
    for axis in (-2, -1):
        side = x.shape[axis]
        missing = max(smallest, -(-side // multiple) * multiple) - side
        if missing:
            padding = (0, 0, 0, missing) if axis == -2 else (0, missing, 0, 0)
            x = F.pad(x, padding, mode="reflect" if missing < side else "replicate")
    return x
