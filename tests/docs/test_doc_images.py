"""The images of the README, and the contact sheet of results."""

import sys

import pytest
from PIL import Image

from browser import find_browser
from commands import ROOT
from docs import before_after, contact_sheet, gallery
from sample_images import levels


def test_the_strip_shows_each_scene_dark_above_enhanced():
    strip = before_after.draw_strip(lambda dark: Image.new("RGB", dark.size, (200, 100, 50)))
    width, height = before_after.CELL
    assert 1150 <= strip.width <= 1250
    for place in range(len(before_after.SCENES)):
        left = place * (width + before_after.GAP)
        above = levels(strip.crop((left, 0, left + width, height)))
        assert above.mean() < 45 and above.std() > 3
        below = strip.crop((left, height + before_after.GAP, left + width, strip.height))
        assert below.getextrema() == ((200, 200), (100, 100), (50, 50))


def test_the_strip_of_the_readme_is_small():
    file = ROOT / "docs" / "before_after.jpg"
    assert file.stat().st_size < 200_000
    with Image.open(file) as image:
        assert 1150 <= image.width <= 1250


def test_the_screenshot_of_the_readme_is_small():
    file = ROOT / "docs" / "gallery.jpg"
    assert file.stat().st_size < 300_000
    with Image.open(file) as image:
        assert image.size == gallery.WINDOW


@pytest.mark.browser
@pytest.mark.commands
@pytest.mark.skipif(find_browser() is None, reason="no Chromium on this machine")
def test_the_screenshot_shows_the_page(tmp_path):
    gallery.take(tmp_path / "gallery", tmp_path / "gallery.jpg")
    with Image.open(tmp_path / "gallery.jpg") as image:
        assert image.size == gallery.WINDOW
        top, below = (levels(image.crop((0, *rows))) for rows in ((0, 1200, 340), (350, 1200, 850)))
    assert below.std() > 40 and below.std() > top.std()


def test_without_a_browser_the_screenshot_is_refused(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("shutil.which", lambda name: None)
    monkeypatch.setattr(sys, "argv", ["gallery", "--output", "gallery.jpg"])
    assert gallery.main() == 1
    message = capsys.readouterr().err
    assert "no Chromium was found" in message and message.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_a_contact_sheet_puts_inputs_results_and_references_side_by_side(tmp_path, monkeypatch, capsys):
    colours = {"real_A": (40, 0, 0), "fake_B": (0, 200, 0), "high": (0, 0, 200)}
    for folder in ("one/images", "two/images", "high"):
        (tmp_path / folder).mkdir(parents=True)
    for folder in ("one", "two"):
        for stage in ("real_A", "fake_B"):
            Image.new("RGB", (30, 20), colours[stage]).save(tmp_path / folder / "images" / f"a_{stage}.png")
    for stage in ("real_A", "fake_B"):
        Image.new("RGB", (10, 30), colours[stage]).save(tmp_path / "two" / "images" / f"b_{stage}.webp", lossless=True)
    Image.new("RGB", (60, 40), colours["high"]).save(tmp_path / "high" / "a.jpg")
    folders = [str(tmp_path / folder) for folder in ("one", "two", "high")]
    columns = contact_sheet.find_columns(folders)
    assert list(columns) == ["input", *folders]
    assert [sorted(names) for names in columns.values()] == [["a", "b"], ["a"], ["a", "b"], ["a"]]

    output = tmp_path / "sheets" / "sheet.png"
    monkeypatch.setattr(
        sys, "argv", ["contact_sheet", *folders, "--output", str(output), "--width", "60", "--across", "2"]
    )
    assert contact_sheet.main() == 0
    assert capsys.readouterr().out == f"{output}\n"
    with Image.open(output) as sheet:
        assert sheet.width == 2 * (4 * 60 + 3 * contact_sheet.GAP) + contact_sheet.GAP
        middle = sheet.height - 50
        seen = [sheet.getpixel((30 + column * (60 + contact_sheet.GAP), middle)) for column in range(7)]
    dark, result, blank = colours["real_A"], colours["fake_B"], contact_sheet.PAPER
    assert seen[:3] == [dark, result, result] and seen[3][2] > 150
    assert seen[4] == dark and seen[6] == result and blank not in seen


@pytest.mark.parametrize(
    ("arguments", "status", "named"),
    [
        (("nowhere",), 1, "nowhere: no such folder"),
        ((".", "--output", "sheet"), 2, "--output sheet: must end in one of"),
        ((".", "--width", "0"), 2, "--width 0"),
    ],
)
def test_bad_input_of_the_contact_sheet_is_one_line(tmp_path, monkeypatch, capsys, arguments, status, named):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["contact_sheet", *arguments])
    assert contact_sheet.main() == status
    message = capsys.readouterr().err
    assert named in message and message.count("\n") == 1
    assert list(tmp_path.iterdir()) == []
