"""Noticing losses and weights that are no longer numbers, without making the host wait for the GPU at every step."""

import torch

from util.tensor_files import NotFinite, first_not_finite

LONGEST = 100  # steps between checks
WAY_ON = (
    "nothing was saved since: go on from the last weights (--continue_train) or earlier ones (--epoch) with a lower "
    "--lr, or start again where there are none"
)


class FiniteWatch:
    """Collects the losses of the steps since the last check, on their device."""

    def __init__(self):
        self.steps, self.records = 0, []

    def note(self, losses, paths):
        """Remember a step: its losses {name: scalar tensor} and the files of its batch."""
        self.steps += 1
        values = torch.stack([value.detach() for value in losses.values()])
        self.records.append((self.steps, list(losses), values, paths))
        if len(self.records) >= LONGEST:
            self.check()

    def check(self):
        """Raise NotFinite if a loss since the last check was not finite: names step, loss and files."""
        records, self.records = self.records, []
        if not records or torch.cat([values for _, _, values, _ in records]).isfinite().all():
            return
        for step, names, values, paths in records:
            wrong = [name for name, value in zip(names, values.tolist(), strict=True) if not abs(value) < float("inf")]
            if wrong:
                raise NotFinite(
                    f"step {step} of this call: {wrong[0]} is not a finite number any more, on {' and '.join(paths)}; "
                    + WAY_ON
                )


def check_weights(networks):
    """Raise NotFinite if a network of {name: module} holds values that are not finite: names network and key."""
    tensors = {f"{name} {key}": value for name, net in networks.items() for key, value in net.state_dict().items()}
    if wrong := first_not_finite(tensors):
        raise NotFinite(f"the weights are not finite numbers any more (net{wrong}); {WAY_ON}")
