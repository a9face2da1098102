"""Flags of related projects, abbreviations and near misses: what is typed here instead."""

import re

import pytest

from options.other_names import HINTS
from options.test_options import TestOptions
from options.train_options import TrainOptions
from util.errors import UsageError

COMMANDS = {"train": TrainOptions, "test": TestOptions}


def flags_of(command):
    return set(command().parser()._option_string_actions)


def refusal(command, *words):
    with pytest.raises(UsageError) as caught:
        COMMANDS[command]().parse(["--dataroot", "d", "--name", "n", *words])
    return str(caught.value)


@pytest.mark.parametrize("typed", HINTS)
def test_hints_are_about_unknown_flags_and_name_known_ones(typed):
    known = flags_of(TrainOptions) | flags_of(TestOptions)
    assert typed not in known
    assert set(re.findall(r"--\w+", HINTS[typed])) <= known
    for command in COMMANDS:
        assert refusal(command, typed, "1") == (
            f"{typed}: there is no such flag; {HINTS[typed]} (see python {command}.py --help)"
        )


@pytest.mark.parametrize(
    "words, hint",
    [
        ("test --num_test=50", "--max_dataset_size N does this"),
        ("train --use_wandb", "leave it out"),
        ("train --crop-size 64", "did you mean --crop_size?"),
        ("train --dataroot_ x", "did you mean --dataroot?"),
        ("train -name x", "did you mean --name?"),
        ("train --batchsize 2", "did you mean --batch_size?"),
        ("train --crop 64", "did you mean --crop_size?"),
        ("train --continue", "did you mean --continue_train?"),
        ("test --skip", "did you mean --skip_existing?"),
        ("train --no_text_gradient", "did you mean --no-text_gradient or"),
        ("train --skip_existing", "test.py has it: leave it out"),
        ("test --display_id -1", "train.py has it: leave it out"),
        ("train --zzz", "there is no such flag (see"),
    ],
)
def test_what_was_meant(words, hint):
    command, *flags = words.split()
    assert hint in refusal(command, *flags)


def test_a_misspelt_flag_is_named_even_if_it_was_needed():
    with pytest.raises(UsageError, match=r"did you mean --dataroot\?"):
        TrainOptions().parse(["--data-root", "d", "--name", "n"])


def test_values_that_look_like_flags_a_little():
    opt = TrainOptions().parse(
        ["--dataroot", "d", "--name", "n", "--gpu_ids", "-1", "--prompt_low", "--a dark room", "b"]
    )
    assert (opt.gpu_ids, opt.prompt_low) == ([], ["--a dark room", "b"])
