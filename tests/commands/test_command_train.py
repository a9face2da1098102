"""python train.py, run for real, and what test.py then makes of its weights."""

import json
from pathlib import Path

import pytest
from PIL import Image

from commands import error_line, run
from sample_images import levels, photograph, training_folder
from util.monitor.loss_log import read_losses

pytestmark = pytest.mark.commands

SMALL = ["--ngf", "16", "--ndf", "8", "--preprocess", "crop", "--crop_size", "32", "--num_threads", "1", "--no_text"]
SMALL += ["--display_id", "0"]
NETS = ("Pre", "G_A", "G_B", "H", "D_A", "D_B", "D_A_edge", "D_B_edge")
STAGES = ("real_A", "pre_A", "mask", "fake_B", "rec_A", "real_B", "fake_A", "rec_B")
LOSSES = ["D_A", "G_A", "cycle_A", "idt_A", "D_B", "G_B", "cycle_B", "idt_B", "D_A_edge", "D_B_edge", "PreConsis", "H"]


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A folder in which a run of two epochs has been trained, and what it printed."""
    root = tmp_path_factory.mktemp("trained")
    training_folder(root / "dataset", count=3)
    epochs = ["--n_epochs", "1", "--n_epochs_decay", "1", "--save_epoch_freq", "1", "--print_freq", "1"]
    saving = ["--save_latest_freq", "2", "--save_by_iter", "--update_html_freq", "2"]
    done = run("train.py", "--dataroot", "./dataset", "--name", "my_run", *SMALL, *epochs, *saving, cwd=root)
    assert done.returncode == 0, done.stderr
    return root, done.stdout


def test_weights_are_written(trained):
    folder = trained[0] / "saves" / "my_run"
    for epoch in ("1", "2", "latest", "iter_2", "iter_4", "iter_6"):
        assert {f"{epoch}_net_{net}.pth" for net in NETS} <= {path.name for path in folder.iterdir()}
        assert (folder / f"{epoch}_train_state.pth").is_file()
    assert not [path for path in folder.iterdir() if path.name.startswith(".")]
    assert json.loads((folder / "train_opt.json").read_text())["ngf"] == 16


def test_losses_are_logged_and_drawn(trained):
    root, _ = trained
    records = read_losses(root / "saves" / "my_run")
    assert [(record["epoch"], record["pictures"]) for record in records] == [(1 + i // 3, i + 1) for i in range(6)]
    assert all(list(record["losses"]) == LOSSES for record in records)
    assert [record["lr"] for record in records] == [2e-4] * 3 + [1e-4] * 3
    text = (root / "saves" / "my_run" / "loss_log.txt").read_text().splitlines()
    assert len(text) == 6 and f"cycle_A: {records[5]['losses']['cycle_A']:.4f}" in text[5]
    for name in LOSSES:
        assert Image.open(root / "loss" / "loss_my_run" / f"{name}.png").size == (600, 320)


def test_the_page_shows_every_stage(trained):
    web = trained[0] / "saves" / "my_run" / "web"
    page = (web / "index.html").read_text()
    for epoch in (1, 2):
        for stage in STAGES:
            name = f"images/epoch{epoch:03d}_{stage}.png"
            assert f'src="{name}"' in page
            assert Image.open(web / name).size == (32, 32)


def test_the_summary_says_what_will_happen(trained):
    said = trained[1]
    for told in (
        "CPU",
        "3 low-light and 3 normal-light",
        "D_B_edge",
        "M parameters",
        "paper",
        "without the text term",
        "my_run",
    ):
        assert told in said
    assert len(said.splitlines()) < 24


def test_testing_needs_the_name_alone(trained):
    root, _ = trained
    done = run("test.py", "--dataroot", "./dataset", "--name", "my_run", cwd=root)
    assert done.returncode == 0, done.stderr
    images = Path(done.stdout.splitlines()[-1]).parent / "images"
    assert [Image.open(path).size for path in sorted(images.glob("*_fake_B.png"))] == [(40, 36), (41, 36), (42, 36)]
    first = run("test.py", "--dataroot", "./dataset", "--name", "my_run", "--epoch", "1", cwd=root)
    assert first.returncode == 0, first.stderr
    other = Path(first.stdout.splitlines()[-1]).parent
    assert other.name == "test_1"
    images = [levels(Image.open(folder / "coffee0_fake_B.png")) for folder in (images, other / "images")]
    assert (images[0] != images[1]).any()


def test_weights_are_not_overwritten(trained):
    root, _ = trained
    before = (root / "saves" / "my_run" / "latest_net_G_A.pth").read_bytes()
    done = run("train.py", "--dataroot", "./dataset", "--name", "my_run", *SMALL, cwd=root)
    assert done.returncode == 2
    assert "already holds weights: add --continue_train" in error_line(done)
    assert (root / "saves" / "my_run" / "latest_net_G_A.pth").read_bytes() == before


@pytest.mark.parametrize(
    "flags, status, told",
    [
        (["--dataroot", "nowhere"], 1, "trainA: no such folder"),
        (["--dataroot", "empty"], 1, "trainA: no images"),
        (["--dataroot", "broken"], 1, "coffee0.png: cannot read this image"),
        (["--crop_size", "30"], 2, "--crop_size 30: must be a multiple of 4"),
        (["--checkpoints_dir", "file"], 1, "file/r: cannot make this folder"),
        (["--continue_train"], 1, "there is no folder saves/r: check --name"),
        ([], 2, "the following arguments are required: --dataroot"),
    ],
)
def test_bad_input_is_one_line(tmp_path, flags, status, told):
    training_folder(tmp_path / "dataset", count=1)
    training_folder(tmp_path / "broken", count=1)
    (tmp_path / "broken" / "trainA" / "coffee0.png").write_text("not an image")
    (tmp_path / "empty" / "trainA").mkdir(parents=True)
    (tmp_path / "file").touch()
    data = [] if not flags else ["--dataroot", "dataset"]
    done = run("train.py", *SMALL, *data, "--name", "r", *flags, cwd=tmp_path)
    assert done.returncode == status
    assert told in error_line(done)


def test_what_the_release_asks_for_does_no_harm(tmp_path):
    data = training_folder(tmp_path / "dataset", count=1)
    (tmp_path / "loss").mkdir()
    (data / "testB").mkdir()
    photograph((16, 16)).save(data / "testB" / "b.png")
    short = ["--n_epochs", "1", "--n_epochs_decay", "0", "--no_html"]
    done = run("train.py", "--dataroot", "dataset", "--name", "r", *SMALL, *short, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert not (tmp_path / "saves" / "r" / "web").exists()
