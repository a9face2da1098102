"""`make install` installs once, and says in one line what it lacks."""

import pytest

from stand_in_project import INSTALL, INSTALL_VISDOM, REQUIREMENTS, STAND_IN, needs_make

pytestmark = needs_make


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
