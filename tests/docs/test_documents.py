"""The documents hang together: links and paths lead somewhere, figures are those of their files."""

import csv
import json
import re
import shutil
import subprocess
from statistics import fmean

import pytest

from benchmarks.peers import COLUMNS, cell
from commands import ROOT
from data.prepare import LAYOUTS
from documents import BLOCK, ENGLISH, HOW_TO, PAIRS, TEXTS, TWIN, anchors, links, resolve, spans
from sample_images import photograph

LONGEST = {"README.md": 150, "README.zh-CN.md": 150, "saves/demo/README.md": 60, "saves/nerco/README.md": 60}  # lines
FOLDERS = ("options/", "models/", "data/", "clip/", "util/", "benchmarks/", "tests/", "docs/")

every_page = pytest.mark.parametrize("name", TEXTS)


@pytest.mark.parametrize("name", LONGEST)
def test_what_newcomers_read_is_short(name):
    assert TEXTS[name].count("\n") <= LONGEST[name]


@every_page
def test_links_lead_somewhere(name):
    assert len(set(anchors(TEXTS[name]))) == len(anchors(TEXTS[name]))
    for link in links(TEXTS[name]):
        if "://" not in link:
            path, anchor = resolve(name, link)
            assert (ROOT / path).exists(), link
            assert not anchor or anchor in anchors(TEXTS[path]), link


def test_each_page_leads_to_its_twin_and_stays_in_its_language():
    for english, chinese in PAIRS:
        for page, twin in ((english, chinese), (chinese, english)):
            found = [resolve(page, link)[0] for link in links(TEXTS[page]) if "://" not in link]
            assert found.count(twin) == 1
            others = {twin if page.endswith(TWIN) else english for english, twin in PAIRS}
            assert {to for to in found if any(to in pair for pair in PAIRS)} <= others | {twin}


@pytest.mark.parametrize("start", ["README.md", "README.zh-CN.md"])
def test_everything_is_two_clicks_from_the_readme(start):
    reached = {start}
    for _ in range(2):
        found = {resolve(page, link)[0] for page in reached for link in links(TEXTS[page]) if "://" not in link}
        reached |= {page for page in found if page in TEXTS}
    assert set(TEXTS) - reached == {"saves/README.md", "dataset/README.md"}  # which lie where they are needed


def test_the_readme_shows_its_images():
    for name in ("README.md", "README.zh-CN.md"):
        assert {"docs/before_after.jpg", "docs/gallery.jpg"} <= set(links(TEXTS[name]))


@pytest.mark.parametrize("name", ENGLISH)
def test_paths_that_are_named_exist(name):
    new = set(re.findall(r"New file `(.+?)`", TEXTS[HOW_TO]))
    named = {code for code in spans(TEXTS[name]) if code.startswith(FOLDERS) and not re.search(r"[ *{]", code)}
    assert sorted(path for path in named - new if not (ROOT / path).exists()) == []


def functions():
    """What the table of the method names: [(file, name of a function or class)]."""
    table = TEXTS["docs/method.md"].split("\n## 8. ")[1]
    rows = [[spans(cell) for cell in line.split("|")[3:5]] for line in table.splitlines() if line.startswith("|")]
    return [(files, name) for files, names in rows[2:] for name in names]


@pytest.mark.parametrize(("files", "name"), functions(), ids=lambda part: part if isinstance(part, str) else part[0])
def test_functions_are_where_the_method_says(files, name):
    paths = [path for file in files for path in ([ROOT / file] if file.endswith(".py") else (ROOT / file).glob("*.py"))]
    code = "\n".join(path.read_text(encoding="utf-8") for path in paths)
    assert re.search(rf"^\s*(def|class) {name}\b", code, re.MULTILINE)


def results():
    """The tables that are marked with a file of results: [(page, file, rows without the head)]."""
    found = []
    for name, text in TEXTS.items():
        for file, table in re.findall(r"<!-- (docs/results/\S+) -->\n\n((?:\|.*\n)+)", text):
            rows = [[cell.strip().replace("`", "") for cell in row.split("|")[1:-1]] for row in table.splitlines()]
            found.append((name, file, rows[2:]))
    return found


def values_of(file):
    """The rows of a file of results: a table without its head, or the means that benchmarks.peers wrote."""
    text = (ROOT / file).read_text(encoding="utf-8")
    if file.endswith(".csv"):
        return list(csv.reader(text.splitlines()))[1:]
    report = json.loads(text)
    for key, mean in report["means"].items():
        assert mean == pytest.approx(fmean(values[key] for values in report["images"].values()))
    return [[report["method"], *(cell(key, report["means"][key]) for key in COLUMNS)]]


def same(shown, value, english):
    """Whether a cell shows a value of the file; in another language only numbers can tell."""
    if not value:
        return shown in ("", "-")
    numbers = [re.findall(r"\d[\d.]*", text) for text in (shown, value)]
    return numbers[0] == numbers[1] and (value in shown or not english)


@pytest.mark.parametrize(("name", "file", "rows"), results())
def test_figures_are_those_of_the_file(name, file, rows):
    values = values_of(file)
    for row in rows:
        english = not name.endswith(TWIN)
        # strict: a row has as many cells as one of the file
        fits = [all(same(*pair, english) for pair in zip(row, value, strict=True)) for value in values]
        assert sum(fits) == 1, row


def test_all_results_are_shown():
    assert {file for _, file, _ in results()} == {
        f"docs/results/{path.name}" for path in (ROOT / "docs/results").iterdir()
    }
    for file in {file for _, file, _ in results()}:
        assert len(values_of(file)) == max(len(rows) for _, other, rows in results() if other == file)


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash on this machine")
def test_the_commands_that_lay_out_data_sets_do_it(tmp_path):
    names = {
        "Dataset_Part1/1": ["1.JPG", "2.JPG"],
        "Dataset_Part1/20": ["1.png", "2.png"],
        "Dataset_Part1/Label": ["1.JPG", "20.JPG"],
    }
    for place, images in names.items():
        (tmp_path / place).mkdir(parents=True)
        for image in images:
            photograph((8, 8)).convert("RGB").save(tmp_path / place / image)
    (_, code), *_ = BLOCK.findall(TEXTS["docs/datasets.md"].split("\n### SICE\n")[1])
    subprocess.run(["bash", "-eu", "-c", code], cwd=tmp_path, check=True)
    made = sorted(path.relative_to(tmp_path).as_posix() for path in (tmp_path / "dataset").rglob("*.*"))
    assert made == [
        f"dataset/{name}" for name in ("trainA/1_1.JPG", "trainA/20_1.png", "trainB/1.JPG", "trainB/20.JPG")
    ]


def test_each_data_set_that_can_be_prepared_has_its_command():
    assert re.findall(r"^python -m data\.prepare (\w+) ", TEXTS["docs/datasets.md"], re.MULTILINE) == list(LAYOUTS)
