"""`make` installs once, says in one line what it lacks, and stops at the first failure.

The environments here are stand-ins: a script that answers like Python and notes what it was asked to do.
"""

import contextlib
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from options.test_options import TestOptions
from options.train_options import TrainOptions
from util.errors import WorkError

ROOT = Path(__file__).parent.parent
MAKE = shutil.which("make")
REQUIREMENTS = ("requirements.txt", "requirements-dev.txt", "requirements-visdom.txt", "build-constraints.txt")

pytestmark = pytest.mark.skipif(MAKE is None, reason="make is not installed")

# $FAIL: the command with this in it fails. `-m venv FOLDER` puts the script itself into the new environment.
STAND_IN = """#!/bin/sh
echo "$*" >>"$LOG"
[ -n "$FAIL" ] && case "$*" in *"$FAIL"*) exit 1;; esac
case "$1 $2" in
    -V*) echo "Python ${VERSION:-3.12.0}";;
    "-m venv") mkdir -p "$3/bin" && cp "$0" "$3/bin/python";;
esac
"""


class Project:
    """A copy of what `make install` reads, with no Python on PATH but what a test puts there."""

    def __init__(self, folder):
        self.folder = folder / "project"
        self.tools = folder / "tools"
        self.log = folder / "log"
        self.folder.mkdir()
        self.tools.mkdir()
        for name in ("Makefile", *REQUIREMENTS):
            shutil.copy(ROOT / name, self.folder)
        for tool in ("cat", "cp", "echo", "ls", "mkdir", "rm"):
            (self.tools / tool).symlink_to(shutil.which(tool))

    def add_python(self, path):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(STAND_IN)
        path.chmod(0o755)

    def make(self, *arguments, **environment):
        """Run make; return (exit status, what Python was asked to install or run, standard error)."""
        self.log.write_text("")
        environment = {"PATH": str(self.tools), "LOG": str(self.log), **environment}
        result = subprocess.run(
            [MAKE, *map(str, arguments)], cwd=self.folder, env=environment, capture_output=True, text=True
        )
        calls = self.log.read_text().splitlines()
        asked = [call.removeprefix("-m ") for call in calls if not call.startswith(("-V", "-c "))]
        self.output = result.stdout
        errors = [line for line in result.stderr.splitlines() if not line.startswith("make:")]
        return result.returncode, asked, errors


INSTALL = "pip install -r requirements.txt -r requirements-dev.txt"
INSTALL_VISDOM = "pip install --use-pep517 -r requirements-visdom.txt"


@pytest.fixture
def project(tmp_path):
    return Project(tmp_path)


@pytest.fixture
def project_with_python(project):
    project.add_python(project.tools / "python3")
    return project


def test_a_fresh_machine_gets_an_environment_once(project_with_python):
    status, asked, errors = project_with_python.make("install")
    assert (status, asked, errors) == (0, ["venv .venv", INSTALL, INSTALL_VISDOM], [])
    assert project_with_python.make("install") == (0, [], [])


@pytest.mark.parametrize("name", REQUIREMENTS)
def test_changed_requirements_are_installed_into_the_same_environment(project_with_python, name):
    project_with_python.make("install")
    with (project_with_python.folder / name).open("a") as file:
        file.write("another>=1\n")
    assert project_with_python.make("install") == (0, [INSTALL, INSTALL_VISDOM], [])
    assert project_with_python.make("install") == (0, [], [])


def test_an_exchanged_python_is_installed_for_again(project_with_python):
    project_with_python.make("install")
    assert project_with_python.make("install", VERSION="3.13.0") == (0, [INSTALL, INSTALL_VISDOM], [])


def test_an_interrupted_installation_is_taken_up_again(project_with_python):
    status, asked, _ = project_with_python.make("install", FAIL="-r requirements.txt")
    assert status != 0
    assert asked == ["venv .venv", INSTALL]
    assert project_with_python.make("install") == (0, [INSTALL, INSTALL_VISDOM], [])


def test_an_environment_without_pip_is_made_again(project_with_python):
    project_with_python.add_python(project_with_python.folder / ".venv/bin/python")
    status, asked, errors = project_with_python.make("install", FAIL='version("pip")')
    assert status != 0
    assert asked == ["venv .venv"]
    assert len(errors) == 1
    assert ".venv is not a usable environment" in errors[0]


def test_without_visdom_all_else_goes_on(project_with_python):
    status, _, errors = project_with_python.make("install", FAIL="visdom")
    assert (status, errors) == (0, [])
    assert project_with_python.output.splitlines()[-1].startswith("visdom could not be installed")
    assert "live curves are off" in project_with_python.output
    assert project_with_python.make("install") == (0, [], [])


@pytest.mark.parametrize("variable", ["VIRTUAL_ENV", "CONDA_PREFIX"])
def test_an_active_environment_is_used_as_it_is(project, tmp_path, variable):
    active = tmp_path / "an environment"
    project.add_python(active / "bin" / "python")
    assert project.make("install", **{variable: str(active)}) == (0, [INSTALL, INSTALL_VISDOM], [])
    assert project.make("install", **{variable: str(active)}) == (0, [], [])
    assert not (project.folder / ".venv").exists()


def test_an_active_virtual_environment_goes_before_conda(project, tmp_path):
    project.add_python(tmp_path / "venv/bin/python")
    status, asked, _ = project.make("install", VIRTUAL_ENV=str(tmp_path / "venv"), CONDA_PREFIX=str(tmp_path / "none"))
    assert (status, asked) == (0, [INSTALL, INSTALL_VISDOM])


def test_an_active_environment_that_cannot_serve_is_named(project, tmp_path):
    status, asked, errors = project.make("install", VIRTUAL_ENV=str(tmp_path / "gone"))
    assert status != 0
    assert asked == []
    assert len(errors) == 1
    assert str(tmp_path / "gone") in errors[0]


def test_venv_and_python_override_an_active_environment(project, tmp_path):
    project.add_python(tmp_path / "bin/python")
    project.add_python(tmp_path / "other/python")
    active = {"VIRTUAL_ENV": str(tmp_path)}
    chosen = f"PYTHON={tmp_path / 'other/python'}"
    venv = tmp_path / "my venv"
    status, asked, errors = project.make("install", f"VENV={venv}", chosen, **active)
    assert (status, asked, errors) == (0, [f"venv {venv}", INSTALL, INSTALL_VISDOM], [])
    assert project.make("install", f"VENV={venv}", **active) == (0, [], [])
    status, asked, errors = project.make("install", chosen, **active)
    assert (status, asked[0], errors) == (0, "venv .venv", [])


def test_a_python_that_differs_from_the_environment_is_refused(project_with_python, tmp_path):
    project_with_python.make("install")
    other = tmp_path / "other/python3.11"
    project_with_python.add_python(other)
    other.write_text(STAND_IN.replace("3.12.0", "3.11.0"))
    status, asked, errors = project_with_python.make("install", f"PYTHON={other}")
    assert status != 0
    assert asked == []
    assert len(errors) == 1
    assert "3.12.0" in errors[0]
    assert str(other) in errors[0]


def test_the_newest_python_that_works_is_taken(project):
    for name in ("python3.13", "python3.12", "python3"):
        project.add_python(project.tools / name)
    # As a version manager's shim of a version that is not installed.
    (project.tools / "python3.13").write_text("#!/bin/sh\nexit 127\n")
    (project.tools / "python3.12").write_text(STAND_IN.replace("3.12.0", "chosen"))
    project.make("install")
    assert "making .venv with Python chosen" in project.output


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ((), "no interpreter on PATH is Python 3.10 or newer"),
        (("PYTHON=python3",), "python3 is not Python 3.10 or newer"),
        (("PYTHON=no-such-python",), "no-such-python is not Python 3.10 or newer"),
    ],
)
def test_a_python_that_is_too_old_is_one_line(project_with_python, arguments, named):
    status, asked, errors = project_with_python.make("install", *arguments, FAIL="version_info")
    assert status != 0
    assert asked == []
    assert len(errors) == 1
    assert named in errors[0]


def test_a_missing_venv_module_is_one_line(project_with_python):
    status, asked, errors = project_with_python.make("install", FAIL="import ensurepip, venv")
    assert status != 0
    assert asked == []
    assert len(errors) == 1
    assert "apt install python3-venv" in errors[0]


DEMO_SET = "data.demo_dataset build/demo"
ENHANCE_BUNDLED = "test.py --name demo --dataroot build/demo --results_dir build/results --gpu_ids -1"
ENHANCE_OWN = "test.py --name demo --dataroot dataset"


def test_make_demo_enhances_with_the_shipped_weights(project_with_python):
    project_with_python.make("install")
    # Python finds nothing in dataset/testA.
    assert project_with_python.make("demo", FAIL="dataset/testA")[:2] == (0, [DEMO_SET, ENHANCE_BUNDLED])
    # It finds pictures.
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
def test_pictures_in_testa_are_found(tmp_path, monkeypatch, files, found):
    for name in files:
        path = tmp_path / "dataset" / "testA" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    monkeypatch.chdir(tmp_path)
    code = re.search(r"^HAS_PICTURES := -c '(.+)' 2>/dev/null$", (ROOT / "Makefile").read_text(), re.MULTILINE)[1]
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
    for target in ("demo", "demo-train", "test", "install", "clean"):
        assert f"\nmake {target} " in f"\n{project.output}"


def test_ci_run_is_executable():
    assert os.access(ROOT / ".ci" / "run", os.X_OK)
