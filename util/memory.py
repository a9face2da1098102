"""How much memory is free, and advice when it is not enough."""

import contextlib
import os
from pathlib import Path

import torch

from util.errors import WorkError

# In messages of CUDA's and Apple's GPUs, of cuBLAS and cuDNN, and of the machine's own memory.
SIGNS = ("out of memory", "ALLOC_FAILED", "DefaultCPUAllocator")
UNKNOWN = 4 * 2**30  # bytes, where the system does not tell


def free_memory(device):
    """The bytes that can still be allocated on a device (a ``torch.device``), without swapping."""
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        # What PyTorch keeps for itself and does not use at the moment is free, too.
        return free + torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    limits = [limit for limit in (_available(), _left_in_control_group()) if limit is not None]
    return min(limits, default=UNKNOWN)


def out_of_memory(error):
    """Whether an exception says that a GPU's memory, or the machine's, is used up."""
    return isinstance(error, torch.OutOfMemoryError) or any(sign in str(error) for sign in SIGNS)


@contextlib.contextmanager
def memory_advice(advice):
    """Turn running out of memory into a ``WorkError`` that says what to do."""
    try:
        yield
    except RuntimeError as error:
        if out_of_memory(error):
            raise WorkError(f"out of memory: {advice}") from error
        raise


def _available():
    """Linux: what is free without swapping. Elsewhere: half of the machine's memory, None if that is unknown."""
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2
    except (AttributeError, ValueError, OSError):  # Windows has no sysconf
        return None


def _left_in_control_group(folder=Path("/sys/fs/cgroup")):
    """What a container's limit (control groups, version 2) leaves, or None where there is none."""
    try:
        limit, used = ((folder / name).read_text().strip() for name in ("memory.max", "memory.current"))
    except OSError:
        return None
    return None if limit == "max" else max(0, int(limit) - int(used))
