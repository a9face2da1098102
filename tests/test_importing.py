"""What comes along when a module is imported, and that each can be imported first."""

import json
import subprocess
import sys

import pytest

from commands import ROOT

# Reports, as JSON, what comes along with the enhancer and with test.py, and which modules cannot be imported first.
IMPORTING = """
import importlib, json, sys
from pathlib import Path

paths = [Path("train.py"), Path("test.py")]
for package in ("options", "models", "data", "clip", "util", "benchmarks", "docs"):
    paths += Path(package).rglob("*.py")
files = {".".join(path.with_suffix("").parts).removesuffix(".__init__") for path in paths}
report = {"failed": {}}
for name in ("models.enhancer", "test"):
    importlib.import_module(name)
    report[name] = list(sys.modules)
for name in sorted(files):
    for loaded in [module for module in sys.modules if module in files]:
        del sys.modules[loaded]
    try:
        importlib.import_module(name)
    except ImportError as error:
        if error.name in files or error.name is None:  # others are packages that need not be installed
            report["failed"][name] = str(error)
print(json.dumps(report))
"""

# Of training alone; with each, what lies below it.
TRAINING = {
    *("models.nerco_model", "models.base_model", "models.ablation", "models.losses", "models.optim"),
    *("clip", "visdom"),
}


@pytest.fixture(scope="module")
def importing():
    done = subprocess.run([sys.executable, "-c", IMPORTING], cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def of(names, modules):
    """Those of the modules that have one of the names or lie below it."""
    return [module for module in modules if any(module == name or module.startswith(f"{name}.") for name in names)]


def test_the_enhancer_brings_nothing_of_training_along(importing):
    others = {"models.networks.discriminators", "options", "dominate"}
    assert of(TRAINING | others, importing["models.enhancer"]) == []
    # test.py has, besides, the names that --netD can take, and the page of results.
    assert of(TRAINING, importing["test"]) == []


def test_every_module_can_be_imported_first(importing):
    assert importing["failed"] == {}
