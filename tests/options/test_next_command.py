"""The commands that train.py advises work as they are printed."""

import shlex

import pytest

from options.next_command import how_to_enhance, how_to_go_on
from options.test_options import TestOptions
from options.train_options import TrainOptions
from sample_images import enhancer_folder

PLACES = ["--dataroot", "my data", "--checkpoints_dir", "it's mine"]


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A working directory with a run called r."""
    monkeypatch.chdir(tmp_path)
    enhancer_folder(tmp_path / "it's mine" / "r", TrainOptions().parse(["--dataroot", "d", "--name", "r"]))
    return tmp_path


def test_going_on(place):
    opt = TrainOptions().parse([*PLACES, "--name", "r", "--gpu_ids", "-1", "--num_threads", "0", "--ngf", "16"])
    line = how_to_go_on(opt)
    assert line == (
        "python train.py --dataroot 'my data' --name r --checkpoints_dir 'it'\"'\"'s mine' --continue_train "
        "--gpu_ids -1 --num_threads 0"
    )
    again = TrainOptions().parse(shlex.split(line)[2:])
    assert (again.dataroot, again.checkpoints_dir, again.gpu_ids) == ("my data", "it's mine", [])


def test_defaults_are_left_out():
    opt = TrainOptions().parse(["--dataroot", "d", "--name", "r"])
    assert how_to_go_on(opt) == "python train.py --dataroot d --name r --continue_train"
    assert how_to_enhance(opt) == "python test.py --dataroot d/trainA --name r"


@pytest.mark.parametrize("processes, words", [("4", "torchrun"), ("8", "torchrun --nnodes=2")])
def test_after_torchrun(monkeypatch, processes, words):
    monkeypatch.setenv("WORLD_SIZE", processes)
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "4")
    opt = TrainOptions().parse(["--dataroot", "d", "--name", "r"])
    assert how_to_go_on(opt) == f"{words} --nproc_per_node=4 train.py --dataroot d --name r --continue_train"


@pytest.mark.parametrize("direction, letter", [("AtoB", "A"), ("BtoA", "B")])
def test_what_there_is_to_enhance(place, direction, letter):
    opt = TrainOptions().parse([*PLACES, "--name", "r", "--direction", direction])
    assert shlex.split(how_to_enhance(opt))[3] == f"my data/train{letter}"
    (place / "my data" / f"test{letter}").mkdir(parents=True)
    words = shlex.split(how_to_enhance(opt))
    assert words[3] == "my data"
    assert TestOptions().parse(words[2:]).direction == direction
