"""Each page and its Chinese twin say the same."""

import re
from collections import Counter

import pytest

from documents import BLOCK, ENGLISH, HOW_TO, PAIRS, TEXTS, TWIN, anchors, headings, links, resolve, spans

ONE_LANGUAGE = {
    HOW_TO,
    "saves/demo/README.md",
    "saves/nerco/README.md",
}  # for code; cards
BOTH_IN_ONE = {"saves/README.md", "dataset/README.md"}

NUMBER = r"\d+(?:\.\d+)*"

both = pytest.mark.parametrize(
    ("english", "chinese"), [(TEXTS[a], TEXTS[b]) for a, b in PAIRS], ids=[a for a, _ in PAIRS]
)


def target(name, link):
    """Where a link leads, in any language: an anchor counts as the number of its heading."""
    if "://" in link:
        return link
    path, anchor = resolve(name, link)
    place = anchors(TEXTS[path]).index(anchor) if anchor else ""
    return f"{path.replace(TWIN, '.md')}#{place}"


def tables(text):
    """All rows of all tables: how many cells they have, and their numbers."""
    rows = [line.split("|")[1:-1] for line in text.splitlines() if line.startswith("|")]
    return [(len(cells), *(sorted(re.findall(NUMBER, cell)) for cell in cells)) for cells in rows]


def sections(name):
    """What each section has in any language: {kind: list, one item per section}."""
    parts = re.split(
        r"^#+ .*$", BLOCK.sub(lambda block: block[0].replace("\n#", "\n #"), TEXTS[name]), flags=re.MULTILINE
    )
    return {
        "blocks of code, but for comments": [BLOCK.findall(re.sub(r" +#.*", "", part)) for part in parts],
        "inline code": [Counter(spans(part)) for part in parts],
        "tables": [tables(part) for part in parts],
        "links": [sorted(target(name, link) for link in links(part)) for part in parts],
        "bold beginnings": [len(re.findall(r"^\*\*", part, re.MULTILINE)) for part in parts],
        "points": [len(re.findall(r"^(- |\d+\. )", part, re.MULTILINE)) for part in parts],
        "numbers": [Counter(re.findall(NUMBER, re.sub(r"\]\([^)]*\)", "", part))) for part in parts],
        "flags": [Counter(re.findall(r"(?<![\w-])--[a-zA-Z][\w-]*", part)) for part in parts],
        "marks": [re.findall(r"<!--.*?-->", part) for part in parts],
    }


def test_every_page_has_a_twin():
    assert {name for pair in PAIRS for name in pair} == set(TEXTS) - ONE_LANGUAGE - BOTH_IN_ONE
    assert set(ENGLISH) >= ONE_LANGUAGE | BOTH_IN_ONE


@both
def test_both_languages_have_the_same_headings(english, chinese):
    assert [level for level, _ in headings(chinese)] == [level for level, _ in headings(english)]
    for _, title in headings(chinese)[1:]:  # names of data sets are the same in both
        assert re.search("[\u4e00-\u9fff]", title) or not re.search("[a-z]{3}", title), title


@pytest.mark.parametrize("kind", sections("README.md"))
@pytest.mark.parametrize("page", [english for english, _ in PAIRS])
def test_both_languages_have_the_same(page, kind):
    titles = ["the beginning", *(title for _, title in headings(TEXTS[page]))]
    twin = sections(page.replace(".md", TWIN))[kind]
    for title, english, chinese in zip(titles, sections(page)[kind], twin, strict=True):
        assert english == chinese, f"{kind}: {title}"


@both
def test_chinese_pages_use_one_word_for_one_thing(english, chinese):
    # 图像 for image, 分块 for tile, 轮次 for epoch, 特征图 for feature map
    assert re.findall("图片|瓦片|图块|条带|特征映射", chinese) == []


@pytest.mark.parametrize("name", ENGLISH)
def test_english_pages_say_image(name):
    prose = re.sub(r"(`+)(.+?)\1", "", BLOCK.sub("", ENGLISH[name]), flags=re.DOTALL)
    assert re.findall(r"(?i)\w*pictures?\b", prose) == []
