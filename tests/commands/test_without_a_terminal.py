"""The real commands without a terminal to rely on: broken pipes, foreign encodings, closed terminals."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from commands import ROOT, error_lines, open_to, run
from sample_images import enhancer_folder, training_folder
from util.monitor.loss_log import read_losses

pytestmark = [
    pytest.mark.commands,
    pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full"),
]

FLAGS = "--name r --gpu_ids -1 --ngf 16 --ndf 8 --preprocess crop --crop_size 32 --num_threads 0 --no_text --no_html"
FLAGS += " --display_id 0 --print_freq 1 --dataroot dataset"


def test_training_goes_on_without_its_terminal(tmp_path):
    training_folder(tmp_path / "dataset", count=2)
    reading, writing = os.pipe()
    os.close(reading)
    flags = [*FLAGS.split(), "--n_epochs", "1", "--n_epochs_decay", "0"]
    with open("/dev/full", "w") as full:  # noqa: PTH123 (a device)
        command = [sys.executable, str(ROOT / "train.py"), *flags]
        done = subprocess.run(command, cwd=tmp_path, stdout=writing, stderr=full, timeout=600)
    os.close(writing)
    assert done.returncode == 1  # its output was lost, and nothing else
    assert len(read_losses(tmp_path / "saves" / "r")) == 2
    assert (tmp_path / "saves" / "r" / "latest_train_state.pth").exists()


def test_a_closed_terminal_saves_and_ends(tmp_path):
    training_folder(tmp_path / "dataset", count=2)
    command = [sys.executable, str(ROOT / "train.py"), *FLAGS.split()]
    process = open_to(signal.SIGHUP, command, cwd=tmp_path, stderr=subprocess.DEVNULL)
    while process.poll() is None and not read_losses(tmp_path / "saves" / "r"):
        time.sleep(0.05)
    process.send_signal(signal.SIGHUP)
    assert "stopped and saved" in process.communicate(timeout=600)[0]
    assert process.returncode == 129
    assert (tmp_path / "saves" / "r" / "latest_train_state.pth").exists()


@pytest.mark.parametrize("encoding", ["cp1252", "gbk"])
def test_names_that_the_terminal_cannot_show(tmp_path, encoding):
    enhancer_folder(tmp_path / "saves" / "small")
    folder = training_folder(tmp_path / "é夜█")
    flags = ["--dataroot", folder, "--name", "small", "--results_dir", tmp_path / "é夜█ results"]
    done = subprocess.run(
        [sys.executable, str(ROOT / "test.py"), "--gpu_ids", "-1", *map(str, flags)],
        cwd=tmp_path,
        env={**os.environ, "PYTHONIOENCODING": encoding},
        capture_output=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    page = tmp_path / "é夜█ results" / "small" / "test_latest" / "index.html"
    assert page.exists()
    assert done.stdout.decode(encoding).splitlines()[-1] == str(page).encode(encoding, "backslashreplace").decode(
        encoding
    )


@pytest.mark.parametrize("script", ["train.py", "test.py"])
def test_ctrl_c_while_modules_are_imported(script):
    """After any of these times the imports are going on, and Python itself has started."""
    for seconds in (0.2, 0.6, 1.2):
        process = subprocess.Popen(
            [
                sys.executable,
                "-c",
                f"import runpy, sys; sys.argv = [{script!r}]; print(flush=True); "
                f"runpy.run_path({script!r}, run_name='__main__')",
            ],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        )
        assert process.stdout.readline() == "\n"
        time.sleep(seconds)
        process.send_signal(signal.SIGINT)
        said = process.communicate(timeout=60)
        assert (said == ("", "") and process.returncode == 130) or process.returncode == 2  # it was too late


def test_without_a_locale_and_a_home(tmp_path):
    enhancer_folder(tmp_path / "saves" / "small")
    folder = training_folder(tmp_path / "é夜")
    bare = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0", "PYTHONOPTIMIZE": "2", "HOME": ""}
    done = run("test.py", "--dataroot", folder, "--name", "small", cwd=tmp_path, env=bare)
    assert done.returncode == 0 and error_lines(done) == []
