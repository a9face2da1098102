"""The how-to's examples (docs/extending.md) are complete: they are applied to a copy of the project and run there."""

import json
import re
import shlex
import shutil
import subprocess
import sys

import pytest

from commands import ROOT
from documents import HOW_TO, TEXTS
from sample_images import photograph
from util.monitor.loss_log import read_losses

PACKAGES = ("options", "models", "data", "clip", "util", "benchmarks")


def python(*arguments, cwd):
    command = [sys.executable, *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=300)


def blocks(text):
    """The how-to's code: [(language, file of its own or None, code)]."""
    found = re.findall(r"(?:New file `(.+?)`:\n\n)?```(\w+)\n(.*?)```\n", text, re.DOTALL)
    return [(language, file or None, code) for file, language, code in found]


def changed(change):
    """The file that a diff is about."""
    return re.match(r"--- (\S+)\n\+\+\+ \1\n@@\n", change)[1]


def apply(change, folder):
    """Make the change that a diff without line numbers shows; each of its places has to be there exactly once."""
    file = changed(change)
    code = "\n" + (folder / file).read_text(encoding="utf-8")
    for place in change.split("\n@@\n")[1:]:
        lines = place.splitlines()
        assert {line[:1] for line in lines} <= {"", " ", "+", "-"}, place
        before, after = ("".join(f"{line[1:]}\n" for line in lines if line[:1] != sign) for sign in "+-")
        assert code.count(f"\n{before}") == 1, f"{HOW_TO} shows what is not once in {file}:\n{before}"
        code = code.replace(f"\n{before}", f"\n{after}")
    (folder / file).write_text(code[1:], encoding="utf-8")


def typed(text, command):
    """The flags of all lines in which the how-to calls a command, together: [flag, value, ...]."""
    lines = [line for language, _, code in blocks(text) if language == "sh" for line in code.splitlines()]
    flags = [shlex.split(line)[2:] for line in lines if line.startswith(f"python {command} ")]
    pairs = dict(pair for line in flags for pair in zip(line[::2], line[1::2], strict=True))
    return [word for pair in pairs.items() for word in pair]


@pytest.fixture(scope="module")
def extended(tmp_path_factory):
    """A copy of the project with all examples of the how-to in it, and two pairs of images; and the how-to."""
    folder, text = tmp_path_factory.mktemp("extended"), TEXTS[HOW_TO]
    for package in PACKAGES:
        shutil.copytree(ROOT / package, folder / package, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("train.py", "test.py", "pyproject.toml"):
        shutil.copy(ROOT / name, folder)
    for language, file, code in blocks(text):
        if language == "python":
            (folder / file).write_text(code, encoding="utf-8")
        elif language == "diff":
            apply(code, folder)
    for name, scene in (("a.png", "coffee"), ("b.png", "chelsea")):
        for side in ("trainA", "trainB", "testA"):
            (folder / "dataset" / side).mkdir(parents=True, exist_ok=True)
            photograph((44, 40), scene, 0.3).save(folder / "dataset" / side / name)
    return folder, text


def test_the_examples_are_in_the_style_of_the_house(extended):
    folder, text = extended
    touched = {file or changed(code) for language, file, code in blocks(text) if language != "sh"}
    for check in (["check"], ["format", "--check"]):
        done = python("-m", "ruff", *check, *sorted(touched), cwd=folder)
        assert done.returncode == 0, done.stdout


EXAMPLES = """
import torch
from data.aligned_dataset import AlignedDataset
from models.losses.edges import EdgeFilter
from models.networks.generators import build_generator
from models.losses.restoration import gray_world
from options.train_options import TrainOptions

x = torch.rand(2, 6, 12, 16)
assert build_generator("dilated", 6, ngf=16)(x).shape == (2, 3, 12, 16)
ramp = torch.arange(12.0).expand(1, 1, 12, 12)
torch.testing.assert_close(EdgeFilter("scharr")(ramp)[0, 0, 2:-2, 2:-2], torch.full((8, 8), 8.0))
assert gray_world(torch.full((1, 3, 4, 4), 0.5)) == 0
assert gray_world(torch.tensor([1.0, 0, 0]).reshape(1, 3, 1, 1)) == 2

flags = "--dataroot dataset --name r --preprocess crop --crop_size 32 --dataset_mode aligned"
pairs = AlignedDataset(TrainOptions().parse(flags.split()))
for epoch in (1, 2, 3):  # the partners are equal here, so their crops are
    sample = pairs[epoch, 1]
    assert torch.equal(sample["A"], sample["B"]) and sample["B_paths"].endswith("trainB/b.png")
"""


def test_the_examples_do_what_they_say(extended):
    done = python("-c", EXAMPLES, cwd=extended[0])
    assert done.returncode == 0, done.stderr


@pytest.mark.commands
def test_the_examples_train_together_and_enhance(extended):
    folder, text = extended
    small = "--ngf 16 --ndf 8 --preprocess crop --crop_size 32 --num_threads 0 --no_text --display_id 0 --print_freq 1"
    small += " --n_epochs 1 --n_epochs_decay 0 --gpu_ids -1"
    flags = typed(text, "train.py")
    assert {"dilated", "scharr", "aligned", "--lambda_gray"} <= set(flags)
    done = python("train.py", *flags, *small.split(), cwd=folder)
    assert done.returncode == 0, done.stderr
    weights = folder / "saves" / "my_run"
    options = json.loads((weights / "train_opt.json").read_text())
    assert (options["netG"], options["edge_filter"], options["dataset_mode"]) == ("dilated", "scharr", "aligned")
    records = read_losses(weights)
    assert len(records) == 2 and all(record["losses"]["gray"] > 0 for record in records)
    assert (folder / "loss" / "loss_my_run" / "gray.png").is_file()

    done = python("test.py", "--gpu_ids", "-1", *typed(text, "test.py"), cwd=folder)
    assert done.returncode == 0, done.stderr
    assert len(list((folder / "results" / "my_run" / "test_latest" / "images").glob("*_fake_B.png"))) == 2
