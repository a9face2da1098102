"""Every part can be left out: it is then neither built, trained, saved nor asked for."""

import pytest
import torch

from commands import run
from models import create_model
from models.enhancer import Enhancer
from sample_images import images_batch as pair
from sample_images import training_folder
from small_model import objective, small_model, step
from stub_clip import random_stub
from util.checkpoint import save_options
from util.stages import PARTS

ALL_NETS = {"Pre", "G_A", "G_B", "H", "D_A", "D_B", "D_A_edge", "D_B_edge"}
ALL_LOSSES = {"D_A", "G_A", "cycle_A", "idt_A", "D_B", "G_B", "cycle_B", "idt_B", "D_A_edge", "D_B_edge"} | {
    *("D_A_CLIP", "D_B_CLIP", "PreConsis", "H"),
}

# part: (networks that are gone, losses that are gone)
GONE = {
    "nrn": ({"Pre"}, {"PreConsis"}),
    "mask": ({"H"}, {"H"}),
    "text": (set(), {"D_A_CLIP", "D_B_CLIP"}),
    "edge": ({"D_A_edge", "D_B_edge"}, {"D_A_edge", "D_B_edge"}),
    "color": ({"D_A", "D_B"}, {"D_A", "D_B", "G_A", "G_B"}),
    "dual_loop": ({"D_B_edge"}, {"D_B_edge", "cycle_B"}),
    "identity": (set(), {"idt_A", "idt_B"}),
    "consistency": (set(), {"PreConsis"}),
    "nrn,dual_loop": ({"Pre", "D_B", "D_B_edge"}, {"PreConsis", "D_B", "D_B_edge", "cycle_B", "G_B"}),
    "color,edge,text": (
        {"D_A", "D_B", "D_A_edge", "D_B_edge"},
        {"D_A", "D_B", "G_A", "G_B", "D_A_edge", "D_B_edge", "D_A_CLIP", "D_B_CLIP"},
    ),
    ",".join(PARTS): (ALL_NETS - {"G_A", "G_B"}, ALL_LOSSES - {"cycle_A"}),
}


def test_every_part_is_tested():
    assert set(PARTS) < set(GONE)


@pytest.mark.parametrize("ablated", GONE)
def test_a_part_is_left_out_cleanly(tmp_path, ablated):
    opt = small_model(tmp_path, "--ablate", ablated).opt
    opt.no_text = "text" in opt.ablate
    model = create_model(opt, clip_model=random_stub())
    for seed in (1, 2):
        assert torch.isfinite(torch.tensor(step(model, pair(seed))))
    networks, losses = GONE[ablated]
    assert set(model.networks()) == ALL_NETS - networks
    assert set(model.get_current_losses()) == ALL_LOSSES - losses
    for name, network in model.networks().items():
        assert any(p.grad is not None and p.grad.abs().max() > 0 for p in network.parameters()), name

    model.save("latest", {})
    save_options(model.folder, opt)
    assert {path.name for path in model.folder.glob("*_net_*")} == {
        f"latest_net_{net}.pth" for net in ALL_NETS - networks
    }
    enhancer = Enhancer.from_checkpoint(model.folder, device="cpu")
    assert ("Pre" in enhancer.networks(), "H" in enhancer.networks()) == ("Pre" not in networks, "H" not in networks)
    for network in model.networks().values():
        network.eval()
    with torch.no_grad():
        model.set_input(pair(3))
        model.forward()
        torch.testing.assert_close(enhancer(model.real_A), model.fake_B)


@pytest.mark.parametrize("part, weights", [("identity", {"idt_A": 1, "idt_B": 1}), ("consistency", {"PreConsis": 1})])
def test_leaving_a_term_out_takes_it_from_the_total(tmp_path, part, weights):
    whole, terms = objective(small_model(tmp_path), pair(1))
    rest, _ = objective(small_model(tmp_path, "--ablate", part), pair(1))
    expected = whole - sum(weight * terms[name] for name, weight in weights.items())
    assert rest.item() == pytest.approx(expected.item(), rel=1e-5)


def test_without_normalisation_the_enhancer_sees_the_image_twice(tmp_path):
    model = small_model(tmp_path, "--ablate", "nrn,mask")
    seen = []
    model.netG_A.register_forward_pre_hook(lambda network, inputs: seen.append(inputs[0]))
    batch = pair(1)
    model.set_input(batch)
    model.forward()
    assert torch.equal(seen[0][:1], torch.cat([batch["A"], batch["A"]], 1))


@pytest.mark.commands
def test_an_ablated_run_from_training_to_images(tmp_path):
    training_folder(tmp_path / "dataset", count=2)
    flags = ["--ngf", "16", "--ndf", "8", "--preprocess", "crop", "--crop_size", "32", "--num_threads", "0"]
    flags += ["--n_epochs", "1", "--n_epochs_decay", "0", "--display_id", "0", "--ablate", "nrn,text,mask"]
    done = run("train.py", "--dataroot", "dataset", "--name", "r", *flags, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "ablated  mask, nrn, text" in done.stdout
    done = run("test.py", "--dataroot", "dataset", "--name", "r", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert len(list((tmp_path / "results" / "r" / "test_latest" / "images").glob("*_fake_B.png"))) == 2
    assert "pre_A" not in (tmp_path / "saves" / "r" / "web" / "index.html").read_text()
