"""`make demo`, `make test` and the others do what they say, and stop at the first failure."""

import contextlib
import os
import re

import pytest

from commands import ROOT
from options.test_options import TestOptions
from options.train_options import TrainOptions
from stand_in_project import needs_make
from util.errors import WorkError

pytestmark = needs_make

DEMO_SET = "data.demo_dataset build/demo"
ENHANCE_BUNDLED = "test.py --name demo --dataroot build/demo --results_dir build/results --gpu_ids -1"
ENHANCE_OWN = "test.py --name demo --dataroot dataset"


def test_make_demo_enhances_with_the_shipped_weights(project_with_python):
    project_with_python.make("install")
    # Python finds nothing in dataset/testA.
    assert project_with_python.make("demo", FAIL="dataset/testA")[:2] == (0, [DEMO_SET, ENHANCE_BUNDLED])
    # It finds images.
    assert project_with_python.make("demo") == (
        0,
        [DEMO_SET, ENHANCE_BUNDLED, ENHANCE_OWN],
        [f"+ .venv/bin/python {ENHANCE_OWN}"],
    )
    for failing, done in ((DEMO_SET, 1), ("build/results", 2), (ENHANCE_OWN, 3)):
        status, asked, _ = project_with_python.make("demo", FAIL=failing)
        assert status != 0
        assert asked == [DEMO_SET, ENHANCE_BUNDLED, ENHANCE_OWN][:done]


@pytest.mark.parametrize(
    ("files", "found"),
    [((), False), (("notes.txt", ".hidden.png"), False), (("a.JPG",), True), (("below/a.png",), True)],
)
def test_images_in_testa_are_found(tmp_path, monkeypatch, files, found):
    for name in files:
        path = tmp_path / "dataset" / "testA" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    monkeypatch.chdir(tmp_path)
    code = re.search(r"^HAS_IMAGES := -c '(.+)' 2>/dev/null$", (ROOT / "Makefile").read_text(), re.MULTILINE)[1]
    with contextlib.nullcontext() if found else pytest.raises(WorkError):
        exec(code)


def test_make_demo_train_trains_anew_and_enhances(project_with_python):
    older = project_with_python.folder / "build/saves/demo_train/losses.jsonl"
    older.parent.mkdir(parents=True)
    older.write_text("")
    project_with_python.make("install")
    status, asked, _ = project_with_python.make("demo-train")
    assert (status, asked[0]) == (0, DEMO_SET)
    assert asked[1].startswith("train.py --dataroot build/demo --name demo_train --ngf 16 ")
    assert asked[1].endswith(" --checkpoints_dir build/saves")
    weights = "--name demo_train --checkpoints_dir build/saves"
    assert asked[2:] == [ENHANCE_BUNDLED.replace("--name demo", weights)]
    assert not older.exists()
    status, asked, _ = project_with_python.make("demo-train", FAIL="train.py")
    assert status != 0
    assert asked[-1].startswith("train.py")


def test_make_app_installs_what_the_page_needs(project_with_python):
    project_with_python.make("install")
    install, page = "pip install -r requirements.txt -r requirements-app.txt", "app.py --port 8000"
    assert project_with_python.make("app", "APP_FLAGS=--port 8000")[:2] == (0, [page])
    status, asked, _ = project_with_python.make("app", "APP_FLAGS=--port 8000", FAIL="import gradio")
    assert (status, asked) == (0, [install, page])


@pytest.mark.parametrize("target", ["DEMO_TRAIN_FLAGS", "DEMO_TEST_FLAGS"])
def test_the_demos_flags_are_understood(target):
    text = (ROOT / "Makefile").read_text().replace("\\\n", "")
    flags = re.search(rf"^{target} := (.*)$", text, re.MULTILINE)[1].split()
    if target == "DEMO_TEST_FLAGS":
        assert TestOptions().parse([*flags, "--name", "demo"]).gpu_ids == []
    else:
        assert TrainOptions().parse([*flags, "--name", "demo", "--dataroot", "build/demo"]).gpu_ids == []


def test_make_test_stops_at_the_first_failure(project_with_python):
    ruff = "ruff check --extend-exclude .venv ."
    style = "ruff format --check --extend-exclude .venv ."
    tests = "pytest -n auto --maxprocesses 4 --dist loadfile -k a or b"
    flags = "PYTEST_FLAGS=-k 'a or b'"
    project_with_python.make("install")
    assert project_with_python.make("test", flags)[:2] == (0, [ruff, style, tests])
    for failing, done in ((ruff, [ruff]), (style, [ruff, style]), (tests, [ruff, style, tests])):
        status, asked, _ = project_with_python.make("test", flags, FAIL=failing)
        assert status != 0
        assert asked == done


def test_make_gpu_installs_only_where_no_python_will_do(project_with_python):
    flags = "GPU_FLAGS=--minutes 1"
    assert project_with_python.make("gpu", flags)[:2] == (0, ["benchmarks.gpu --minutes 1"])
    status, asked, _ = project_with_python.make("gpu", flags, FAIL="import torch")
    assert status == 0 and asked[-1] == "benchmarks.gpu --minutes 1" and len(asked) > 1
    assert project_with_python.make("gpu", FAIL="benchmarks.gpu")[0] == 2


def test_clean_leaves_what_cannot_be_made_again(project):
    kept = [".venv/file", "saves/file", "results/file", "dataset/file", "data/file"]
    gone = ["build/file", "data/__pycache__/file", ".pytest_cache/file", ".ruff_cache/file"]
    for name in kept + gone:
        (project.folder / name).parent.mkdir(parents=True, exist_ok=True)
        (project.folder / name).write_text("")
    assert project.make("clean")[0] == 0
    assert [name for name in kept + gone if (project.folder / name).exists()] == kept


def test_help_is_the_default_and_names_every_target(project):
    assert project.make() == (0, [], [])
    for target in ("demo", "demo-train", "app", "test", "gpu", "install", "clean"):
        assert f"\nmake {target} " in f"\n{project.output}"


def test_ci_run_is_executable():
    assert os.access(ROOT / ".ci" / "run", os.X_OK)
