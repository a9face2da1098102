"""The enhancer in the grammar of the CycleGAN family."""

import torch

from models import create_model
from options.test_options import TestOptions
from sample_images import enhancer_folder
from util.checkpoint import net_file


def loaded(folder, *flags):
    command = ["--dataroot", ".", "--name", "run", "--gpu_ids", "-1", "--checkpoints_dir", str(folder)]
    opt = TestOptions().parse([*command, *flags])
    model = create_model(opt)
    model.setup(opt)
    return model


def test_ema_takes_the_averaged_weights(tmp_path):
    torch.manual_seed(1)
    averaged = enhancer_folder(tmp_path / "averaged")
    torch.manual_seed(2)
    enhancer_folder(tmp_path / "run")
    for net in averaged.networks():
        (tmp_path / "averaged" / net_file("latest", net)).rename(tmp_path / "run" / net_file("latest", f"{net}_ema"))
    plain, model = loaded(tmp_path), loaded(tmp_path, "--ema")
    expected = averaged.generator.state_dict()
    assert all(torch.equal(value, expected[key]) for key, value in model.netG_A.state_dict().items())
    assert not all(torch.equal(value, expected[key]) for key, value in plain.netG_A.state_dict().items())


def test_the_mask_is_shown_from_black_to_white(tmp_path):
    enhancer_folder(tmp_path / "run")
    model = loaded(tmp_path)
    model.set_input({"A": torch.rand(1, 3, 12, 16) * 2 - 1, "A_paths": ["a"]})
    model.test()
    assert torch.equal(model.get_current_visuals()["mask"], model.mask * 2 - 1)
