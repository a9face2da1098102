"""Files that a former version wrote (commit 015b022): its run goes on, and its results are kept.

``tests/fixtures/run_of_015b022.tar.xz`` holds what that commit's commands wrote, after one epoch of two steps: data,
saves/run with weights of two values, so that they take little room, results/run, and the losses with which that commit
itself went on.
"""

import json
import shutil

import pytest

from commands import ROOT, run
from models.enhancer import Enhancer
from util.monitor.loss_log import read_losses

pytestmark = pytest.mark.commands


@pytest.fixture(scope="module")
def former(tmp_path_factory):
    folder = tmp_path_factory.mktemp("former")
    shutil.unpack_archive(ROOT / "tests" / "fixtures" / "run_of_015b022.tar.xz", folder)
    return folder


def test_results_are_kept(former):
    journal = former / "results" / "run" / "test_latest" / "records.jsonl"
    before = {record["name"]: record for record in map(json.loads, journal.read_text().splitlines())}
    images = sorted((former / "results").rglob("*.png"))
    written = [image.stat().st_mtime_ns for image in images]
    done = run("test.py", "--dataroot", "data", "--name", "run", "--skip_existing", cwd=former)
    assert done.returncode == 0, done.stderr
    assert [image.stat().st_mtime_ns for image in images] == written
    after = json.loads((journal.parent / "metrics.json").read_text())["pictures"]
    assert {image["name"]: image["metrics"] for image in after} == {name: r["metrics"] for name, r in before.items()}


def test_weights_load(former):
    assert set(Enhancer.from_checkpoint(former / "saves" / "run", device="cpu", ema=True).networks()) == {
        *("Pre", "H", "G_A"),
    }


def test_a_run_goes_on_as_it_would_have(former):
    done = run(
        *("train.py", "--dataroot", "data", "--name", "run", "--continue_train", "--num_threads", "0"), cwd=former
    )
    assert done.returncode == 0, done.stderr
    expected = [json.loads(line) for line in (former / "expected_losses.jsonl").read_text().splitlines()]
    found = read_losses(former / "saves" / "run")
    assert [record["pictures"] for record in found] == [record["pictures"] for record in expected]
    for ours, theirs in zip(found, expected, strict=True):
        assert ours["lr"] == pytest.approx(theirs["lr"]) and list(ours["losses"]) == list(theirs["losses"])
    # Rounding differs from processor to processor, and grows from step to step.
    for ours, theirs in zip(found[:4], expected[:4], strict=True):
        assert ours["losses"] == pytest.approx(theirs["losses"], rel=0.01)
