"""The READMEs in both languages say the same, and their links lead somewhere."""

import re
from collections import Counter

import pytest

from commands import ROOT
from readme import BLOCK, CHINESE, ENGLISH, spans


def headings(text):
    return re.findall(r"^(#+) (.*)$", BLOCK.sub("", text), re.MULTILINE)


def anchors(text):
    """The fragments that lead to the headings, as code hosts make them."""
    return [re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for _, title in headings(text)]


def links(text, whole):
    """Where the links in a part of a file lead; an anchor counts as the number of its heading."""
    targets = re.findall(r"\]\(([^)]+)\)", BLOCK.sub("", text))
    return sorted(str(anchors(whole).index(to[1:])) if to.startswith("#") else to for to in targets)


def tables(text):
    """All rows of all tables: how many cells they have, and their numbers."""
    rows = [line.split("|")[1:-1] for line in text.splitlines() if line.startswith("|")]
    return [(len(cells), *(sorted(re.findall(r"\d[\d.]*", cell)) for cell in cells)) for cells in rows]


def sections(text):
    """What each section has in any language: {kind: list, one item per section}."""
    parts = re.split(r"^#+ .*$", text, flags=re.MULTILINE)
    return {
        "blocks of code, but for comments": [BLOCK.findall(re.sub(r" +#.*", "", part)) for part in parts],
        "inline code": [Counter(spans(part)) for part in parts],
        "tables": [tables(part) for part in parts],
        "links": [[to.replace("README.zh-CN.md", "README.md") for to in links(part, text)] for part in parts],
        "bold beginnings": [len(re.findall(r"^\*\*", part, re.MULTILINE)) for part in parts],
        "numbers": [Counter(re.findall(r"\d[\d.]*\b", re.sub(r"\]\([^)]*\)", "", part))) for part in parts],
        "marks": [re.findall(r"<!--.*?-->", part) for part in parts],
    }


def test_both_languages_have_the_same_headings():
    assert [level for level, _ in headings(CHINESE)] == [level for level, _ in headings(ENGLISH)]
    assert all(re.search("[\u4e00-\u9fff]", title) for _, title in headings(CHINESE)[1:])


@pytest.mark.parametrize("kind", sections("# "))
def test_both_languages_have_the_same(kind):
    titles = ["the beginning", *(title for _, title in headings(ENGLISH))]
    for title, english, chinese in zip(titles, sections(ENGLISH)[kind], sections(CHINESE)[kind], strict=True):
        assert english == chinese, f"{kind}: {title}"


@pytest.mark.parametrize("text, other", [(ENGLISH, "README.zh-CN.md"), (CHINESE, "README.md")])
def test_links_lead_somewhere(text, other):
    found = links(text, text)  # which looks for the anchors
    assert len(set(anchors(text))) == len(anchors(text))
    files = [to for to in found if not to.isdigit() and not to.startswith("https://")]
    assert other in files and "docs/before_after.jpg" in files
    assert [file for file in files if not (ROOT / file).exists()] == []
