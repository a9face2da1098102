"""A run that is killed, stopped or interrupted goes on as if nothing had happened."""

import os
import random
import re
import signal
import subprocess
import sys
import time

import pytest
import torch

from commands import ROOT, error_line, run
from models.optim.finite_watch import FiniteWatch
from sample_images import training_folder
from util.checkpoint import drop_old
from util.monitor.loss_log import read_losses

pytestmark = pytest.mark.commands

FLAGS = ["--ngf", "16", "--ndf", "8", "--preprocess", "crop", "--crop_size", "32", "--num_threads", "1", "--no_text"]
FLAGS += ["--display_id", "0", "--no_html", "--n_epochs", "2", "--n_epochs_decay", "1", "--save_latest_freq", "2"]
FLAGS += ["--print_freq", "1", "--pool_size", "2", "--dropout", "--recipe", "released", "--ema", "0.9"]
LAST_IMAGE = 15


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return training_folder(tmp_path_factory.mktemp("data") / "dataset", count=5)


@pytest.fixture(scope="module")
def whole(tmp_path_factory, data):
    """The folder of a run in one go."""
    root = tmp_path_factory.mktemp("whole")
    done = run("train.py", "--dataroot", data, "--name", "r", *FLAGS, cwd=root)
    assert done.returncode == 0, done.stderr
    return root / "saves" / "r"


def start(data, root):
    """Start training in the background, or go on if weights have been saved."""
    saved = (root / "saves" / "r" / "latest_train_state.pth").exists()
    flags = ["--continue_train"] if saved else FLAGS
    command = [sys.executable, str(ROOT / "train.py"), "--gpu_ids", "-1", "--dataroot", str(data), "--name", "r"]
    return subprocess.Popen(
        [*command, *flags],
        cwd=root,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )


def logged(root):
    records = read_losses(root / "saves" / "r")
    return records[-1]["pictures"] if records else 0


def wait_for_image(process, root, number):
    while process.poll() is None and logged(root) < number:
        time.sleep(0.01)


def same_runs(one, other):
    """Weights, averages and logs of two runs are equal to the last bit."""
    assert read_losses(one) == read_losses(other)
    assert (one / "loss_log.txt").read_text() == (other / "loss_log.txt").read_text()
    names = sorted(path.name for path in one.glob("*_net_*.pth"))
    assert names == sorted(path.name for path in other.glob("*_net_*.pth")) and len(names) == 22
    for name in names:
        first, second = torch.load(one / name), torch.load(other / name)
        assert all(torch.equal(first[key], second[key]) for key in first), name


def test_killed_at_random_moments(tmp_path, data, whole):
    chance = random.Random(1)
    kills = 0
    for stop_at in (2, 5, 9, 13):
        process = start(data, tmp_path)
        wait_for_image(process, tmp_path, stop_at)
        time.sleep(chance.random() / 2)
        if process.poll() is None:
            process.kill()
            kills += 1
        process.communicate()
    process = start(data, tmp_path)
    process.communicate(timeout=600)
    assert process.returncode == 0
    assert kills >= 3
    assert logged(tmp_path) == LAST_IMAGE
    same_runs(tmp_path / "saves" / "r", whole)


@pytest.mark.parametrize("number, status", [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_finishes_the_step_and_saves(tmp_path, data, whole, number, status):
    process = start(data, tmp_path)
    wait_for_image(process, tmp_path, 4)
    os.killpg(process.pid, number)  # to the workers, too, as a terminal and a cluster do
    said, _ = process.communicate(timeout=600)
    assert process.returncode == status
    assert f"python train.py --dataroot {data} --name r --continue_train" in said.splitlines()[-1]
    stopped = logged(tmp_path)
    progress = torch.load(tmp_path / "saves" / "r" / "latest_train_state.pth")["progress"]
    assert progress["pictures"] == stopped < LAST_IMAGE

    process = start(data, tmp_path)
    said, _ = process.communicate(timeout=600)
    assert process.returncode == 0
    assert f"going on after {stopped} images" in said
    same_runs(tmp_path / "saves" / "r", whole)


def test_numbers_that_are_none_stop_the_run(tmp_path, data):
    done = run("train.py", "--dataroot", data, "--name", "r", *FLAGS, "--lr", "1e18", cwd=tmp_path)
    assert done.returncode == 1
    line = error_line(done)
    assert re.search(
        r"step \d+ of this call: \w+ is not a finite number any more, on .*coffee\d\.png and .*chelsea", line
    )
    for path in (tmp_path / "saves").rglob("*_net_*.pth"):
        assert all(value.isfinite().all() for value in torch.load(path).values() if value.is_floating_point())


def test_the_watch_names_the_first_bad_step():
    watch = FiniteWatch()
    watch.note({"simulation": torch.tensor(1.0)}, ["a.png", "b.png"])  # as in a warm-up: other losses than after it
    for step in range(5):
        bad = torch.tensor(float("nan") if step >= 3 else 1.0)
        watch.note({"cycle_A": torch.tensor(1.0), "H": bad}, [f"a{step}.png", f"b{step}.png"])
    with pytest.raises(Exception, match=r"step 5 of this call: H is not .* on a3\.png and b3\.png"):
        watch.check()
    watch.check()


def test_old_weights_are_dropped(tmp_path):
    for tag in ("1", "2", "10", "iter_9", "iter_100", "latest", "best"):
        (tmp_path / f"{tag}_net_G_A.pth").touch()
        (tmp_path / f"{tag}_train_state.pth").touch()
    (tmp_path / "3_notes.txt").touch()
    drop_old(tmp_path, 2)
    kept = {path.name.removesuffix("_net_G_A.pth") for path in tmp_path.glob("*_net_G_A.pth")}
    assert kept == {"2", "10", "iter_9", "iter_100", "latest", "best"}
    drop_old(tmp_path, 1)
    kept = {path.name.removesuffix("_train_state.pth") for path in tmp_path.glob("*_train_state.pth")}
    assert kept == {"10", "iter_100", "latest", "best"}
    assert (tmp_path / "3_notes.txt").exists()
