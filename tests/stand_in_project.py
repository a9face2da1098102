"""A project whose Python is a stand-in: a script that answers like Python and notes what it was asked to do."""

import shutil
import subprocess

import pytest

from commands import ROOT

MAKE = shutil.which("make")
REQUIREMENTS = ("requirements.txt", "requirements-dev.txt", "requirements-visdom.txt", "build-constraints.txt")
INSTALL = "pip install -r requirements.txt -r requirements-dev.txt"
INSTALL_VISDOM = "pip install --use-pep517 -r requirements-visdom.txt"

needs_make = pytest.mark.skipif(MAKE is None, reason="make is not installed")

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
