"""The documents as text, and the code in them."""

import re

from commands import ROOT

TWIN = ".zh-CN.md"
PLACES = ("*.md", "docs/*.md", "saves/README.md", "saves/demo/README.md", "saves/nerco/README.md", "dataset/README.md")
TEXTS = {
    path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8")
    for place in PLACES
    for path in sorted(ROOT.glob(place))
}
ENGLISH = {name: text for name, text in TEXTS.items() if not name.endswith(TWIN)}
PAIRS = [(name, name.replace(".md", TWIN)) for name in ENGLISH if name.replace(".md", TWIN) in TEXTS]
HOW_TO = "docs/extending.md"  # its code and flags are not there before its examples are: see test_extending.py

BLOCK = re.compile(r"^```(\w*)\n(.*?)^```\n", re.MULTILINE | re.DOTALL)


def spans(text):
    """The inline code of a text, without blocks and with line breaks as spaces."""
    return [" ".join(code.split()) for _, code in re.findall(r"(`+)(.+?)\1", BLOCK.sub("", text), re.DOTALL)]


def headings(text):
    return re.findall(r"^(#+) (.*)$", BLOCK.sub("", text), re.MULTILINE)


def anchors(text):
    """The fragments that lead to the headings, as code hosts make them."""
    return [re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for _, title in headings(text)]


def links(text):
    """Where the links and images of a text lead, as they are written."""
    return re.findall(r"\]\(([^)]+)\)", BLOCK.sub("", text))


def resolve(name, link):
    """Where a link of the document ``name`` leads: (path from the project's folder, the heading's fragment or "")."""
    file, _, anchor = link.partition("#")
    path = (ROOT / name).parent / file if file else ROOT / name
    return path.resolve().relative_to(ROOT.resolve()).as_posix(), anchor
