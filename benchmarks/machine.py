"""What the machine is, and what it can do at best: the ceilings that other figures are compared with."""

import os
import platform
import time
from pathlib import Path

import torch

PRODUCT_SIDES = (1024, 2048, 4096)  # of the square matrices whose product is timed
PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16}
COPIED = 256 * 2**20  # bytes


def describe(device):
    """{"machine", "threads", "torch", "python"} in words and numbers."""
    on_gpu = device.type == "cuda"
    return {
        "machine": torch.cuda.get_device_name(device) if on_gpu else f"{_processor()}, {os.cpu_count()} cores",
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "python": platform.python_version(),
    }


def _processor():
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def ceilings(device, repeats=5, sides=PRODUCT_SIDES, copied=COPIED):
    """The best that was reached: {"fp32", "bf16": floating-point operations per second, "copy": bytes per second}.

    A copy counts its bytes once read and once written; each figure is the best of several tries and, for products,
    of several sizes, since a ceiling is asked for.
    """
    found = {name: max(product_rate(device, name, side, repeats) for side in sides) for name in PRECISIONS}
    source = torch.zeros(copied // 4, device=device)
    target = torch.empty_like(source)
    seconds = [timed(lambda: target.copy_(source), device) for _ in range(repeats + 1)]
    found["copy"] = 2 * copied / min(seconds[1:])
    return found


def product_rate(device, precision, side=2048, repeats=5):
    """Floating-point operations per second of the fastest of several products of square matrices.

    Args:
        precision: a key of PRECISIONS.
        side: rows and columns n; a product counts 2 n^3 operations.
    """
    left, right = (torch.rand(side, side, device=device).to(PRECISIONS[precision]) for _ in range(2))
    seconds = [timed(lambda: left @ right, device) for _ in range(repeats + 1)]
    return 2 * side**3 / min(seconds[1:])


def timed(work, device):
    """Seconds that ``work()`` takes until the device has finished it."""
    synchronize(device)
    start = time.perf_counter()
    work()
    synchronize(device)
    return time.perf_counter() - start


def synchronize(device):
    """Wait until a GPU has finished; a CPU always has."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
