"""Mixed precision: which parts of a computation run in 16 bits."""

import contextlib
import platform

import torch

AMP = {"off": None, "bf16": torch.bfloat16, "fp16": torch.float16}


def usable_amp(amp, device, force=False):
    """What to compute in where ``--amp`` was given: fp32, and a line says so, if a CPU would only imitate 16 bits.

    That takes up to 13 times as long as fp32 (measured: AVX2 alone). It does not depend on the moment, as a
    measurement would: a run that goes on computes as before.

    Args:
        amp: a name from ``AMP``.
        device: a torch.device.
        force: whether 16 bits are wanted at any price.

    Returns:
        A name from ``AMP``.
    """
    if amp == "off" or force or device.type != "cpu" or _cpu_computes(amp):
        return amp
    print(
        f"--amp {amp}: this processor has no {amp} arithmetic, it would be slower; computing in fp32 (or --force_amp)"
    )
    return "off"


def _cpu_computes(amp):
    """Whether the processor has instructions for 16 bits, and PyTorch makes use of them."""
    try:
        used = getattr(torch.ops.mkldnn, f"_is_mkldnn_{amp}_supported")()
    except AttributeError:  # builds without oneDNN
        return False
    if amp == "bf16" and platform.machine() in ("x86_64", "AMD64"):  # any AVX-512 is enough for the answer above
        checks = [getattr(torch.cpu, name, None) for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported")]
        return used and any(check() for check in checks if check)
    return used


def precision_name(amp, device):
    """What ``--amp`` stands for on a device, in words."""
    if amp != "off":
        return amp
    nvidia = device.type == "cuda" and torch.version.hip is None
    if nvidia and torch.backends.cudnn.allow_tf32 and torch.cuda.get_device_capability(device) >= (8, 0):
        return "fp32 (convolutions in TF32)"  # PyTorch's default, from Ampere on
    return "fp32"


@contextlib.contextmanager
def without_tf32():
    """A context in which an NVIDIA GPU does not round what it convolves to TF32's 10 bits."""
    allowed, torch.backends.cudnn.allow_tf32 = torch.backends.cudnn.allow_tf32, False
    try:
        yield
    finally:
        torch.backends.cudnn.allow_tf32 = allowed


def full(x):
    """A tensor in single precision if it has only 16 bits; others are left as they are."""
    return x.float() if x.dtype in (torch.float16, torch.bfloat16) else x


def in_full_precision(x):
    """A context without autocast, for computations on ``full(x)`` that 16 bits would spoil."""
    return torch.autocast(x.device.type, enabled=False)
