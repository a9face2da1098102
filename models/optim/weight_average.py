"""Averaged weights (``--ema``): a slowly moving copy of the generators' networks."""

import copy

import torch


class WeightAverage:
    """Exponential moving averages of networks: after each step, average = decay * average + (1 - decay) * weights.

    Args:
        networks: {name: module}, the networks to follow.
        decay: from 0 to below 1; a short start-up, min(decay, (1 + n) / (10 + n)) in step n, forgets the
            initial weights sooner.
    """

    def __init__(self, networks, decay):
        self.followed, self.decay, self.steps = networks, decay, 0
        self.networks = {name: copy.deepcopy(net).requires_grad_(False).eval() for name, net in networks.items()}

    @torch.no_grad()
    def update(self):
        """Move the averages towards the present weights."""
        self.steps += 1
        decay = min(self.decay, (1 + self.steps) / (10 + self.steps))
        for name, average in self.networks.items():
            present = self.followed[name]
            torch._foreach_lerp_(list(average.parameters()), list(present.parameters()), 1 - decay)
        for kept, buffer in self._buffers():
            # The statistics of a batch norm follow the last few images; the weights' average is not theirs.
            kept.lerp_(buffer, 1 - decay) if buffer.is_floating_point() else kept.copy_(buffer)

    @torch.no_grad()
    def lend_statistics(self):
        """Give the followed networks the averaged buffers: the statistics of batch norms."""
        for kept, buffer in self._buffers():
            buffer.copy_(kept)

    def _buffers(self):
        """Pairs of buffers, averaged and followed."""
        for name, average in self.networks.items():
            yield from zip(average.buffers(), self.followed[name].buffers(), strict=True)
