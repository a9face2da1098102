"""Training steps: every combination of networks and objectives, frozen parts, saving and going on."""

import json

import pytest
import torch

from models import create_model
from models.kernels.winograd import Conv3x3
from models.networks.layers import NormedConv2d, NormedConvTranspose2d
from options.test_options import TestOptions
from sample_images import enhancer_folder
from sample_images import images_batch as pair
from small_model import objective, small_model, step
from util.checkpoint import save_options
from util.errors import UsageError

WITHOUT_BIAS = (NormedConv2d, NormedConvTranspose2d, Conv3x3)


@pytest.mark.parametrize(
    "flags",
    [
        "--batch_size 2",
        "--norm batch --batch_size 2",
        "--norm none --netD pixel",
        "--netG resnet_6blocks --netD n_layers --n_layers_D 2 --dropout",
        "--gan_mode vanilla --edge_filter sobel --ngf 20 --ndf 5",
        "--gan_mode wgangp --lambda_gp 10 --edge_filter laplacian8 --batch_size 2",
        "--recipe released --edge_filter laplacian4",
        "--lambda_identity 0 --lambda_A 0 --lambda_B 5 --pool_size 0",
        "--init_type orthogonal --init_gain 1 --nrn_coords cancelled",
    ],
)
def test_two_steps_of_every_kind(tmp_path, flags):
    model = small_model(tmp_path, *flags.split())
    before = {name: [p.clone() for p in network.parameters()] for name, network in model.networks().items()}
    for seed in (1, 2):
        assert torch.isfinite(torch.tensor(step(model, pair(seed, model.opt.batch_size))))
    losses = model.get_current_losses()
    assert all(torch.isfinite(torch.tensor(value)) for value in losses.values())
    for name, network in model.networks().items():
        changed = [not torch.equal(p, old) for p, old in zip(network.parameters(), before[name], strict=True)]
        assert any(changed), name
    shapes = {name: tuple(x.shape[1:]) for name, x in model.get_current_visuals().items()}
    assert shapes == {name: (1 if name == "mask" else 3, 32, 32) for name in model.visual_names}
    assert list(shapes) == ["real_A", "pre_A", "mask", "fake_B", "rec_A", "real_B", "fake_A", "rec_B"]


def test_unets_train(tmp_path):
    model = small_model(tmp_path, "--netG", "unet_128", "--crop_size", "128")
    assert step(model, pair(1, side=128)) > 0


def test_the_generators_step_leaves_the_discriminators_alone(tmp_path):
    model = small_model(tmp_path)
    model.set_input(pair(1))
    discriminators = [network for name, network in model.networks().items() if name.startswith("D")]
    model.set_requires_grad(discriminators, False)
    model.forward()
    model.backward_G()
    assert all(p.grad is None for network in discriminators for p in network.parameters())
    assert_all_trained(network for name, network in model.networks().items() if not name.startswith("D"))


def assert_all_trained(networks):
    """Every parameter has a gradient, but for biases of convolutions that an instance norm follows."""
    for network in networks:
        unused = {module.bias for module in network.modules() if isinstance(module, WITHOUT_BIAS)}
        assert all((p.grad is None) == (p in unused) for p in network.parameters())


def test_the_discriminators_step_leaves_the_generators_alone(tmp_path):
    model = small_model(tmp_path)
    model.set_input(pair(1))
    model.forward()
    model.draw_fakes()
    model.backward_D()
    assert all(p.grad is None for name in ("Pre", "G_A", "G_B", "H") for p in model.networks()[name].parameters())
    assert_all_trained(model.networks()[name] for name in model.discriminative)


def test_the_total_is_the_weighted_sum_of_the_losses_and_the_edges(tmp_path):
    total, losses = objective(small_model(tmp_path, "--ablate", "edge"), pair(1))
    assert total.item() == pytest.approx((sum(losses.values()) - losses["H"] / 2).item(), rel=1e-5)

    model = small_model(tmp_path)
    total, losses = objective(model, pair(1))
    judged = (model.netD_A_edge, model.fake_B), (model.netD_B_edge, model.fake_A)
    edges = sum(model.gan.fooled(network, model.edges(fake))[0] for network, fake in judged)
    assert total.item() == pytest.approx((sum(losses.values()) - losses["H"] / 2 + edges / 2).item(), rel=1e-5)


def test_what_the_edge_adversary_sees(tmp_path):
    for adversary in ("edges", "image"):
        model = small_model(tmp_path, "--edge_adversary", adversary)
        shown = []
        model.netD_A_edge.register_forward_pre_hook(lambda network, inputs, shown=shown: shown.append(inputs[0]))
        objective(model, pair(1))
        assert torch.equal(shown[0], model.edges(model.fake_B) if adversary == "edges" else model.fake_B)


def test_plateau_is_given_the_mean_of_the_generators_total(tmp_path):
    model = small_model(tmp_path, "--lr_policy", "plateau")
    model.setup(model.opt)
    totals, seen = [], []
    model.schedules[0].plateau.step = seen.append
    for seed in (1, 2, 3):
        step(model, pair(seed))
        totals.append(model.loss_G.item())
    model.update_learning_rate()
    assert seen == [pytest.approx(sum(totals) / 3)]
    step(model, pair(4))
    model.update_learning_rate()
    assert seen[1] == pytest.approx(model.loss_G.item())


def test_training_in_double_precision(tmp_path):
    model = small_model(tmp_path)
    for network in model.networks().values():
        network.double()
    step(model, pair(1, dtype=torch.float64))
    assert all(x.dtype == torch.float64 for x in model.get_current_visuals().values())


def test_a_saved_run_goes_on_bit_for_bit(tmp_path):
    batches = [pair(seed) for seed in range(6)]
    flags = ["--pool_size", "2", "--dropout", "--recipe", "released", "--lr_policy", "plateau"]
    whole = small_model(tmp_path / "whole", *flags)
    whole.setup(whole.opt)
    for batch in batches:
        step(whole, batch)

    first = small_model(tmp_path / "broken", *flags)
    first.setup(first.opt)
    for batch in batches[:4]:
        step(first, batch)
    first.folder.mkdir(parents=True)
    save_options(first.folder, first.opt)
    first.save("latest", {"epoch": 1, "seen": 4, "pictures": 4})
    torch.manual_seed(99)

    second = small_model(tmp_path / "broken", "--continue_train")
    assert (second.opt.pool_size, second.opt.dropout, second.opt.edge_projection) == (2, True, "random")
    assert second.setup(second.opt) == {"epoch": 1, "seen": 4, "pictures": 4}
    for batch in batches[4:]:
        step(second, batch)
    for name, network in second.networks().items():
        for key, value in network.state_dict().items():
            assert torch.equal(value, whole.networks()[name].state_dict()[key]), (name, key)
    assert second.epoch_metric() == whole.epoch_metric()


def test_options_that_contradict_a_run_are_refused(tmp_path):
    model = small_model(tmp_path)
    model.save_networks("latest")
    save_options(model.folder, model.opt)
    with pytest.raises(UsageError, match=r"--ngf 32: the weights in .* have 16"):
        small_model(tmp_path, "--continue_train", "--ngf", "32")


def test_the_authors_weights_can_be_continued(tmp_path, capsys):
    model = small_model(tmp_path, "--ngf", "20")
    model.save_networks("latest")
    second = small_model(tmp_path, "--continue_train", "--ngf", "20")
    assert second.opt.recipe == "released" and second.opt.nrn_coords == "cancelled"
    assert second.setup(second.opt) is None
    assert "fresh optimizers" in capsys.readouterr().out
    for name, network in second.networks().items():
        assert all(
            torch.equal(a, b) for a, b in zip(network.parameters(), model.networks()[name].parameters(), strict=True)
        )


def test_stored_options_are_plain_json(tmp_path):
    model = small_model(tmp_path)
    save_options(tmp_path, model.opt)
    stored = json.loads((tmp_path / "train_opt.json").read_text())
    assert stored["ngf"] == 16 and stored["recipe"] == "paper" and stored["gpu_ids"] == []
    assert "ngf = 16    (given)" in (tmp_path / "train_opt.txt").read_text()


def test_a_model_for_testing_enhances_like_the_enhancer(tmp_path):
    enhancer = enhancer_folder(tmp_path / "run")
    command = ["--dataroot", ".", "--name", "run", "--gpu_ids", "-1", "--checkpoints_dir", str(tmp_path)]
    opt = TestOptions().parse(command)
    model = create_model(opt)
    model.setup(opt)
    low = pair(1, side=30)["A"]
    model.set_input({"A": low, "A_paths": ["a"]})
    model.test()
    enhancer.nrn.mlp.coords = "cancelled"  # a folder without options is the authors' own
    with torch.inference_mode():
        torch.testing.assert_close(model.fake_B, enhancer(low))
    assert list(model.get_current_visuals()) == ["real_A", "pre_A", "mask", "fake_B"]
    assert model.netPre is model.enhancer.nrn
