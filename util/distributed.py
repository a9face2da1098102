"""Several processes that train one model, or share images out (torch.distributed, started by torchrun).

One process is the plain case.
"""

import contextlib
import os
from pathlib import Path

import torch
import torch.distributed as dist

_control = None  # a second group over gloo: messages between hosts that no GPU has to wait for


def launched():
    """Whether torchrun started this process among others."""
    return int(os.environ.get("WORLD_SIZE", "1")) > 1


def processes_here():
    """How many processes torchrun started on this machine; 1 without it."""
    return int(os.environ.get("LOCAL_WORLD_SIZE", "1"))


def rank():
    """The number of this process, from 0."""
    return dist.get_rank() if dist.is_initialized() else 0


def world_size():
    """The number of processes."""
    return dist.get_world_size() if dist.is_initialized() else 1


def is_main():
    """Whether this process is the one that writes and shows."""
    return rank() == 0


@contextlib.contextmanager
def processes(opt):
    """Join the other processes for the duration of a ``with`` statement; nothing to do for a single one.

    NCCL connects GPUs, gloo CPUs. Processes other than the first print nothing.

    Args:
        opt: reads gpu_ids; an empty list stands for the CPU.
    """
    global _control
    if not launched():
        yield
        return
    on_gpu = bool(opt.gpu_ids) and torch.cuda.is_available()
    dist.init_process_group("nccl" if on_gpu else "gloo")
    _control = dist.new_group(backend="gloo")
    try:
        with contextlib.ExitStack() as stack:
            if not is_main():
                silence = stack.enter_context(Path(os.devnull).open("w"))
                stack.enter_context(contextlib.redirect_stdout(silence))
            yield
    finally:
        dist.destroy_process_group()
        _control = None


def gpu_of_this_process(gpu_ids):
    """The GPU number that this process is to use, of those in ``--gpu_ids``."""
    if not launched():
        return gpu_ids[0]
    local = int(os.environ["LOCAL_RANK"])
    return gpu_ids[local] if len(gpu_ids) == processes_here() else local


def average_gradients(optimizer):
    """Replace the gradient of each of an optimizer's parameters by its mean over all processes."""
    _average([p.grad for group in optimizer.param_groups for p in group["params"] if p.grad is not None])


def average_statistics(networks):
    """Replace the running statistics of the batch norms of some networks by their mean over all processes."""
    _average([buffer for network in networks for buffer in network.buffers() if buffer.is_floating_point()])


def _average(tensors):
    if world_size() == 1 or not tensors:
        return
    flat = torch.cat([tensor.flatten() for tensor in tensors])  # one message in place of hundreds
    dist.all_reduce(flat)
    flat /= world_size()
    for tensor, mean in zip(tensors, flat.split([tensor.numel() for tensor in tensors]), strict=True):
        tensor.copy_(mean.view_as(tensor))


def mean(value):
    """The mean of a number over all processes."""
    if world_size() == 1:
        return value
    total = torch.tensor(value, dtype=torch.float64)
    dist.all_reduce(total, group=_control)
    return total.item() / world_size()


def anyone(flag):
    """Whether the flag is set in any process; all of them must ask."""
    if world_size() == 1:
        return flag
    flags = torch.tensor(int(flag))
    dist.all_reduce(flags, dist.ReduceOp.MAX, group=_control)
    return bool(flags.item())


def gather(value):
    """The values of all processes, a list in the order of their ranks, in the first process; None elsewhere."""
    if world_size() == 1:
        return [value]
    values = [None] * world_size() if is_main() else None
    dist.gather_object(value, values, group=_control)
    return values


def from_first(value):
    """The value of the first process, in all of them."""
    if world_size() == 1:
        return value
    values = [value]
    dist.broadcast_object_list(values, group=_control)
    return values[0]


def wait_for_all():
    """Return once every process has come here."""
    if world_size() > 1:
        dist.barrier(group=_control)
