"""--lambda_simulation: normal-light images are darkened by simulation, and the enhancer is to undo it."""

import numpy as np
import pytest
import torch
from skimage.metrics import structural_similarity

from commands import run
from data import create_dataset
from models.losses.restoration import l1, opponent_distance, structural_dissimilarity
from options.train_options import TrainOptions
from sample_images import images_batch as pair
from sample_images import training_folder
from small_model import objective, small_model
from util.monitor.loss_log import read_losses

STAGES = ["real_A", "pre_A", "mask", "fake_B", "rec_A", "real_B", "fake_A", "rec_B"]
STAGES += ["lit_B", "sim_A", "sim_B"]


def training_data(folder, *flags):
    needed = f"--dataroot {folder} --name n --num_threads 0 --preprocess crop --crop_size 24"
    return create_dataset(TrainOptions().parse([*needed.split(), *flags]))


def batches(folder, *flags):
    data = training_data(folder, *flags)
    data.start_epoch(1)
    return list(data)


def simulated(seed):
    batch = pair(seed)
    return batch | {"sim_A": batch["B"] / 10 - 0.9, "lit_B": 0.9 * batch["B"]}


def weights(model):
    return {name: [p.detach().clone() for p in network.parameters()] for name, network in model.networks().items()}


def changed(model, before):
    """The networks whose weights are others than before."""
    pairs = {name: zip(now, before[name], strict=True) for name, now in weights(model).items()}
    return {name for name in pairs if not all(torch.equal(x, y) for x, y in pairs[name])}


def test_a_sample_holds_the_darkened_image_and_is_otherwise_the_same(tmp_path, monkeypatch):
    training_folder(tmp_path)
    monkeypatch.setattr("data.unaligned_dataset.draw_darkness", lambda rng: 1.0)
    without, given = batches(tmp_path), batches(tmp_path, "--lambda_simulation", "1")
    for plain, batch in zip(without, given, strict=True):
        assert not {"sim_A", "lit_B"} & set(plain)
        assert torch.equal(plain["A"], batch["A"]) and torch.equal(plain["B"], batch["B"])
        assert batch["sim_A"].shape == batch["lit_B"].shape == batch["B"].shape
        # Crops of it, of a scene as dark as A: near it, not on it.
        assert batch["sim_A"].mean() + 1 == pytest.approx(batch["A"].mean() + 1, rel=0.5)
    workers = batches(tmp_path, "--lambda_simulation", "1", "--num_threads", "2")
    for name in "sim_A", "lit_B":
        assert all(torch.equal(a[name], b[name]) for a, b in zip(given, workers, strict=True))


def test_the_simulated_pair_is_the_part_that_b_is(tmp_path, monkeypatch):
    training_folder(tmp_path)
    for odds in "BLACK_ODDS", "PAINT_ODDS":
        monkeypatch.setattr(f"data.low_light_simulation.{odds}", 0)
    monkeypatch.setattr("data.unaligned_dataset.draw_darkness", lambda rng: 1.0)
    for batch in batches(tmp_path, "--lambda_simulation", "1"):
        assert torch.equal(batch["lit_B"], batch["B"])


def test_samples_are_darkened_more_or_less_and_in_some_parts_are_black(tmp_path):
    training_folder(tmp_path)
    data = training_data(tmp_path, "--lambda_simulation", "1")
    ratios, blacks = [], []
    for epoch in range(1, 61):
        data.start_epoch(epoch)
        for batch in data:
            ratios.append(((batch["sim_A"].mean() + 1) / (batch["lit_B"].mean() + 1)).item())
            blacks.append((batch["lit_B"].amax(1) < -0.93).float().mean().item())
    assert 0.1 < np.mean([ratio == 1 for ratio in ratios]) < 0.5 and np.mean([ratio < 0.5 for ratio in ratios]) > 0.4
    assert 0.1 < np.mean([share > 0.05 for share in blacks]) < 0.45


@pytest.mark.parametrize("flags", [[], ["--ablate", "nrn,mask,dual_loop"], ["--norm", "batch"]])
def test_the_term_is_the_distance_from_the_normal_light_image(tmp_path, flags):
    model = small_model(tmp_path, "--lambda_simulation", "3", *flags)
    whole, terms = objective(model, simulated(1))
    rest, others = objective(small_model(tmp_path, *flags), simulated(1))
    assert set(terms) - set(others) == {"simulation"}
    assert whole.item() == pytest.approx((rest + terms["simulation"]).item(), rel=1e-5)

    images = model.get_current_visuals()
    assert list(images) == [name for name in STAGES if name in images] and list(images)[-3:] == STAGES[-3:]
    red, green, blue = (images["sim_B"] - images["lit_B"]).unbind(1)
    axes = [(red + green + blue) / 3**0.5, (red - blue) / 2**0.5, (red - 2 * green + blue) / 6**0.5]
    expected = torch.stack(axes).abs().mean() + (2 * axes[1] ** 2 + 10 * axes[2] ** 2).mean()
    expected = expected + 0.2 * structural_dissimilarity(images["sim_B"], images["lit_B"])
    assert terms["simulation"].item() == pytest.approx(3 * expected.item(), rel=1e-5)


def test_structure_is_compared_as_by_scikit_image():
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(1, 3, 60, 60, generator=generator) * 2 - 1
    y = (0.6 * x + 0.3 * torch.rand(1, 3, 60, 60, generator=generator)).clamp(-1, 1)
    # Its windows have an odd side, and its values begin at 0.
    theirs = structural_similarity(
        *((image[0] + 1).numpy() for image in (x, y)), channel_axis=0, data_range=2, win_size=7
    )
    assert structural_dissimilarity(x, y).item() == pytest.approx(1 - theirs, rel=0.05)
    assert structural_dissimilarity(x, x).item() == pytest.approx(0, abs=1e-5)


def test_colour_counts_where_brightness_is_further_off():
    asked = torch.full((1, 3, 4, 4), 0.5)
    given = torch.tensor([-0.5, -0.55, -0.6])[None, :, None, None].repeat(1, 1, 4, 4).requires_grad_()
    plain, apart = (torch.autograd.grad(loss(given, asked), given)[0] for loss in (l1, opponent_distance))
    assert torch.equal(plain[:, 0], plain[:, 2])
    assert (apart[:, 0] > apart[:, 2]).all()  # descending makes the red less and the blue more, towards gray


def test_a_colour_that_one_of_three_pixels_has_is_better_answered_than_gray():
    asked = torch.zeros(1, 3, 1, 3)
    asked[0, 0, 0, 0] = 1  # the median of these colours is gray
    pale = torch.full((1, 3, 1, 3), 1 / 3)
    pale[:, 0] += 0.1
    gray = pale.mean(dim=1, keepdim=True).expand_as(pale)
    assert opponent_distance(pale, asked) < opponent_distance(gray, asked)


@pytest.mark.parametrize("distance", [opponent_distance, structural_dissimilarity])
def test_the_distance_is_not_rounded_to_16_bits(distance):
    x, y = torch.rand(2, 1, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    expected = distance(x, y)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(distance(x, y), expected)
    coarse = x.bfloat16()
    assert torch.equal(distance(coarse, y.bfloat16()), distance(coarse.float(), y.bfloat16().float()))


def test_what_is_too_white_can_come_back(tmp_path):
    found = []
    for flags in [], ["--lambda_simulation", "1"]:
        network = small_model(tmp_path, *flags).netG_A
        x = torch.full((1, 16, 8, 8), 1e4, requires_grad=True)
        y = torch.nn.Sequential(*network.model[-2:])(x)
        y.sum().backward()
        found.append((y.detach(), x.grad))
    (plain, flat), (sloping, steep) = found
    assert torch.equal(plain, sloping) and plain.abs().min() > 0.999
    assert not flat.any() and steep.any()


def test_the_darkened_image_is_enhanced_as_a_real_one_is(tmp_path):
    model = small_model(tmp_path, "--lambda_simulation", "1")
    batch = simulated(1)
    for network in model.networks().values():
        network.eval()
    with torch.no_grad():
        model.set_input(batch)
        model.forward()
        torch.testing.assert_close(model.sim_B, model.enhancer()(model.sim_A))


def test_the_term_trains_what_enhances_and_nothing_else(tmp_path):
    model = small_model(tmp_path, "--lambda_simulation", "1")
    _, losses = objective(model, simulated(1))
    losses["simulation"].backward()
    trained = {
        name
        for name, network in model.networks().items()
        if any(p.grad is not None and p.grad.abs().max() > 0 for p in network.parameters())
    }
    assert trained == {"Pre", "H", "G_A"}


def test_a_warm_up_trains_the_enhancer_on_simulated_low_light_alone(tmp_path):
    model = small_model(tmp_path, "--lambda_simulation", "3", "--simulation_epochs", "1")
    model.setup(model.opt)
    before = weights(model)
    model.set_input(simulated(1))
    reported = model.optimize_parameters()
    losses = model.get_current_losses()
    assert list(losses) == ["PreConsis", "simulation"]
    assert reported == pytest.approx(sum(losses.values()), rel=1e-5)
    assert list(model.get_current_visuals()) == ["lit_B", "sim_A", "sim_B"]
    assert changed(model, before) == {"Pre", "H", "G_A"}

    # The same image costs the same as in a whole step, where the term is one of many.
    whole = small_model(tmp_path, "--lambda_simulation", "3")
    _, terms = objective(whole, simulated(1))
    assert losses["simulation"] == pytest.approx(terms["simulation"].item(), rel=1e-5)


def test_after_the_warm_up_everything_trains(tmp_path):
    model = small_model(tmp_path, "--lambda_simulation", "3", "--simulation_epochs", "1")
    model.setup(model.opt)
    model.set_input(simulated(1))
    model.optimize_parameters()
    model.update_learning_rate()
    assert list(model.get_current_visuals()) == ["lit_B", "sim_A", "sim_B"]  # still those of the last step
    model.set_input(simulated(1))
    before = weights(model)
    model.optimize_parameters()
    assert {"D_A", "G_B", "cycle_A", "simulation"} <= set(model.get_current_losses())
    assert list(model.get_current_visuals()) == STAGES
    assert changed(model, before) == set(model.model_names)


@pytest.mark.parametrize("parts", ["nrn,mask", "consistency", "color,edge,dual_loop,identity"])
def test_a_warm_up_goes_without_parts(tmp_path, parts):
    model = small_model(tmp_path, "--lambda_simulation", "3", "--simulation_epochs", "1", "--ablate", parts)
    model.set_input(simulated(1))
    model.optimize_parameters()
    assert ("PreConsis" in model.get_current_losses()) == (parts == "color,edge,dual_loop,identity")


@pytest.mark.commands
def test_a_warm_up_is_resumed_where_it_was(tmp_path):
    training_folder(tmp_path / "dataset", count=2)
    flags = "--ngf 16 --ndf 8 --preprocess crop --crop_size 32 --num_threads 0 --no_text --display_id 0 --gpu_ids -1"
    flags += " --n_epochs_decay 0 --print_freq 1 --update_html_freq 1 --save_epoch_freq 1"
    flags += " --lambda_simulation 10 --simulation_epochs 2"
    command = ["train.py", "--dataroot", "dataset", "--name", "r"]
    for more in (["--n_epochs", "1", *flags.split()], ["--n_epochs", "3", "--continue_train"]):
        done = run(*command, *more, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        assert ", up to epoch 2 on simulated low light alone, seed 0" in done.stdout
    warm = [set(record["losses"]) == {"PreConsis", "simulation"} for record in read_losses(tmp_path / "saves" / "r")]
    assert warm == [True] * 4 + [False] * 2


@pytest.mark.commands
@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ([], "give --lambda_simulation a weight"),
        (["--lambda_simulation", "1", "--lr_policy", "plateau"], "which have two objectives with --simulation_epochs"),
    ],
)
def test_a_warm_up_that_cannot_be_is_refused(tmp_path, flags, said):
    done = run("train.py", "--dataroot", ".", "--name", "r", "--simulation_epochs", "1", *flags, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].endswith(said)


@pytest.mark.commands
def test_a_run_logs_the_term_and_shows_its_images(tmp_path):
    training_folder(tmp_path / "dataset", count=2)
    flags = "--ngf 16 --ndf 8 --preprocess crop --crop_size 32 --num_threads 0 --no_text --display_id 0 --n_epochs 1"
    flags += " --n_epochs_decay 0 --print_freq 1 --update_html_freq 1 --lambda_simulation 10"
    done = run("train.py", "--dataroot", "dataset", "--name", "r", *flags.split(), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    folder = tmp_path / "saves" / "r"
    assert all(record["losses"]["simulation"] > 0 for record in read_losses(folder))
    shown = {path.name for path in (folder / "web" / "images").iterdir()}
    assert any("sim_A" in name for name in shown) and any("sim_B" in name for name in shown)
