"""Resizing, cropping, flipping; and the padding that lets a network take any size."""

import torch.nn.functional as F
from PIL import Image

PREPROCESS = ("resize_and_crop", "crop", "scale_width", "scale_width_and_crop", "none")


def preprocess(image, mode, load_size, crop_size, multiple=1, smallest=1, rng=None):
    """Resize and crop a PIL image as ``--preprocess`` says (the CycleGAN family's modes).

    Args:
        mode: ``resize_and_crop``: to a square of ``load_size``, then a square crop; ``crop``: a crop alone;
            ``scale_width``: to the width ``load_size``; ``scale_width_and_crop``; ``none``.
        load_size, crop_size: pixels.
        multiple, smallest: sides that are not cropped are rounded to a multiple of this, and are at least this
            (pixels; itself a multiple).
        rng: a ``random.Random`` that places the crop; None takes the middle.

    An image smaller than the crop is first enlarged until its shorter side fits. All resizing is bicubic.
    """
    image = resized(image, mode, load_size)
    if mode.endswith("crop"):
        return _crop(image, crop_size, rng)
    width, height = (max(smallest, round(side / multiple) * multiple) for side in image.size)
    return _resize(image, width, height)


def resized(image, mode, load_size):
    """The part of ``preprocess`` in which nothing is drawn: the image in the size that ``mode`` resizes to.

    Done twice it does no more than once.
    """
    if mode == "resize_and_crop":
        return _resize(image, load_size, load_size)
    if mode.startswith("scale_width"):
        return _resize(image, load_size, round(image.height * load_size / image.width))
    return image


def _resize(image, width, height):
    width, height = max(1, width), max(1, height)
    if image.size == (width, height):
        return image
    return image.resize((width, height), Image.Resampling.BICUBIC)


def _crop(image, size, rng):
    short = min(image.size)
    if short < size:
        image = _resize(
            image, max(size, round(image.width * size / short)), max(size, round(image.height * size / short))
        )
    spare_x, spare_y = image.width - size, image.height - size
    left, top = (rng.randint(0, spare_x), rng.randint(0, spare_y)) if rng else (spare_x // 2, spare_y // 2)
    return image.crop((left, top, left + size, top + size))


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
