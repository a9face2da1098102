"""Several processes, as one of them sees it."""

import torch

from util import distributed


def test_running_statistics_are_averaged(monkeypatch):
    norm = torch.nn.BatchNorm2d(2)
    norm.running_mean += torch.tensor([1.0, 2.0])
    others = torch.tensor([3.0, 4.0, 5.0, 7.0])  # mean and variance of the other process
    monkeypatch.setattr(distributed, "world_size", lambda: 2)
    monkeypatch.setattr(distributed.dist, "all_reduce", lambda flat: flat.add_(others))
    distributed.average_statistics([norm, torch.nn.Conv2d(1, 1, 1)])
    assert norm.running_mean.tolist() == [2, 3] and norm.running_var.tolist() == [3, 4]
    assert norm.num_batches_tracked == 0
