"""The notebook (docs/nerco.ipynb) runs from its first cell to its last, and is stored without results."""

import json
import shutil
import sys

import pytest
from PIL import Image

from commands import ROOT
from data import demo_dataset


@pytest.fixture
def cells():
    return json.loads((ROOT / "docs" / "nerco.ipynb").read_text(encoding="utf-8"))["cells"]


def test_the_notebook_enhances_images(cells, tmp_path, monkeypatch):
    (tmp_path / "docs").mkdir()
    shutil.copy(ROOT / "test.py", tmp_path)
    (tmp_path / "saves").symlink_to(ROOT / "saves")
    monkeypatch.chdir(tmp_path / "docs")  # where Jupyter starts
    monkeypatch.setenv("MPLBACKEND", "Agg")
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(demo_dataset, "TEST_SIZE", 96)
    names = {}
    for cell in cells:
        if cell["cell_type"] == "code":
            exec("".join(cell["source"]), names)
    names["plt"].close("all")
    files = list((tmp_path / "build" / "notebook").glob("*.png"))
    assert {file.stem for file in files} == set(names["dark"]) and files
    for file in files:
        with Image.open(file) as bright:
            assert mean(bright) > mean(names["dark"][file.stem]) + 20


def mean(image):
    return sum(level * count for level, count in enumerate(image.convert("L").histogram())) / (
        image.width * image.height
    )


def test_no_results_are_stored(cells):
    kept = [cell["id"] for cell in cells if cell.get("outputs") or cell.get("execution_count")]
    assert kept == [] and len({cell["id"] for cell in cells}) == len(cells)
