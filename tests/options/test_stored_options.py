"""Stored options pass the same checks as typed ones, and say which file is wrong."""

import json

import pytest

from models.enhancer import Enhancer
from options.train_options import TrainOptions
from sample_images import enhancer_folder
from util.errors import WorkError

NEEDED = ["--dataroot", "d", "--name", "run"]


@pytest.fixture
def run(tmp_path):
    """A folder of weights with its options."""
    folder = tmp_path / "run"
    enhancer_folder(folder, TrainOptions().parse([*NEEDED, "--ngf", "16"]))
    return folder


def store(folder, flag, value):
    path = folder / "train_opt.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), flag: value}))


ODD = [("ngf", "abc"), ("ngf", -16), ("ngf", 10**6), ("netG", "foo"), ("netG", []), ("norm", {}), ("ablate", None)]
ODD += [("dropout", "no"), ("nrn_coords", 3)]


@pytest.mark.parametrize("flag, value", [*ODD, ("lr", "x"), ("print_freq", 0), ("n_epochs", None)])
def test_continue_train(run, flag, value):
    store(run, flag, value)
    with pytest.raises(WorkError, match=rf"run/train_opt\.json: {flag}: ") as caught:
        TrainOptions().parse([*NEEDED, "--checkpoints_dir", str(run.parent), "--continue_train"])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("flag, value", ODD)
def test_init_from(run, flag, value):
    store(run, flag, value)
    with pytest.raises(WorkError, match=rf"run/train_opt\.json: {flag}: "):
        TrainOptions().parse([*NEEDED, "--init_from", str(run)])


@pytest.mark.parametrize("flag, value", ODD)
def test_the_enhancer(run, flag, value):
    store(run, flag, value)
    with pytest.raises(WorkError, match=rf"run/train_opt\.json: {flag} is .*, not ") as caught:
        Enhancer.from_checkpoint(run, device="cpu")
    assert "\n" not in str(caught.value)


def test_a_missing_option_is_named(run):
    path = run / "train_opt.json"
    stored = json.loads(path.read_text())
    del stored["netG"]
    path.write_text(json.dumps(stored))
    with pytest.raises(WorkError, match="lacks 'netG'"):
        Enhancer.from_checkpoint(run, device="cpu")


def test_options_about_a_call_do_not_matter(run):
    store(run, "gpu_ids", "nonsense")
    TrainOptions().parse([*NEEDED, "--checkpoints_dir", str(run.parent), "--continue_train"])


def test_a_run_that_saved_nothing_starts_again(tmp_path):
    (tmp_path / "run").mkdir()
    with pytest.raises(WorkError, match="nothing was saved in it yet; start without --continue_train"):
        TrainOptions().parse([*NEEDED, "--checkpoints_dir", str(tmp_path), "--continue_train"])
