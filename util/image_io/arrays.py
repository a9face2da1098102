"""Between numpy arrays, as programs hand images over, and tensors."""

import numpy as np
import torch

from util.image_io.tensors import luma, to_levels

_KINDS = "an array of an image is uint8, uint16, or floating from 0 to 1"


def array_to_tensor(array):
    """The colours of an array, without alpha: a float32 tensor (3, H, W) in [-1, 1].

    Args:
        array: (H, W) or (H, W, 1) gray, (H, W, 2) gray and alpha, (H, W, 3) RGB, (H, W, 4) RGB and alpha; uint8,
            uint16, or floating from 0 to 1.

    Raises:
        TypeError: another type of number.
        ValueError: another shape, or floating values that are not from 0 to 1.
    """
    highest = _highest(array)
    if array.ndim not in (2, 3) or array.size == 0 or (array.ndim == 3 and array.shape[2] > 4):
        raise ValueError(f"an array of an image is (H, W) or (H, W, C) with C from 1 to 4, not {array.shape}")
    colours = _colours(array).astype(np.float32) / highest
    if array.dtype.kind == "f" and not (colours.min() >= 0 and colours.max() <= 1):  # NaN is neither
        raise ValueError(f"{_KINDS}; this one goes from {colours.min():g} to {colours.max():g}: scale or clip it")
    tensor = torch.from_numpy(np.ascontiguousarray(colours.transpose(2, 0, 1))).mul_(2).sub_(1)
    return tensor.expand(3, -1, -1)


def tensor_to_array(tensor, like):
    """A tensor (3, H, W) in [-1, 1] in the form of an array (H, W, ...): its type, channels, range; and its alpha."""
    colours = _colours(like).shape[2]
    tensor = luma(tensor) if colours == 1 else tensor
    if like.dtype.kind == "f":
        values = ((tensor.float() + 1) / 2).clamp_(0, 1).permute(1, 2, 0).cpu().numpy()
    else:
        values = to_levels(tensor, _highest(like))
    result = np.empty_like(like, subok=False)
    (result[:, :, None] if like.ndim == 2 else result)[:, :, :colours] = values
    if result[0, 0].size > colours:
        result[:, :, -1] = like[:, :, -1]
    return result


def _highest(array):
    if array.dtype.kind == "f":
        return 1
    if array.dtype.kind == "u" and array.dtype.itemsize <= 2:
        return np.iinfo(array.dtype).max
    raise TypeError(f"{_KINDS}, not {array.dtype}")


def _colours(array):
    """An array without its alpha: (H, W, 1 or 3)."""
    array = array[:, :, None] if array.ndim == 2 else array
    return array[:, :, : 1 if array.shape[2] < 3 else 3]
