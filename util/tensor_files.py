"""Files that ``torch.save`` writes: written whole or not at all, and read with care, as they come from anywhere."""

import mmap
import reprlib
import warnings
import zipfile
from pathlib import Path

import torch

from util.errors import WorkError
from util.files import check_regular

# How the field wraps weights: a dict that holds the state dict under one of these keys. Averaged ones come first.
WRAPPERS = ("params_ema", "params", "state_dict", "model_state_dict", "model")
PREFIXES = ("module.", "_orig_mod.")  # put in front of every key by DataParallel and by torch.compile


class NotFinite(WorkError):
    """Losses or weights are not finite numbers."""


def write_tensors(content, path):
    """``torch.save``; an OSError where it cannot write."""
    with Path(path).open("wb") as file:
        try:
            torch.save(content, file)
        except RuntimeError as error:  # PyTorch's writer hides what the system said
            if isinstance(error.__context__, OSError):
                raise error.__context__ from None
            raise


def read_tensors(path):
    """What ``torch.save`` wrote: plain tensors in plain containers, on the CPU. No code in the file is run.

    Raises:
        FileNotFoundError: there is no such file.
        WorkError: the file is damaged, unpacks to more than it takes on the disk, or holds anything else.
    """
    check_regular(path)
    try:
        swells = _swells(path)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of formats that it then reads, or refuses
            content = None if swells else torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise
    except PermissionError as error:
        raise WorkError(f"{path}: cannot be read ({error.strerror.lower()}); change its permissions") from error
    except Exception as error:  # whatever a damaged file makes PyTorch's reader stumble over
        raise WorkError(f"{path}: not a file of PyTorch weights, or damaged; fetch or train it again") from error
    if swells:
        raise WorkError(f"{path}: unpacks to more than it takes on the disk; PyTorch writes no such files: refused")
    _check_plain(content, path)
    return content


def _swells(path):
    """Whether reading a file would take more memory than the file has bytes, by what its index declares.

    PyTorch stores tensors uncompressed, and checks their sizes against the index. What is left is an array of zeros.
    """
    with Path(path).open("rb") as file:
        if zipfile.is_zipfile(file):
            declared = sum(entry.file_size for entry in zipfile.ZipFile(file).infolist())
            if declared > Path(path).stat().st_size:
                return True
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            return content.find(b"bytearray") >= 0


def _check_plain(content, path, key=""):
    """Refuse tensors that hold their values in other ways than side by side, and what is no content of weights."""
    if isinstance(content, dict):
        for name, value in content.items():
            _check_plain(value, path, f"{key}.{name}" if key else str(name))
    elif isinstance(content, (list, tuple)):
        for number, value in enumerate(content):
            _check_plain(value, path, f"{key}[{number}]")
    elif isinstance(content, torch.Tensor) and (kind := _kind(content)):
        raise WorkError(f"{path}: {shown(key) or 'the content'} is a {kind} tensor; only plain ones can be loaded")


def _kind(tensor):
    """What is special about a tensor, or None."""
    if tensor.is_nested:
        return "nested"
    if tensor.is_meta:
        return "meta"
    if tensor.is_quantized:
        return "quantised"
    return None if tensor.layout is torch.strided else "sparse"


def state_dict_in(content, path):
    """The state dict, {key: tensor}, in what a file holds: unwrapped, and without ``module.`` in front of its keys.

    Raises:
        WorkError: there is none; names the key that is in the way.
    """
    state = content
    while isinstance(state, dict) and (inner := next((state[key] for key in WRAPPERS if _wraps(state, key)), None)):
        state = inner
    if not isinstance(state, dict):
        raise WorkError(f"{path}: does not hold a state dict, but {_described(state)}; this is not a weights file")
    for key, value in state.items():
        if not isinstance(key, str):
            raise WorkError(f"{path}: does not hold a state dict: its key {reprlib.repr(key)} is not a name")
        if not isinstance(value, torch.Tensor):
            raise WorkError(
                f"{path}: does not hold a state dict: {reprlib.repr(key)} is {_described(value)}, not a tensor; save "
                f"the state dict alone, or under one of the keys {', '.join(WRAPPERS)}"
            )
    while state and (prefix := next((p for p in PREFIXES if all(key.startswith(p) for key in state)), None)):
        state = {key.removeprefix(prefix): value for key, value in state.items()}
    return dict(state)


def _wraps(state, key):
    return isinstance(state.get(key), dict)


def _described(value):
    if isinstance(value, dict):
        keys = ", ".join(reprlib.repr(key) for key in list(value)[:4])
        return f"a dict of {keys}{', ...' if len(value) > 4 else ''}"
    return type(value).__name__


def shown(key):
    """A key of a file as an error line can hold it."""
    return key if key.isprintable() and len(key) < 100 else reprlib.repr(key)


def first_not_finite(tensors):
    """The key of the first tensor of {key: tensor} that holds NaN or Inf, or None; waits for a GPU only once."""
    floating = {key: value for key, value in tensors.items() if value.is_floating_point()}
    if not floating:
        return None
    finite = [value.isfinite().all() for value in floating.values()]
    if bool(torch.stack(finite).all()):
        return None
    return next(key for key, good in zip(floating, finite, strict=True) if not good)
