"""Learning-rate policies (docs/method.md, section 6)."""

import math

from torch.optim.lr_scheduler import ReduceLROnPlateau

POLICIES = ("linear", "step", "plateau", "cosine")


def lr_factor(policy, epoch, n_epochs, n_epochs_decay, lr_decay_iters):
    """What the initial learning rate is multiplied by during an epoch; not for ``plateau``.

    Args:
        policy: ``linear``: 1 for n_epochs epochs, then linearly towards 0; ``step``: a tenth after every
            lr_decay_iters epochs; ``cosine``: half a period over all epochs.
        epoch: 1, 2, ...
        n_epochs, n_epochs_decay: epochs at the initial rate, and after them.
        lr_decay_iters: epochs.
    """
    if policy == "linear":
        return 1 - max(0, epoch - n_epochs) / (n_epochs_decay + 1)
    if policy == "step":
        return 0.1 ** ((epoch - 1) // lr_decay_iters)
    return (1 + math.cos(math.pi * (epoch - 1) / (n_epochs + n_epochs_decay))) / 2


class Schedule:
    """Sets the learning rate of an optimizer, epoch by epoch.

    Args:
        optimizer: its groups' present learning rate is the initial one.
        opt: reads lr_policy, n_epochs, n_epochs_decay, lr_decay_iters, epoch_count.
    """

    def __init__(self, optimizer, opt):
        self.optimizer, self.opt, self.epoch = optimizer, opt, opt.epoch_count
        self.plateau = None
        if opt.lr_policy == "plateau":
            self.plateau = ReduceLROnPlateau(optimizer, mode="min", factor=0.2, threshold=0.01, patience=5)
        self._set_rates()

    def step(self, metric):
        """Move on to the next epoch; ``metric`` (a number, lower is better) is what ``plateau`` watches."""
        self.epoch += 1
        if self.plateau:
            self.plateau.step(metric)
        self._set_rates()

    def _set_rates(self):
        if self.plateau:
            return
        opt = self.opt
        factor = lr_factor(opt.lr_policy, self.epoch, opt.n_epochs, opt.n_epochs_decay, opt.lr_decay_iters)
        for group in self.optimizer.param_groups:
            group["lr"] = opt.lr * factor

    def state_dict(self):
        """What a resumed run needs: the epoch, and the memory of ``plateau``."""
        return {"epoch": self.epoch, "plateau": self.plateau and self.plateau.state_dict()}

    def load_state_dict(self, state):
        self.epoch = state["epoch"]
        if self.plateau and state["plateau"]:
            self.plateau.load_state_dict(state["plateau"])
            if "lr" in self.opt.given:  # a run that goes on with another one
                for group in self.optimizer.param_groups:
                    group["lr"] = self.opt.lr
        self._set_rates()
