"""Noticing losses that are no longer numbers, without making the host wait for the GPU at every step."""

import torch

from util.errors import WorkError

LONGEST = 100  # steps between checks


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
        """Raise WorkError if a loss since the last check was not finite: names step, loss and files."""
        records, self.records = self.records, []
        if not records or torch.stack([values for _, _, values, _ in records]).isfinite().all():
            return
        for step, names, values, paths in records:
            wrong = [name for name, value in zip(names, values.tolist(), strict=True) if not abs(value) < float("inf")]
            if wrong:
                raise WorkError(
                    f"step {step} of this call: {wrong[0]} is not a finite number any more, on {' and '.join(paths)}; "
                    "nothing was saved since: go on from the last weights (--continue_train) with a lower --lr, "
                    "or start again where there are none"
                )
