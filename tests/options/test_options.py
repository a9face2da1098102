"""Flags: their defaults, what follows from them, and what is refused."""

import pytest

from options.base_options import check_architecture
from options.test_options import TestOptions
from options.train_options import RECIPES, TrainOptions
from util.errors import UsageError

NEEDED = ["--dataroot", "d", "--name", "n"]

RELEASED_DEFAULTS = {
    "gpu_ids": [0],
    "checkpoints_dir": "./saves",
    "model": "NeRCo",
    "input_nc": 3,
    "output_nc": 3,
    "ngf": 64,
    "ndf": 64,
    "netD": "basic",
    "netG": "resnet_9blocks",
    "netH": "resnet_9blocks",
    "n_layers_D": 3,
    "norm": "instance",
    "init_type": "normal",
    "init_gain": 0.02,
    "no_dropout": False,
    "direction": "AtoB",
    "serial_batches": False,
    "num_threads": 4,
    "batch_size": 1,
    "load_size": 512,
    "crop_size": 512,
    "max_dataset_size": None,
    "no_flip": False,
    "display_winsize": 512,
    "epoch": "latest",
    "load_iter": 0,
    "verbose": False,
    "suffix": "",
}
RELEASED_TRAINING_DEFAULTS = {
    "display_ncols": 4,
    "display_id": 1,
    "display_server": "http://localhost",
    "display_env": "main",
    "display_port": 8097,
    "update_html_freq": 1000,
    "print_freq": 100,
    "no_html": False,
    "save_latest_freq": 5000,
    "save_epoch_freq": 5,
    "save_by_iter": False,
    "continue_train": False,
    "epoch_count": 1,
    "phase": "train",
    "n_epochs": 100,
    "n_epochs_decay": 200,
    "beta1": 0.5,
    "lr": 0.0002,
    "gan_mode": "lsgan",
    "pool_size": 50,
    "lr_policy": "linear",
    "lr_decay_iters": 50,
    "dataset_mode": "unaligned",
    "lambda_A": 10,
    "lambda_B": 10,
    "lambda_identity": 0.5,
    "preprocess": "resize_and_crop",
}
RELEASED_TEST_DEFAULTS = {
    "results_dir": "./results/",
    "aspect_ratio": 1.0,
    "phase": "test",
    "eval": False,
    "preprocess": "none",
}


@pytest.mark.parametrize(
    "options, defaults", [(TrainOptions, RELEASED_TRAINING_DEFAULTS), (TestOptions, RELEASED_TEST_DEFAULTS)]
)
def test_defaults_are_the_released_ones(options, defaults):
    opt = vars(options().parse(NEEDED))
    expected = {**RELEASED_DEFAULTS, **defaults}
    assert {flag: opt[flag] for flag in expected} == expected


def test_the_released_commands_are_understood():
    TestOptions().parse([*NEEDED, "--preprocess=none", "--dataset_mode", "unaligned_test", "--eval", "--no_dropout"])
    TrainOptions().parse([*NEEDED, "--model", "nerco", "--max_dataset_size", "inf", "--display_id", "0"])


@pytest.mark.parametrize("recipe, column", [("paper", 0), ("released", 1)])
def test_recipes(recipe, column):
    opt = vars(TrainOptions().parse([*NEEDED, "--recipe", recipe]))
    assert {flag: opt[flag] for flag in RECIPES} == {flag: values[column] for flag, values in RECIPES.items()}


def test_a_typed_flag_wins_over_the_recipe():
    opt = TrainOptions().parse([*NEEDED, "--edge_adversary", "edges", "--recipe", "released"])
    assert (opt.edge_adversary, opt.edge_projection) == ("edges", "random")


def test_leaving_out_text():
    assert not TrainOptions().parse(NEEDED).no_text
    assert TrainOptions().parse([*NEEDED, "--no_text"]).no_text
    opt = TrainOptions().parse([*NEEDED, "--ablate", "text,mask,text"])
    assert opt.no_text and opt.ablate == ["mask", "text"]


def test_derived_values():
    opt = TestOptions().parse([*NEEDED, "--suffix", "{netG}_x", "--load_iter", "70", "--gpu_ids", "-1"])
    assert (opt.name, opt.epoch, opt.gpu_ids) == ("n_resnet_9blocks_x", "iter_70", [])


@pytest.mark.parametrize(
    "flags, message",
    [
        ("--ngf x", "'x' is not a whole number"),
        ("--lr nan", "'nan' is not a number above 0"),
        ("--lr_policy exponential", "invalid choice"),
        ("--input_nc 1", "colour"),
        ("--model CycleGAN", "no such model"),
        ("--gpu_ids 0,1", "torchrun --nproc_per_node=2 train.py"),
        ("--dropout --no_dropout", "contradict"),
        ("--crop_size 600", "larger than --load_size"),
        ("--crop_size 130", "multiple of 4"),
        ("--crop_size 192 --netG unet_128", "multiple of 128"),
        ("--crop_size 16", "at least 24"),
        ("--crop_size 64 --netD n_layers --n_layers_D 5", "at least 96"),
        ("--lambda_gp 10", "wgangp"),
        ("--lambda_gp 10 --gan_mode wgangp --preprocess none", "one size"),
        ("--epoch_count 301", "ends with epoch 300"),
        ("--suffix {colour}", "colour"),
        ("--checkpoint_activations --norm batch", "twice"),
        ("--val_ref x", "--val_dir"),
        ("--ema 1", "'1' is not a number from 0 to below 1"),
        ("--ablate nrn,colour", "'colour' is not a part; the parts are nrn"),
        ("--unknown", "unrecognized"),
    ],
)
def test_refusals_are_one_line(flags, message):
    with pytest.raises(UsageError) as caught:
        TrainOptions().parse([*NEEDED, *flags.split()])
    assert message in str(caught.value) and "\n" not in str(caught.value)


def test_flags_that_contradict_the_weights_are_refused():
    opt = TestOptions().parse([*NEEDED, "--ngf", "32"])
    check_architecture(opt, {"ngf": 32}, "r")
    with pytest.raises(UsageError, match="--ngf 32: the weights in r have 64"):
        check_architecture(opt, {"ngf": 64}, "r")


def test_compiling_needs_a_compiler(monkeypatch, tmp_path):
    flags = ["--dataroot", "d", "--name", "n", "--compile"]
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CXX", raising=False)
    with pytest.raises(UsageError, match=r"--compile: no C\+\+ compiler"):
        TestOptions().parse(flags)
    own = tmp_path / "my-c++"
    own.touch(mode=0o755)
    monkeypatch.setenv("CXX", str(own))
    assert TestOptions().parse(flags).compile
