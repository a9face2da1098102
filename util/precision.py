"""Mixed precision: which parts of a step run in 16 bits, and how gradients are kept from vanishing there."""

import torch

from util.distributed import average_gradients

AMP = {"off": None, "bf16": torch.bfloat16, "fp16": torch.float16}


class Precision:
    """Runs forward passes under ``--amp`` and applies gradients, scaled where fp16 needs it.

    Args:
        amp: ``off``, ``bf16`` or ``fp16``.
        device: where the model is.
    """

    def __init__(self, amp, device):
        self.dtype, self.device = AMP[amp], device
        # fp16 alone lacks the range for small gradients.
        self.scaler = torch.amp.GradScaler(device.type, enabled=self.dtype is torch.float16)

    def autocast(self):
        """A context in which convolutions and matrix products compute in the chosen precision."""
        return torch.autocast(self.device.type, self.dtype, enabled=self.dtype is not None)

    def update(self, optimizer, objective):
        """One step of an optimizer on an objective (a scalar), its gradients averaged over all processes."""
        optimizer.zero_grad()
        self.scaler.scale(objective).backward()
        average_gradients([p for group in optimizer.param_groups for p in group["params"]])
        self.scaler.step(optimizer)

    def end_step(self):
        """Adapt the scale; call once after the updates of a training step."""
        self.scaler.update()


def full(x):
    """A tensor in single precision if it has only 16 bits; others are left as they are."""
    return x.float() if x.dtype in (torch.float16, torch.bfloat16) else x


def in_full_precision(x):
    """A context without autocast, for computations on ``full(x)`` that 16 bits would spoil."""
    return torch.autocast(x.device.type, enabled=False)
