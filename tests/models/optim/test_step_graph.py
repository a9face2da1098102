"""Recorded parts of a step: when they are recorded, and that they read what each step brings."""

import pytest
import torch

from models.optim.step_graph import StepGraphs
from options.train_options import TrainOptions
from sample_images import images_batch
from small_model import small_model, step
from util.errors import UsageError


def test_the_same_steps(tmp_path, monkeypatch):
    recorded = []
    monkeypatch.setattr(StepGraphs, "_recorded", lambda self, part: recorded.append(steps) or part)
    plain, graphed = (small_model(tmp_path / name, "--ema", "0.9") for name in ("plain", "graphed"))
    graphed.graphs = StepGraphs(graphed.optimizers)
    places = set()
    for steps in range(6):
        if steps == 4:  # a new epoch
            for model in (plain, graphed):
                for optimizer in model.optimizers:
                    optimizer.param_groups[0]["lr"] *= 0.5
        assert step(plain, images_batch(steps)) == step(graphed, images_batch(steps))
        assert torch.equal(graphed.real_A, plain.real_A)
        assert all(torch.equal(graphed.fakes[name], fake) for name, fake in plain.fakes.items())
        places.add((graphed.real_A.data_ptr(), graphed.fakes["fake_B"].data_ptr()))
    assert len(places) == 1
    assert recorded == [1, 2, 5, 5]  # the generators' waits until it is known what the discriminators read


def test_inputs_of_another_size_are_not_read_from_a_graph():
    graphs, calls = StepGraphs([]), []
    graphs._recorded = lambda part: lambda: calls.append("graph")
    for size in (4, 4, 4, 5, 5):
        graphs.hold("x", torch.zeros(1, 3, size, size))
        graphs.run("part", lambda: calls.append("as usual"))
    assert calls == ["as usual", "graph", "graph", "as usual", "graph"]


@pytest.mark.parametrize(
    "flags, told",
    [
        ("--gpu_ids -1", "not with a CPU"),
        ("--amp fp16", "take bf16"),
        ("--checkpoint_activations", "not with --checkpoint_activations"),
        ("--recipe released", "not with text without gradient"),
    ],
)
def test_what_cannot_be_recorded(flags, told):
    with pytest.raises(UsageError, match=f"^--cuda_graph: .*{told}"):
        TrainOptions().parse(["--dataroot", ".", "--name", "n", "--cuda_graph", *flags.split()])
