"""The enhancer as one file that runs without this project: ONNX or TorchScript.

The file takes ``low`` (N, 3, H, W), float32 in [-1, 1], any N, H and W from 1 up, and returns ``enhanced``, the same
shape, in [-1, 1]. It needs memory for the whole image at once: the NRN alone keeps 256 values for each pixel.

ONNX, with nothing but onnxruntime, NumPy and Pillow::

    network = onnxruntime.InferenceSession("enhancer.onnx")
    low = np.asarray(Image.open("dark.jpg").convert("RGB"), np.float32) / 127.5 - 1  # (H, W, 3)
    enhanced = network.run(None, {"low": low.transpose(2, 0, 1)[None]})[0][0]  # (3, H, W)
    levels = ((enhanced.transpose(1, 2, 0) + 1) * 127.5).round().clip(0, 255)
    Image.fromarray(levels.astype(np.uint8)).save("bright.png")

TorchScript, on any device::

    network = torch.jit.load("enhancer.pt", map_location="cuda")
    enhanced = network(low)  # tensors on that device
"""

import copy
import importlib.util
import io
import warnings

import numpy as np
import torch
from torch import nn

from models.networks.nrn import indices
from util.errors import WorkError
from util.files import write_file

SUFFIXES = {"onnx": ".onnx", "torchscript": ".pt"}  # of the kinds of file
OPSET = 17  # the version of ONNX's operators; onnxruntime 1.17 and later were seen to run it
TOLERANCE = 1e-3  # greatest difference from PyTorch that is accepted, of values in [-1, 1]

# What PyTorch warns of here: that it prefers other ways of exporting (they lack dynamic sizes in torch 2.5), branches
# that no size of image changes, and instance norms, which evaluate as they train.
HARMLESS = (
    r"`torch\.jit\.\w+` is deprecated|You are using the legacy|The feature will be removed"
    r"|Converting a tensor to a Python boolean|Constant folding|ONNX export mode is set to TrainingMode\.EVAL"
)


def export_enhancer(enhancer, kind, path):
    """Write an enhancer to a file for other programs, and check the file against PyTorch on the CPU.

    Args:
        enhancer: an ``Enhancer`` on any device; it is left as it is.
        kind: ``onnx`` or ``torchscript``.
        path: the file; its folder exists.

    Returns:
        What to print: a line with the greatest difference from PyTorch, or saying why it was not measured.

    Raises:
        WorkError: a package is missing, the file cannot be written, or it fails or computes something else. An old
            file is then left untouched, and no new one is there.
    """
    if kind == "onnx" and not _installed("onnx"):
        raise WorkError("the package onnx is not installed; pip install -r requirements-export.txt installs it")
    enhancer = copy.deepcopy(enhancer).cpu().float().eval().requires_grad_(False)
    said = []

    def write(beside):
        try:
            beside.write_bytes(_exported(enhancer, kind))
            said.append(_check(enhancer, kind, str(beside)))
        except OSError:  # write_file knows what to say
            raise
        except Exception as error:  # besides a wrong result, whatever an exporter or onnxruntime may raise
            reason = str(error).strip().partition("\n")[0] or type(error).__name__
            raise WorkError(f"{path}: not written: {reason}") from error

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=HARMLESS)
        write_file(path, write)
    return f"{path}: {said[0]}"


class AnySize(nn.Module):
    """An enhancer whose padding depends on the size of its input when it is traced, too.

    In a trace, sizes are tensors, and whatever Python decides by them is decided for good by the example. So the
    padding is computed here as indices, and the enhancer within gets images that need none.
    """

    def __init__(self, enhancer):
        super().__init__()
        self.enhancer = enhancer

    def forward(self, low):
        height, width = low.shape[-2:]
        padded = low.index_select(2, self.places(height, low)).index_select(3, self.places(width, low))
        return self.enhancer(padded)[..., :height, :width]

    def places(self, side, like):
        """From where the pixels of an extended side come, int64 (extended,): ``pad_to_multiple`` in one formula."""
        multiple, smallest = self.enhancer.multiple, self.enhancer.smallest
        rounded = (side + multiple - 1) // multiple * multiple
        extended = (rounded + smallest + abs(rounded - smallest)) // 2  # the greater of the two
        place, last = indices(extended, like).long(), side - 1
        mirrored, repeated = last - (place - last).abs(), place.clamp(max=last)
        return torch.where(place[-1] - last < side, mirrored, repeated)


def _exported(enhancer, kind):
    """The bytes of the file."""
    network, example = AnySize(enhancer).eval(), torch.zeros(1, 3, enhancer.smallest, enhancer.smallest)
    file, sizes = io.BytesIO(), {0: "N", 2: "H", 3: "W"}
    with torch.enable_grad():  # then the NRN works in one piece; without, in strips, as many as for the example
        if kind == "torchscript":
            torch.jit.save(torch.jit.trace(network, example, check_trace=False), file)
        else:
            torch.onnx.export(
                network,
                (example,),
                file,
                dynamo=False,
                opset_version=OPSET,
                input_names=["low"],
                output_names=["enhanced"],
                dynamic_axes={"low": sizes, "enhanced": sizes},
            )
    return file.getvalue()


def _check(enhancer, kind, file):
    """Compare a written file with PyTorch; returns the result in words. Raises WorkError where they disagree."""
    if kind == "onnx" and not _installed("onnxruntime"):
        return "not checked, for want of onnxruntime; pip install -r requirements-export.txt installs it"
    run = {"onnx": _onnx_runner, "torchscript": torch.jit.load}[kind](file)
    random, greatest, sizes = torch.Generator().manual_seed(0), 0.0, []
    # Sides of more than small / 2 are reflected; of shorter ones, the last pixel is repeated. Tiny images would be of
    # no use: where nearly all is repetition, the norms magnify rounding until PyTorch differs from itself.
    small = enhancer.smallest
    shapes = (1, small + 29, small // 2 + 18), (2, small // 2 - 1, small + 56), (1, small + 62, small // 2 - 2)
    for n, height, width in shapes:
        low = torch.rand(n, 3, height, width, generator=random) * 2 - 1
        with torch.no_grad():
            expected, found = enhancer(low), run(low)
        sizes.append(f"{width}x{height}")
        if found.shape != expected.shape:
            raise WorkError(f"the exported network makes {tuple(found.shape)} of {tuple(low.shape)}")
        greatest = np.maximum(greatest, (found - expected).abs().max().item())  # NaN stays NaN
    result = f"differs from PyTorch by at most {greatest:.1e} in [-1, 1], {greatest * 127.5:.2g} gray levels,"
    if not greatest <= TOLERANCE:
        raise WorkError(f"the exported network {result} and {TOLERANCE:g} is accepted")
    return f"{result} on {', '.join(sizes)}"


def _onnx_runner(file):
    import onnxruntime

    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    return lambda low: torch.from_numpy(session.run(None, {"low": low.numpy()})[0])


def _installed(package):
    return importlib.util.find_spec(package) is not None
