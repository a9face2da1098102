"""train.py --freeze_norm_epoch: batch norms that go on with the statistics they have."""

import pytest
import torch

from options.train_options import TrainOptions
from sample_images import images_batch as pair
from small_model import small_model, step
from util.checkpoint import save_options
from util.errors import UsageError

FLAGS = ["--norm", "batch", "--ema", "0.5", "--freeze_norm_epoch", "2", "--n_epochs", "3"]


def statistics(networks):
    return {(name, key): b.clone() for name, net in networks.items() for key, b in net.named_buffers()}


def same(first, second):
    return all(torch.equal(first[key], second[key]) for key in first)


@pytest.fixture
def model(tmp_path):
    model = small_model(tmp_path, *FLAGS)
    model.setup(model.opt)
    return model


def test_statistics_follow_the_images_until_then(model):
    before = statistics({"Pre": model.netPre})
    step(model, pair(0))
    assert not any(torch.equal(value, before[key]) for key, value in statistics({"Pre": model.netPre}).items())


def test_from_then_on_they_are_the_averaged_ones_and_stay(model):
    for seed in range(3):
        step(model, pair(seed))
    averaged = statistics(model.average.networks)
    before = statistics({name: model.networks()[name] for name in ("Pre", "G_A", "G_B", "H", "D_A")})
    weights = model.netG_A.model[1].weight.detach().clone()
    model.update_learning_rate()  # the end of the epoch
    for seed in range(3):
        step(model, pair(seed))
    assert same(averaged, statistics({name: model.networks()[name] for name in model.average.networks}))
    assert same(averaged, statistics(model.average.networks))
    assert torch.equal(before["G_B", "model.2.running_var"], model.netG_B.model[2].running_var)  # it has no average
    assert not torch.equal(weights, model.netG_A.model[1].weight)
    assert not torch.equal(before["D_A", "model.3.running_var"], model.netD_A.model[3].running_var)


def test_the_network_is_then_trained_as_it_will_be_used(model):
    model.update_learning_rate()
    model.set_input(pair(4))
    model.forward()
    enhancer = model.enhancer()
    torch.testing.assert_close(model.fake_B, enhancer.eval()(model.real_A), rtol=1e-4, atol=1e-5)


def test_a_saved_run_goes_on_bit_for_bit(model, tmp_path):
    step(model, pair(0))
    model.update_learning_rate()
    step(model, pair(1))
    model.folder.mkdir(parents=True, exist_ok=True)
    save_options(model.folder, model.opt)
    model.save("latest", {"epoch": 2, "seen": 1, "pictures": 2})
    second = small_model(tmp_path, *FLAGS, "--continue_train")
    second.setup(second.opt)
    for either in (model, second):
        step(either, pair(2))
    for name, network in model.networks().items():
        state = second.networks()[name].state_dict()
        assert all(torch.equal(value, state[key]) for key, value in network.state_dict().items()), name


def test_other_norms_have_nothing_to_keep():
    with pytest.raises(UsageError, match="--freeze_norm_epoch is about batch norms: add --norm batch"):
        TrainOptions().parse(["--dataroot", "d", "--name", "n", "--freeze_norm_epoch", "2"])
