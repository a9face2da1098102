"""Flags: their defaults, what follows from them, and what is refused."""

import json

import pytest

from options.base_options import check_architecture
from options.test_options import TestOptions
from options.train_options import RECIPES, TrainOptions
from util.distributed import gpu_of_this_process
from util.errors import UsageError, WorkError

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
    "num_threads": 4,
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
        ("--suffix {netG.foo}", "{netG.foo} is not the name of a flag"),
        ("--suffix {netG[0]}", "{netG[0]} is not"),
        ("--suffix {netG:9999999999}", "is not the name of a flag"),
        ("--suffix {", "{ is not the name of a flag"),
        ("--suffix {dataroot}/x", "must be one name"),
        ("--gpu_ids 0,-1", "'0,-1' is not a GPU number"),
        ("--clip_path nonsense", "no weights of CLIP; or train without the text term: --no_text"),
        ("my folder", "my folder: belongs to no flag; put a value with spaces"),
    ],
)
def test_refusals_are_one_line(flags, message):
    with pytest.raises((UsageError, WorkError)) as caught:
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


LIMITS = """--crop_size 1 16384
--load_size 1 16384
--display_winsize 1 16384
--ngf 1 1024
--ndf 1 1024
--n_layers_D 1 10
--batch_size 1 4096
--num_threads 0 256
--seed 0 9223372036854775807
--n_epochs 1 1000000
--n_epochs_decay 0 1000000
--display_port 1 65535
--print_freq 1 1000000000
--pool_size 0 1000000000"""


@pytest.mark.parametrize("flag, least, most", [line.split() for line in LIMITS.splitlines()])
def test_whole_numbers_have_a_range(flag, least, most):
    parser = TrainOptions().parser()
    for value in (least, most):
        assert getattr(parser.parse_args([*NEEDED, flag, value]), flag[2:]) == int(value)
    for value in (int(least) - 1, int(most) + 1, -(10**30), 10**30, "1.5", "1e3", "", "9" * 5000):
        with pytest.raises(UsageError, match=f"{flag}: .* is not a whole number from {least} to {most}") as caught:
            parser.parse_args([*NEEDED, f"{flag}={value}"])
        assert len(str(caught.value)) < 200


@pytest.mark.parametrize("value", ["0", "-1", "1e9", "1e-9", "inf", "nan", "0.09", "11"])
def test_results_are_not_stretched_beyond_reason(value):
    with pytest.raises(UsageError, match=r"--aspect_ratio: .* is not a number from 0.1 to 10"):
        TestOptions().parse([*NEEDED, "--aspect_ratio", value])


def test_without_visdom_as_the_family_types_it():
    assert TrainOptions().parse([*NEEDED, "--display_id", "-1"]).display_id == 0
    with pytest.raises(UsageError, match="'-2' is not a whole number from 0"):
        TrainOptions().parse([*NEEDED, "--display_id", "-2"])


@pytest.mark.parametrize("flags", ["", "--ablate nrn,mask --keep_last 3 --max_dataset_size inf --prompt_low a b"])
def test_what_was_stored_is_read_as_it_was_typed(flags):
    opt = vars(TrainOptions().parse([*NEEDED, *flags.split()]))
    stored = json.loads(json.dumps(opt))
    flags_alone = {
        flag: value for flag, value in opt.items() if flag in vars(TrainOptions().parser().parse_args(NEEDED))
    }
    assert len(flags_alone) > 80
    assert TrainOptions().parser().check_stored(stored, "train_opt.json") == flags_alone


@pytest.mark.parametrize(
    "flag, value, problem",
    [
        ("ngf", "abc", "'abc' is not a whole number from 1 to 1024"),
        ("ngf", -16, "'-16' is not a whole number"),
        ("ngf", 10**6, "'1000000' is not a whole number"),
        ("ngf", [16], "[16] is not one value"),
        ("ngf", {}, "'{}' is not a whole number"),
        ("ngf", True, "'True' is not a whole number"),
        ("netG", "foo", "invalid choice: 'foo'"),
        ("netG", None, "None is not a text"),
        ("netG", ["resnet_9blocks"], "['resnet_9blocks'] is not one value"),
        ("ablate", None, "None is not a list"),
        ("ablate", ["colour"], "'colour' is not a part"),
        ("lr", "x", "'x' is not a number above 0"),
        ("lr", None, "'None' is not a number above 0"),
        ("print_freq", 0, "'0' is not a whole number from 1"),
        ("cache", 1, "1 is neither true nor false"),
        ("prompt_low", "dark", "'dark' is not a list"),
        ("prompt_low", [], "[] is not a list of values"),
        ("prompt_low", [1], "1 is not a text"),
        ("display_env", 3, "3 is not a text"),
    ],
)
def test_stored_values_pass_the_checks_of_typed_ones(flag, value, problem):
    with pytest.raises(WorkError) as caught:
        TrainOptions().parser().check_stored({"size_multiple": 4, flag: value}, "saves/r/train_opt.json")
    assert str(caught.value).startswith(f"saves/r/train_opt.json: {flag}: {problem}")
    assert str(caught.value).endswith("; correct it, or remove this entry")


@pytest.mark.parametrize("flag", ["name", "phase", "epoch"])
@pytest.mark.parametrize(
    "value",
    [
        "../esc",
        "/abs",
        "",
        " ",
        ".",
        "..",
        "a/b",
        "a/",
        "a\\b",
        "a\nb",
        "a\rb",
        "a\x00b",
        "a\x1bb",
        "\x85",
        "x" * 201,
        "é" * 101,
    ],
)
def test_a_name_is_one_folders_name(flag, value):
    typed = {"name": "n", "dataroot": "d", flag: value}
    with pytest.raises(UsageError, match=f"^--{flag} .*: must be one name") as caught:
        TestOptions().parse([f"--{key}={text}" for key, text in typed.items()])
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("name", ["my run 1", "..a", "a.b", "{x}", "a:b*?", "夜景", "😀" * 50, "\udcff"])
def test_other_names_are_the_users_own_affair(name):
    assert TestOptions().parse(["--dataroot", "d", "--name", name]).name == name


@pytest.mark.parametrize("options, program", [(TrainOptions, "train.py"), (TestOptions, "test.py")])
def test_a_gpu_for_each_process(options, program, monkeypatch):
    with pytest.raises(UsageError, match=rf"runs 1; type torchrun --nproc_per_node=2 {program} --gpu_ids 1,0"):
        options().parse([*NEEDED, "--gpu_ids", "1,0"])
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")
    assert options().parse([*NEEDED, "--gpu_ids", "1,0"]).gpu_ids == [1, 0]
    for numbers in ("3", "0,1,2"):
        with pytest.raises(UsageError, match=f"--gpu_ids {numbers}: one process .* this machine runs 2"):
            options().parse([*NEEDED, "--gpu_ids", numbers])
    assert options().parse([*NEEDED, "--gpu_ids", "-1"]).gpu_ids == []
    assert [gpu_of([0], local, monkeypatch) for local in "01"] == [0, 1]
    assert [gpu_of([3, 2], local, monkeypatch) for local in "01"] == [3, 2]


def gpu_of(numbers, local, monkeypatch):
    monkeypatch.setenv("LOCAL_RANK", local)
    return gpu_of_this_process(numbers)


def test_an_export_takes_one_process(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(UsageError, match=r"--export writes is one file, which takes one process: type python test\.py"):
        TestOptions().parse([*NEEDED, "--export", "onnx"])


def test_clip_may_be_missing_where_it_is_not_needed_or_all_problems_are_listed():
    for flag in ("--no_text", "--dry_run"):
        TrainOptions().parse([*NEEDED, "--clip_path", "nonsense", flag])
