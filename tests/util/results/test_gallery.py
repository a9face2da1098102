"""The gallery of results as its readers use it: with a mouse, a finger, keys, and a browser that runs no scripts."""

import json
from pathlib import Path

import pytest
from PIL import Image

from commands import ROOT
from galleries import LISTED, METRICS, STRANGE, build_gallery, card, choose, record, shown, split
from util.results.gallery import Gallery, levels_histogram


def test_names_are_escaped_and_quoted(tmp_path):
    text = build_gallery(tmp_path / "results").read_text()
    assert "<i>" not in text and "<b>" not in text and "<results>" not in text and "<1>" not in text
    assert 'src="images/a%26b%20%3Ci%3E%27%22%231%20100%25%20%C3%A9_fake_B.png"' in text
    assert 'href="../dawn%202.jpg"' in text


def test_style_and_script_are_on_the_page_as_they_are_in_the_files(tmp_path):
    text = build_gallery(tmp_path / "results").read_text()
    for name in ("page.css", "results/gallery.css", "results/gallery.js"):
        assert (ROOT / "util" / name).read_text() in text


def test_a_thousand_images_make_a_small_page(tmp_path):
    gallery = Gallery(tmp_path / "index.html", "t", {}, METRICS, 300)
    uneven = [(7 * i * i) % 61 for i in range(64)]
    for i in range(1000):
        name = f"DSC_{i:05d}_evening_walk"
        before, after, mask = (tmp_path / "images" / f"{name}_{kind}.png" for kind in ("real_A", "fake_B", "mask"))
        files, stages = {"input": Path(f"/data/testA/{name}.jpg"), "result": after}, {"pre_A": mask, "mask": mask}
        metrics = {"psnr": 20 + i / 7, "lpips": 0.1}
        known = record(name, (6000, 4000), metrics, 0.5, (uneven, uneven[::-1]))
        gallery.add(known, (before, after), files, stages)
    gallery.write()
    text = (tmp_path / "index.html").read_text()
    assert text.count('loading="lazy"') == 4000
    assert len(text) < 3_000_000
    assert "base64" not in text


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L"])
def test_levels_are_counted_in_fours(mode):
    image = Image.new("L", (4, 2), 7)
    image.putpixel((0, 0), 8)
    image.putpixel((1, 0), 255)
    counts = levels_histogram(image.convert(mode))
    assert len(counts) == 64
    assert {i: count for i, count in enumerate(counts) if count} == {1: 6, 2: 1, 63: 1}


@pytest.mark.browser
def test_the_page_says_what_was_done(page):
    # Not innerText: it leaves out the cards that have not been on the screen yet (content-visibility).
    text = page.evaluate("document.body.textContent")
    for piece in ("LSRW: <results>", "LSRW <1>", "mean PSNR ↑", "14.50 dB", "mean LPIPS ↓", "0.200"):
        assert piece in text
    for piece in (*LISTED, "∞ dB", "9.00 dB", "2.00 s", "64 × 96", "kept from an earlier run"):
        assert piece in text
    for piece in ("no reference of this name", "failed: because of <b>", "1 of 4 images failed", "4 images"):
        assert piece in text
    page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    page.evaluate("[...document.images].forEach(i => i.scrollIntoView())")
    page.wait("[...document.images].length === 7 && [...document.images].every(i => i.complete && i.naturalWidth)")
    assert page.evaluate("document.images[2].alt") == f"{STRANGE}, before"
    levels = page.evaluate("document.querySelector('svg').getAttribute('aria-label')")
    assert levels == "Histogram of levels; their mean is 18 before and 222 after"
    # Everything that can be worked with has a name, and the page says its language.
    assert page.evaluate("document.documentElement.lang") == "en"
    tree = page.send("Accessibility.getFullAXTree")["nodes"]
    roles = ("button", "slider", "searchbox", "combobox", "link", "image")
    named = [node["name"]["value"] for node in tree if node.get("role", {}).get("value") in roles]
    assert len(named) > 20 and all(named)


@pytest.mark.browser
def test_the_slider_follows_mouse_and_keys(page):
    slider = card("dawn 2")
    assert split(page, slider) == pytest.approx(0.5, abs=0.02)
    x, y = page.middle(slider)
    width = page.evaluate(f"document.querySelector({json.dumps(slider)}).offsetWidth")
    page.drag((x - width / 4, y + 30), (x, y + 60), (x + width / 4, y - 400))
    assert split(page, slider) == pytest.approx(0.75, abs=0.02)
    page.drag((x, y), (x + width, y))
    assert split(page, slider) == 1
    page.drag((x - width / 4, y))
    assert split(page, slider) == pytest.approx(0.25, abs=0.02)
    page.press(*["ArrowRight"] * 10)  # the slider has the focus by now
    assert split(page, slider) == pytest.approx(0.35, abs=0.02)
    page.press("Home")
    assert split(page, slider) == 0
    page.press("End")
    assert split(page, slider) == 1
    page.drag((10, 10), (x, y))  # not begun on the image
    assert split(page, slider) == 1
    assert split(page, card(STRANGE)) == pytest.approx(0.5, abs=0.02)  # the others stay


@pytest.mark.browser
def test_a_finger_moves_the_slider_and_still_scrolls_the_page(page):
    page.resize(360, 700, mobile=True)
    page.send("Emulation.setTouchEmulationEnabled", enabled=True)
    slider = card("dawn 10")
    x, y = page.middle(slider)
    width = page.evaluate(f"document.querySelector({json.dumps(slider)}).offsetWidth")
    before = page.evaluate("scrollY")
    page.touch((x, y), *((x + step * width / 40, y) for step in range(1, 11)))
    assert split(page, slider) == pytest.approx(0.75, abs=0.02)
    page.evaluate("new Promise(done => setTimeout(done, 500))")  # as people do; else it is part of a gesture
    page.touch((x - width / 4, y))
    page.wait(f"document.querySelector({json.dumps(slider)}).value < 30", 5)
    assert split(page, slider) == pytest.approx(0.25, abs=0.02)
    assert page.evaluate("scrollY") == before
    page.touch((x, y), *((x + 1, y - 15 * step) for step in range(1, 14)))
    page.wait(f"scrollY > {before} + 50", 5)
    assert page.evaluate(f"Math.round(document.querySelector({json.dumps(slider)}).value)") == 25


@pytest.mark.browser
def test_the_filter_and_its_count(page):
    page.click("#filter")
    page.press(*"2 DaW")
    assert shown(page) == ["dawn 2"]
    count = "document.querySelector('[role=status]').textContent"
    assert page.evaluate(count) == "1 of 4 images"
    page.press("x")
    assert shown(page) == [] and page.evaluate(count) == "0 of 4 images"
    page.evaluate("document.querySelector('#filter').select()")
    page.press(*"<i>'")
    assert shown(page) == [STRANGE]


@pytest.mark.browser
@pytest.mark.parametrize(
    ("position", "label", "there", "back"),
    [
        (0, "as listed", LISTED, LISTED[::-1]),
        (1, "name", [STRANGE, "broken", "dawn 2", "dawn 10"], ["dawn 10", "dawn 2", "broken", STRANGE]),
        (2, "PSNR", [STRANGE, "dawn 2", "dawn 10", "broken"], ["dawn 10", "dawn 2", STRANGE, "broken"]),
        (3, "LPIPS", [STRANGE, "dawn 2", "dawn 10", "broken"], ["dawn 2", STRANGE, "dawn 10", "broken"]),
        (4, "time", ["dawn 2", "dawn 10", STRANGE, "broken"], ["dawn 10", "dawn 2", STRANGE, "broken"]),
        (5, "size", [STRANGE, "dawn 10", "dawn 2", "broken"], ["dawn 2", "dawn 10", STRANGE, "broken"]),
    ],
)
def test_the_order(page, position, label, there, back):
    choose(page, "#order", position)
    assert page.evaluate("document.querySelector('#order').selectedOptions[0].text") == label
    assert shown(page) == there
    said = page.evaluate("document.querySelector('#direction').innerText")
    page.click("#direction")
    assert shown(page) == back
    assert page.evaluate("document.querySelector('#direction').innerText") != said
