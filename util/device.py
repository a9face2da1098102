"""Choosing the device to compute on."""

import os
from time import perf_counter

import torch

from util.distributed import gpu_of_this_process
from util.errors import UsageError


def select_device(gpu_ids=(0,)):
    """The device that ``--gpu_ids`` asks for; the CPU, with a line that says so, where there is no GPU.

    ROCm calls AMD's GPUs CUDA devices, too. An Apple GPU is ``mps``; it is taken where no CUDA device is.

    Args:
        gpu_ids: a list with one GPU number or ``"mps"``, or an empty one for the CPU. With torchrun, see
            ``gpu_of_this_process``.

    Raises:
        UsageError: there are GPUs, but not this one, or no Apple GPU.
    """
    if not gpu_ids:
        return _cpu()
    if "mps" in gpu_ids and not torch.backends.mps.is_available():
        raise UsageError("--gpu_ids mps: this machine has no Apple GPU, or PyTorch cannot use it")
    if "mps" in gpu_ids or (torch.backends.mps.is_available() and not torch.cuda.is_available()):
        return torch.device("mps")
    if not torch.cuda.is_available():
        print("no GPU found: computing on the CPU")
        return _cpu()
    number = gpu_of_this_process(gpu_ids)
    last = torch.cuda.device_count() - 1
    if number > last:
        raise UsageError(f"--gpu_ids {number}: there is no such GPU; this machine has 0 to {last}")
    torch.cuda.set_device(number)
    return torch.device("cuda", number)


def _cpu():
    # Numbers below 1e-38 can make a CPU 30 times slower, and change no result. Threads that start later do the same.
    torch.set_flush_denormal(True)
    # Large pages: page faults cost more time than computing a new feature map (Linux; read at the first tensor).
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")
    return torch.device("cpu")


def cores():
    """How many processor cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def to_host(tensors):
    """Begin to copy tensors, {key: tensor}, to the CPU: the copies, and a function that returns once they are whole.

    From a GPU they come through pinned memory, while it computes what follows.
    """
    copies = {key: tensor.to("cpu", non_blocking=tensor.is_cuda) for key, tensor in tensors.items()}
    if not any(tensor.is_cuda for tensor in tensors.values()):
        return copies, lambda: None
    whole = torch.cuda.Event(blocking=True)
    whole.record()
    return copies, whole.synchronize


class Stopwatch:
    """Measures what a device computes, from here to ``stop``, without waiting for it."""

    def __init__(self, device):
        self.device = device
        self.start = self.end = self._mark()

    def _mark(self):
        if self.device.type != "cuda":
            return perf_counter()
        event = torch.cuda.Event(enable_timing=True, blocking=True)
        event.record()
        return event

    def stop(self):
        """The work to be measured has been given to the device."""
        self.end = self._mark()

    def seconds(self):
        """What the work took, once it is done."""
        if self.device.type != "cuda":
            return self.end - self.start
        self.end.synchronize()
        return self.start.elapsed_time(self.end) / 1000


def widest(device):
    """The most precise type of numbers on a device: Apple's GPUs have no double precision."""
    return torch.float32 if device.type == "mps" else torch.float64


def device_name(device):
    """A device in words."""
    if device.type == "mps":
        return "Apple GPU"
    if device.type == "cuda":
        return f"{torch.cuda.get_device_name(device)} ({device})"
    threads = torch.get_num_threads()
    return f"CPU, {threads} thread{'s' if threads > 1 else ''}"
