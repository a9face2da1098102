"""No file, disk, terminal or signal costs more of a run than its last step."""

import os
import resource
import shlex
import signal
import subprocess
import sys
import time

import pytest
import torch

from commands import ROOT, error_line, error_lines, run
from sample_images import training_folder
from util.monitor.loss_log import read_losses

pytestmark = pytest.mark.commands

SMALL = ["--ngf", "16", "--ndf", "8", "--netG", "resnet_6blocks", "--preprocess", "crop", "--crop_size", "32"]
SMALL += ["--num_threads", "0", "--no_text", "--display_id", "0", "--n_epochs", "1", "--n_epochs_decay", "0"]
SMALL += ["--print_freq", "1", "--pool_size", "2"]


def began(root, *flags):
    """Training in the background, as ``commands.run`` starts it."""
    command = [sys.executable, str(ROOT / "train.py"), "--gpu_ids", "-1", "--name", "r", *SMALL, *flags]
    return subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def wait_for_image(process, folder, number):
    while process.poll() is None and len(read_losses(folder)) < number:
        time.sleep(0.01)


def pasted(line, root):
    """Run a command as it was printed behind a colon, but with this Python."""
    words = shlex.split(line.partition(": ")[2])
    assert words[0] == "python"
    return run(words[1], *words[2:], cwd=root)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_in_the_last_step_of_an_epoch(tmp_path, number):
    training_folder(tmp_path / "my data", count=2)
    drawn = ["--update_html_freq", "2"]  # between the log's last line and the end of the step: the signal comes then
    process = began(tmp_path, "--dataroot", "my data", "--checkpoints_dir", "my runs", *drawn)
    wait_for_image(process, tmp_path / "my runs" / "r", 2)
    process.send_signal(number)
    out, err = process.communicate(timeout=600)
    assert process.returncode == 128 + number, err
    state = torch.load(tmp_path / "my runs" / "r" / "latest_train_state.pth")
    assert state["progress"]["seen"] == 2 and state["progress"]["epoch"] == 1
    done = pasted(out.splitlines()[-1], tmp_path)
    assert done.returncode == 0, done.stderr
    done = pasted(done.stdout.splitlines()[-1], tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "results" / "r" / "test_latest" / "index.html").exists()


def test_damaged_images_are_left_out_and_too_many_end_a_run_saved(tmp_path):
    data = training_folder(tmp_path / "dataset", count=6)
    damaged = data / "trainA" / "coffee5.png"
    damaged.write_bytes(damaged.read_bytes()[:-100])
    done = run("train.py", "--dataroot", data, "--name", "r", *SMALL, "--serial_batches", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    first, last = error_lines(done)
    assert f"{damaged}: cannot read this image" in first and last == f"1 image left out, not readable: {damaged}"

    other = data / "trainA" / "coffee4.png"
    other.write_bytes(other.read_bytes()[:-100])
    done = run("train.py", "--dataroot", data, "--name", "s", *SMALL, "--serial_batches", cwd=tmp_path)
    assert done.returncode == 1
    assert "error: 2 of 12 images cannot be read" in error_lines(done)[-1]
    assert "stopped and saved; go on with: " in done.stdout
    assert torch.load(tmp_path / "saves" / "s" / "latest_train_state.pth")["progress"]["pictures"] == 4


def test_two_trainings_of_one_name(tmp_path):
    data = training_folder(tmp_path / "dataset", count=2)
    first = began(tmp_path, "--dataroot", str(data), "--n_epochs", "1000", "--save_epoch_freq", "1000")
    wait_for_image(first, tmp_path / "saves" / "r", 1)
    second = run("train.py", "--dataroot", data, "--name", "r", *SMALL, cwd=tmp_path)
    assert second.returncode == 2
    assert f"saves/r: another training writes here (process {first.pid} on " in error_line(second)
    first.kill()
    first.communicate()
    again = run("train.py", "--dataroot", data, "--name", "r", *SMALL, cwd=tmp_path)
    assert again.returncode == 0, again.stderr


def test_a_full_disk(tmp_path):
    data = training_folder(tmp_path / "dataset", count=2)

    def small_files_only():
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))

    command = [sys.executable, str(ROOT / "train.py"), "--gpu_ids", "-1", "--dataroot", str(data), "--name", "r"]
    done = subprocess.run(
        [*command, *SMALL, "--save_latest_freq", "1"],
        cwd=tmp_path,
        preexec_fn=small_files_only,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert "the trained weights could not be saved: make room, and go on with" in error_line(done)
    assert "not saved after 1 images: saves/r: cannot write the files of 'latest' (file too large)" in done.stdout
    assert len(read_losses(tmp_path / "saves" / "r")) == 2  # training went on, and so did what is small
    assert not list((tmp_path / "saves" / "r").glob("*.pth")) and not list((tmp_path / "saves" / "r").glob(".*"))


@pytest.mark.skipif(os.name != "posix", reason="other names than UTF-8 are a matter of POSIX")
@pytest.mark.parametrize("name", [b"d\xff\xfe", "dätä".encode()])
def test_places_that_are_not_ascii(tmp_path, name):
    data = tmp_path / os.fsdecode(name)
    training_folder(data, count=1)
    plain = {"LC_ALL": "C", "PYTHONIOENCODING": "utf-8:backslashreplace"}  # of what this test reads
    done = run("train.py", "--dataroot", data, "--name", "r", *SMALL, cwd=tmp_path, env=plain)
    assert done.returncode == 0, done.stderr


def test_curves_that_have_no_place_are_found_at_the_start(tmp_path):
    data = training_folder(tmp_path / "dataset", count=1)
    (tmp_path / "loss").touch()
    done = run("train.py", "--dataroot", data, "--name", "r", *SMALL, cwd=tmp_path)
    assert done.returncode == 1 and "loss/loss_r: cannot make this folder" in error_line(done)
    assert not list((tmp_path / "saves").rglob("*.pth"))
