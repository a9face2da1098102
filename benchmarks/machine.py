"""What the machine is, and what it can do at best: the ceilings that other figures are compared with."""

import os
import platform
import time
from pathlib import Path

import torch

PRODUCT_SIDES = {"cpu": (1024, 2048, 4096), "cuda": (4096, 8192)}  # of the square matrices whose product is timed
USUAL_SIDE = {"cpu": 2048, "cuda": 8192}
PRECISIONS = {"fp32": torch.float32, "tf32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
COPIED = 256 * 2**20  # bytes


def describe(device):
    """{"machine", "threads", "torch", "python", "cuda"} in words and numbers; the last is PyTorch's, None without."""
    on_gpu = device.type == "cuda"
    return {
        "machine": torch.cuda.get_device_name(device) if on_gpu else f"{_processor()}, {os.cpu_count()} cores",
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "python": platform.python_version(),
        "cuda": torch.version.cuda,
    }


def _processor():
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def used_precision(device, switches):
    """The key of PRECISIONS in which convolutions compute: on a GPU, PyTorch takes TF32 for fp32."""
    half = next((name for name in ("bf16", "fp16") if name in switches.split()), None)
    return half or ("tf32" if device.type == "cuda" and torch.backends.cudnn.allow_tf32 else "fp32")


def ceilings(device, repeats=5, sides=None, copied=COPIED):
    """The best that was reached: {"fp32", "bf16", on a GPU "tf32": floating-point operations per second, "copy": bytes
    per second}.

    A copy counts its bytes once read and once written; each figure is the best of several tries and, for products,
    of several sizes, since a ceiling is asked for.
    """
    sides = sides or PRODUCT_SIDES[device.type]
    names = ("fp32", "bf16") if device.type == "cpu" else ("fp32", "tf32", "bf16")
    found = {name: max(product_rate(device, name, side, repeats) for side in sides) for name in names}
    source = torch.zeros(copied // 4, device=device)
    target = torch.empty_like(source)
    seconds = [timed(lambda: target.copy_(source), device) for _ in range(repeats + 1)]
    found["copy"] = 2 * copied / min(seconds[1:])
    return found


def product_rate(device, precision, side=None, repeats=5):
    """Floating-point operations per second of the fastest of several products of square matrices.

    Args:
        precision: a key of PRECISIONS.
        side: rows and columns n; a product counts 2 n^3 operations. None: USUAL_SIDE.
    """
    side = side or USUAL_SIDE[device.type]
    left, right = (torch.rand(side, side, device=device).to(PRECISIONS[precision]) for _ in range(2))
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("high" if precision == "tf32" else "highest")
    seconds = [timed(lambda: left @ right, device) for _ in range(repeats + 1)]
    torch.set_float32_matmul_precision(before)
    return 2 * side**3 / min(seconds[1:])


def timed(work, device, calls=1):
    """Seconds that ``work()`` takes until the device has finished it, the mean of some calls in a row."""
    synchronize(device)
    start = time.perf_counter()
    for _ in range(calls):
        work()
    synchronize(device)
    return (time.perf_counter() - start) / calls


def synchronize(device):
    """Wait until a GPU has finished; a CPU always has."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
