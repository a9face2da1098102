"""Two processes on the CPU train like one with twice the batch, and share images out."""

import json
import subprocess
import sys

import pytest
import torch

from commands import ROOT
from data.loader import EpochSampler
from distributed_steps import steps, weights
from sample_images import enhancer_folder, photograph, training_folder
from util.files import read_records
from util.monitor.loss_log import read_losses

pytestmark = pytest.mark.commands


def torchrun(*command, cwd):
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"]
    return subprocess.run([*launcher, *map(str, command)], cwd=cwd, capture_output=True, text=True, timeout=600)


def test_two_processes_equal_one_with_twice_the_batch(tmp_path):
    done = torchrun(ROOT / "tests" / "distributed_steps.py", tmp_path, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    first, second = (torch.load(tmp_path / f"{rank}.pth") for rank in (0, 1))
    torch.manual_seed(0)
    alone = steps(0, 1)
    assert first["metric"] == second["metric"] == pytest.approx(alone.schedules[0].plateau.best, rel=1e-9)
    for name, state in weights(alone).items():
        for key, value in state.items():
            assert torch.equal(first["weights"][name][key], second["weights"][name][key]), (name, key)
            torch.testing.assert_close(first["weights"][name][key], value, atol=1e-7, rtol=0)


def test_the_processes_share_each_step():
    one = EpochSampler(7, 4, shuffle=True, seed=3)
    halves = [EpochSampler(7, 2, shuffle=True, seed=3, rank=rank, world=2) for rank in (0, 1)]
    assert len(one) == len(halves[0]) == 2
    first, last = [[a + b for a, b in zip(*halves, strict=True)][i] for i in (0, 1)]
    whole = list(one)
    assert first == whole[0]
    assert last[:3] == whole[1] and len(last) == 4 and last[3] in whole[0]
    for half in halves:
        half.start(1, skip=4)
    assert [a + b for a, b in zip(*halves, strict=True)] == [last]


def test_the_command(tmp_path):
    data = training_folder(tmp_path / "dataset", count=4)
    flags = ["--dataroot", data, "--name", "r", "--gpu_ids", "-1", "--ngf", "16", "--ndf", "8", "--preprocess", "crop"]
    flags += ["--crop_size", "32", "--num_threads", "0", "--no_text", "--display_id", "0", "--print_freq", "2"]
    flags += ["--n_epochs", "1", "--n_epochs_decay", "0", "--pool_size", "0"]
    done = torchrun(ROOT / "train.py", *flags, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("2 processes") == 1 and done.stdout.count("trained;") == 1
    records = read_losses(tmp_path / "saves" / "r")
    assert [record["pictures"] for record in records] == [2, 4]

    more = torchrun(
        *(ROOT / "train.py", "--dataroot", data, "--name", "r", "--gpu_ids", "-1"),
        *("--continue_train", "--n_epochs", "2"),
        cwd=tmp_path,
    )
    assert more.returncode == 0, more.stderr
    assert [record["pictures"] for record in read_losses(tmp_path / "saves" / "r")] == [2, 4, 6, 8]


def test_the_images_are_shared_out(tmp_path):
    enhancer_folder(tmp_path / "saves" / "small")
    for name in "abc":
        photograph((20, 16), brightness=0.3).save(tmp_path / f"{name}.png")
    (tmp_path / "d.png").write_text("not an image")
    done = torchrun(ROOT / "test.py", "--dataroot", ".", "--name", "small", "--gpu_ids", "-1", cwd=tmp_path)
    folder = tmp_path / "results" / "small" / "test_latest"
    assert done.returncode == 1 and done.stdout.splitlines() == ["left out of .: 3 .pth", str(folder / "index.html")]
    assert done.stderr.count("d.png: cannot read this image") == done.stderr.count("1 of 4 images failed") == 1
    page = (folder / "index.html").read_text()
    assert "2 processes, CPU" in page and page.count("failed: ") == 1
    assert [read["name"] for read in read_records(folder / "records.jsonl")].count("a") == 1
    assert [one["name"] for one in json.loads((folder / "metrics.json").read_text())["pictures"]] == ["a", "b", "c"]
