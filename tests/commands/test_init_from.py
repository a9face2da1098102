"""train.py --init_from: a new run starts from weights that are there."""

import shutil

import pytest
import torch

from commands import ROOT, error_line, run
from models import create_model
from options.train_options import TrainOptions
from sample_images import training_folder
from util.checkpoint import save_options
from util.errors import UsageError, WorkError

DEMO = ROOT / "saves" / "demo"
SMALL = "--dataroot dataset --name new --gpu_ids -1 --ndf 8 --crop_size 32 --no_text"


def model_of(*flags):
    opt = TrainOptions().parse([*SMALL.split(), *map(str, flags)])
    torch.manual_seed(0)
    model = create_model(opt)
    assert model.setup(opt) is None  # a new run, whatever it starts from
    return model


def equal(network, other):
    states = network.state_dict(), other.state_dict()
    return all(torch.equal(states[0][key], states[1][key]) for key in states[0])


@pytest.fixture
def earlier(tmp_path):
    """The folder of an earlier run, and its model."""
    model = model_of("--ngf", 20, "--norm", "batch", "--ablate", "edge", "--checkpoints_dir", tmp_path)
    torch.manual_seed(7)
    for network in model.networks().values():
        for parameter in network.parameters():
            parameter.data.normal_()
    model.save_networks("latest")
    save_options(model.folder, model.opt)
    return model.folder, model


def test_networks_and_their_shape_come_from_the_folder(earlier):
    folder, model = earlier
    new = model_of("--init_from", folder, "--ema", 0.9)
    assert (new.opt.ngf, new.opt.norm, new.opt.ablate) == (20, "batch", [])
    for name, network in model.networks().items():
        assert equal(network, new.networks()[name])
    assert equal(model.netG_A, new.average.networks["G_A"]) and equal(model.netH, new.average.networks["H"])


def test_what_the_folder_lacks_starts_as_in_any_new_run(earlier):
    folder, _ = earlier
    for name in ("Pre", "D_A"):
        (folder / f"latest_net_{name}.pth").unlink()
    new, fresh = model_of("--init_from", folder), model_of("--ngf", 20, "--norm", "batch")
    assert equal(new.netPre, fresh.netPre) and equal(new.netD_A, fresh.netD_A)
    assert not equal(new.netD_B, fresh.netD_B)


def test_the_authors_three_networks_are_enough(tmp_path):
    trained = model_of("--ngf", 20, "--checkpoints_dir", tmp_path / "saves")
    trained.save_networks("latest")
    release = tmp_path / "release"
    release.mkdir()
    for name in ("Pre", "H", "G_A"):
        shutil.copy(trained.folder / f"latest_net_{name}.pth", release)
    new = model_of("--init_from", release)
    assert (new.opt.ngf, new.opt.nrn_coords) == (20, "cancelled")
    assert all(equal(trained.networks()[name], new.networks()[name]) for name in ("Pre", "H", "G_A"))


def test_what_does_not_fit_is_refused(earlier, tmp_path):
    folder, _ = earlier
    with pytest.raises(UsageError, match=r"^--ngf 16: the weights in .*new have 20; leave this flag out$"):
        model_of("--init_from", folder, "--ngf", 16)
    with pytest.raises(UsageError, match="leave one of them out"):
        model_of("--init_from", folder, "--continue_train", "--checkpoints_dir", tmp_path)
    with pytest.raises(WorkError, match="nowhere: no such folder; check --init_from"):
        model_of("--init_from", tmp_path / "nowhere")
    for file in folder.glob("*.pth"):
        file.unlink()
    with pytest.raises(WorkError, match=r"holds no weights to start from \(latest_net_\*\.pth\); check --init_from"):
        model_of("--init_from", folder)


@pytest.mark.commands
def test_the_shipped_weights_are_a_start(tmp_path):
    training_folder(tmp_path / "dataset", count=1)
    flags = [*SMALL.split(), "--preprocess", "crop", "--num_threads", 0, "--init_from", DEMO, "--n_epochs", 1]
    flags += ["--ablate", "nrn", "--n_epochs_decay", 0, "--lr", 1e-6, "--display_id", 0]
    done = run("train.py", *flags, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert f"starting from the weights in {DEMO}" in done.stdout
    done = run("train.py", *flags, "--dry_run", "--name", "other", "--init_from", "nowhere", cwd=tmp_path)
    assert done.returncode == 1
    assert "nowhere: no such folder" in error_line(done)

    names = [path.name for path in DEMO.glob("latest_net_*.pth")]
    assert "latest_net_G_A.pth" in names
    for name in names:
        shipped, trained = (torch.load(at / name) for at in (DEMO, tmp_path / "saves" / "new"))
        assert all(torch.allclose(shipped[key].float(), trained[key], rtol=0, atol=1e-4) for key in shipped)


@pytest.mark.parametrize("net", ["resnet_6blocks", "unet_128"])
def test_an_enhancer_goes_on_as_it_was_whatever_a_new_network_normalises(tmp_path, net):
    flags = ["--ngf", 16, "--netG", net, "--crop_size", 128]
    before = model_of(*flags, "--ablate", "nrn", "--checkpoints_dir", tmp_path)
    before.save_networks("latest")
    save_options(before.folder, before.opt)
    after = model_of(*flags, "--init_from", before.folder)
    x = torch.rand(1, 3, 128, 128) * 2 - 1
    with torch.no_grad():
        for network in (before.netG_A, after.netG_A):
            network.eval()
        expected = before.netG_A(torch.cat([x, x], 1))
        torch.testing.assert_close(after.netG_A(torch.cat([x, after.netPre(x)], 1)), expected, rtol=1e-3, atol=1e-4)
        assert equal(before.netH, after.netH)


def test_a_generator_that_keeps_starts_from_one_that_does_not(tmp_path):
    before = model_of("--ngf", 16, "--checkpoints_dir", tmp_path / "before")
    before.save_networks("latest")
    save_options(before.folder, before.opt)
    flags = ["--checkpoints_dir", tmp_path / "after", "--netG", "resnet_9blocks_keep"]
    after = model_of("--init_from", before.folder, *flags)
    x = torch.rand(1, 6, 32, 32) * 2 - 1
    with torch.no_grad():
        plain, kept = before.netG_A(x), after.netG_A(x)
        share = torch.sigmoid(torch.tensor(-3.0))
        torch.testing.assert_close(kept, (1 - share) * plain + share * x[:, :3], rtol=0, atol=1e-6)
        after.netG_A.model[-1].bias[3] = 30.0  # all is kept
        torch.testing.assert_close(after.netG_A(x), x[:, :3], rtol=0, atol=1e-6)
    after.save_networks("latest")  # without its options, too, it stays as it is
    again = model_of("--init_from", after.folder)
    assert all(equal(after.networks()[name], again.networks()[name]) for name in ("Pre", "H", "G_A"))
    with pytest.raises(UsageError, match=r"--netG resnet_9blocks: the weights in .* have resnet_9blocks_keep"):
        save_options(after.folder, after.opt)
        model_of("--init_from", after.folder, "--netG", "resnet_9blocks")
