"""Where others look for the project: PyTorch Hub's entry, and the citation."""

import re

import pytest
import torch

from commands import ROOT
from util.errors import WorkError


def test_torch_hub_loads_an_enhancer(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    enhancer = torch.hub.load(ROOT, "nerco", source="local", weights="demo", device="cpu")
    assert type(enhancer).__name__ == "Enhancer" and not enhancer.training
    with pytest.raises(WorkError, match="none_such"):
        torch.hub.load(ROOT, "nerco", source="local", weights="none_such")


def test_the_citation_is_the_readmes():
    text, bibtex = ((ROOT / name).read_text(encoding="utf-8") for name in ("CITATION.cff", "README.md"))
    paper = text.split("preferred-citation:")[1]
    for field, key in (("title", "title"), ("booktitle", "collection-title"), ("year", "year")):
        stored = re.search(rf"^  {key}: (.+)$", paper, re.MULTILINE)[1].strip('"')
        assert stored == re.search(rf"\b{field} += \{{(.+?)\}}", bibtex)[1]
    families, given = (re.findall(rf"{part}-names: (\w+)", paper) for part in ("family", "given"))
    authors = re.search(r"author += \{(.+)\}", bibtex)[1].split(" and ")
    assert authors == [f"{family}, {name}" for family, name in zip(families, given, strict=True)]
