"""One training at a time in a run's folder, one test.py on a page, however the one before has ended."""

import subprocess
import sys

import pytest

from commands import ROOT, error_line, run
from sample_images import enhancer_folder, photograph
from util.errors import UsageError
from util.run_lock import run_lock

HOLD = """
import sys
from pathlib import Path
from util.run_lock import run_lock
with run_lock(Path(sys.argv[1])):
    print("locked", flush=True)
    sys.stdin.readline()
"""


@pytest.fixture
def other(tmp_path):
    """Another process that holds the lock of a folder until it is told to end."""
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "locked\n"
    yield process
    process.kill()
    process.communicate()


def test_the_second_is_refused_until_the_first_ends(tmp_path, other):
    with pytest.raises(UsageError, match=rf"another training writes here \(process {other.pid} on .*, since 20"):
        run_lock(tmp_path).__enter__()
    other.communicate("end\n")
    assert list(tmp_path.iterdir()) == []
    with run_lock(tmp_path):
        assert (tmp_path / "training.lock").exists()
    assert list(tmp_path.iterdir()) == []


def test_a_page_is_made_by_one_command_at_a_time(tmp_path):
    enhancer_folder(tmp_path / "saves" / "demo")
    photograph((24, 16), brightness=0.3).save(tmp_path / "a.png")
    page = tmp_path / "results" / "demo" / "test_latest"
    page.mkdir(parents=True)
    enhance = ("test.py", "--dataroot", tmp_path / "a.png", "--name", "demo")
    with run_lock(page, "enhancement", "--results_dir"):
        refused = run(*enhance, cwd=tmp_path)
        assert refused.returncode == 2 and not (page / "index.html").exists()
        assert "another enhancement writes here (process " in (line := error_line(refused))
        assert line.endswith("choose another --results_dir")
        assert run(*enhance, "--output_dir", tmp_path / "bright", cwd=tmp_path).returncode == 0  # no page: no lock
    assert run(*enhance, cwd=tmp_path).returncode == 0
    assert (page / "index.html").exists() and not list(page.glob("*.lock"))


def test_the_lock_of_a_dead_one_is_taken_over(tmp_path, other):
    other.kill()
    other.wait()
    assert (tmp_path / "training.lock").exists()
    with run_lock(tmp_path):
        pass
    assert list(tmp_path.iterdir()) == []


def test_without_locks_training_goes_on(tmp_path):
    (tmp_path / "training.lock").mkdir()
    with run_lock(tmp_path):
        pass
