"""Choosing the device to compute on."""

import torch

from util.errors import UsageError


def select_device(gpu_ids=(0,)):
    """The device that ``--gpu_ids`` asks for; the CPU, with a line that says so, where there is no GPU.

    Args:
        gpu_ids: a list with one GPU number, or an empty one for the CPU.

    Raises:
        UsageError: there are GPUs, but not this one.
    """
    if not gpu_ids:
        return torch.device("cpu")
    if not torch.cuda.is_available():
        print("no GPU found: computing on the CPU")
        return torch.device("cpu")
    if gpu_ids[0] >= torch.cuda.device_count():
        raise UsageError(
            f"--gpu_ids {gpu_ids[0]}: there is no such GPU; this machine has 0 to {torch.cuda.device_count() - 1}"
        )
    torch.cuda.set_device(gpu_ids[0])
    return torch.device("cuda", gpu_ids[0])
