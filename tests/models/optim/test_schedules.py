"""Learning rates, epoch by epoch, against the released code's."""

import pytest
import torch

from golden_weights import golden_json
from models.optim.schedules import Schedule
from options.train_options import TrainOptions


def schedule_of(*flags):
    opt = TrainOptions().parse(["--dataroot", "d", "--name", "n", *flags])
    return Schedule(torch.optim.Adam([torch.nn.Parameter(torch.zeros(1))], lr=opt.lr), opt)


def rates(schedule, epochs, metric=0.0):
    found = []
    for _ in range(epochs):
        found.append(schedule.optimizer.param_groups[0]["lr"])
        schedule.step(metric)
    return found


@pytest.mark.parametrize("policy", ["linear", "step"])
def test_our_epoch_has_the_rate_of_the_released_codes_epoch_before(policy):
    released = golden_json("nerco/lr.json")["policies"][f"{policy}_epoch_count_1"]["lr"]
    found = rates(schedule_of("--lr_policy", policy), 300)
    assert found[0] == 2e-4
    assert found[1:] == pytest.approx(released[:-1], rel=1e-9)


def test_cosine_is_the_released_one_over_all_epochs():
    # The release lets the rate rise again after n_epochs; where all epochs are n_epochs, the two agree.
    released = golden_json("nerco/lr.json")["policies"]["cosine_epoch_count_1"]["lr"]
    found = rates(schedule_of("--lr_policy", "cosine", "--n_epochs_decay", "0"), 100)
    assert found[1:] == pytest.approx(released[:99], rel=1e-9)
    whole = rates(schedule_of("--lr_policy", "cosine"), 300)
    assert whole == sorted(whole, reverse=True) and 0 < whole[-1] < 1e-8


def test_linear_never_trains_at_zero():
    assert rates(schedule_of(), 300)[-1] == pytest.approx(9.95e-7, rel=1e-3)


@pytest.mark.parametrize("policy", ["linear", "step", "cosine"])
def test_the_rate_is_a_function_of_the_epoch_alone(policy):
    whole = rates(schedule_of("--lr_policy", policy), 300)
    assert rates(schedule_of("--lr_policy", policy, "--epoch_count", "150"), 3) == whole[149:152]
    resumed = schedule_of("--lr_policy", policy)
    resumed.load_state_dict({"epoch": 200, "plateau": None})
    assert rates(resumed, 3) == whole[199:202]


def test_plateau_watches_its_metric():
    falling, flat = schedule_of("--lr_policy", "plateau"), schedule_of("--lr_policy", "plateau")
    for epoch in range(12):
        falling.step(100 * 0.9**epoch)
        flat.step(100.0)
    assert falling.optimizer.param_groups[0]["lr"] == 2e-4
    assert flat.optimizer.param_groups[0]["lr"] == pytest.approx(4e-5)


def test_plateau_remembers():
    first, second = schedule_of("--lr_policy", "plateau"), schedule_of("--lr_policy", "plateau")
    for _ in range(6):
        first.step(1.0)
    second.load_state_dict(first.state_dict())
    for schedule in (first, second):
        schedule.step(1.0)
    # The rate itself is part of the optimizer's state, which is restored with the schedule's.
    assert first.optimizer.param_groups[0]["lr"] == second.optimizer.param_groups[0]["lr"] == pytest.approx(4e-5)
