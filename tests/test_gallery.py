"""The gallery of results as its readers use it: with a mouse, a finger, keys, and a browser that runs no scripts."""

import io
import json
import math
from pathlib import Path

import pytest
from PIL import Image

import util.gallery
from browser import Browser, find_browser
from util.gallery import Entry, Gallery, levels_histogram
from util.metrics import Metric

STRANGE = "a&b <i>'\"#1 100% é"
METRICS = {"psnr": Metric("PSNR", "dB", True, 2), "lpips": Metric("LPIPS", "", False, 3)}
BEFORE, AFTER = (10, 20, 30), (230, 220, 210)


def build_gallery(folder):
    """Three pictures and one that failed, between them."""
    (folder / "images").mkdir(parents=True)
    gallery = Gallery(folder / "index.html", "LSRW: <results>", {"model": "LSRW <1>", "device": "cpu"}, METRICS, 300)

    def add(name, size, metrics, seconds, **more):
        pictures = [Image.new("RGB", size, colour) for colour in (BEFORE, AFTER)]
        files = [folder / "images" / f"{name}_{kind}.png" for kind in ("real_A", "fake_B")]
        for picture, file in zip(pictures, files, strict=True):
            picture.save(file)
        links = {"input": folder.parent / f"{name}.jpg", "result": files[1]}
        histograms = tuple(map(levels_histogram, pictures))
        more = {"stages": {}, **more}
        gallery.add(Entry(name, size, *files, links, metrics=metrics, seconds=seconds, histograms=histograms, **more))

    add("dawn 10", (64, 96), {"psnr": 9.0}, 2.0, problem="no reference of this name")
    stages = {"mask": folder / "images" / f"{STRANGE}_real_A.png"}
    add(STRANGE, (120, 80), {"psnr": math.inf, "lpips": 0.1}, None, stages=stages)
    gallery.add_failure("broken", "because of <b>")
    add("dawn 2", (48, 32), {"psnr": 20.0, "lpips": 0.3}, 0.5)
    gallery.write({"psnr": 14.5, "lpips": 0.2})
    return gallery.path


LISTED = ["dawn 10", STRANGE, "broken", "dawn 2"]


def test_names_are_escaped_and_quoted(tmp_path):
    text = build_gallery(tmp_path / "results").read_text()
    assert "<i>" not in text and "<b>" not in text and "<results>" not in text and "<1>" not in text
    assert 'src="images/a%26b%20%3Ci%3E%27%22%231%20100%25%20%C3%A9_fake_B.png"' in text
    assert 'href="../dawn%202.jpg"' in text


def test_style_and_script_are_on_the_page_as_they_are_in_the_files(tmp_path):
    text = build_gallery(tmp_path / "results").read_text()
    for name in ("page.css", "gallery.css", "gallery.js"):
        assert Path(util.gallery.__file__).with_name(name).read_text() in text


def test_a_thousand_pictures_make_a_small_page(tmp_path):
    gallery = Gallery(tmp_path / "index.html", "t", {}, METRICS, 300)
    uneven = [(7 * i * i) % 61 for i in range(64)]
    for i in range(1000):
        name = f"DSC_{i:05d}_evening_walk"
        before, after, mask = (tmp_path / "images" / f"{name}_{kind}.png" for kind in ("real_A", "fake_B", "mask"))
        files, stages = {"input": Path(f"/data/testA/{name}.jpg"), "result": after}, {"pre_A": mask, "mask": mask}
        metrics = {"psnr": 20 + i / 7, "lpips": 0.1}
        gallery.add(Entry(name, (6000, 4000), before, after, files, stages, metrics, 0.5, (uneven, uneven[::-1])))
    gallery.write()
    text = (tmp_path / "index.html").read_text()
    assert text.count('loading="lazy"') == 4000
    assert len(text) < 3_000_000
    assert "base64" not in text


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L"])
def test_levels_are_counted_in_fours(mode):
    picture = Image.new("L", (4, 2), 7)
    picture.putpixel((0, 0), 8)
    picture.putpixel((1, 0), 255)
    counts = levels_histogram(picture.convert(mode))
    assert len(counts) == 64
    assert {i: count for i, count in enumerate(counts) if count} == {1: 6, 2: 1, 63: 1}


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    return build_gallery(tmp_path_factory.mktemp("gallery") / "results")


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    if find_browser() is None:
        pytest.skip("no Chromium on this machine")
    with Browser(tmp_path_factory.mktemp("profile")) as browser:
        yield browser


@pytest.fixture
def page(browser, address):
    """The gallery, freshly opened, in a browser that remembers nothing."""
    browser.scripts(True)
    browser.send("Emulation.setTouchEmulationEnabled", enabled=False)
    browser.resize(1200, 900)
    browser.theme("light")
    browser.open(address)
    browser.evaluate("localStorage.clear()")
    browser.open(address)
    browser.requests.clear()
    browser.messages.clear()
    yield browser
    assert browser.messages == []
    assert all(url.startswith("file:") for url in browser.requests)


def card(name):
    """A selector of a card's picture."""
    return f"[aria-label={json.dumps(f'{name}: part shown before', ensure_ascii=False)}]"


def split(page, selector):
    """How much of a picture, from 0 to 1, shows its state before: seen on the screen, 5 px above its lower edge."""
    page.middle(selector)
    box = page.evaluate(f"document.querySelector({json.dumps(selector)}).getBoundingClientRect().toJSON()")
    screen = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    y = round(box["bottom"]) - 5
    row = [screen.getpixel((round(box["left"]) + x, y)) for x in range(2, round(box["width"]) - 2)]
    before, after = (sum(near(pixel, colour) for pixel in row) for colour in (BEFORE, AFTER))
    assert before + after > 0.9 * len(row)  # the rest is the handle and its shadow
    return before / (before + after)


def near(pixel, colour):
    return all(abs(level - wanted) < 12 for level, wanted in zip(pixel, colour, strict=True))


def shown(page):
    return page.evaluate("[...document.querySelectorAll('.card:not([hidden]) h2')].map(h => h.textContent)")


def choose(page, selector, position):
    """Choose an option with the keys."""
    page.evaluate(f"document.querySelector('{selector}').focus()")
    page.press("Home", *["ArrowDown"] * position)


@pytest.mark.browser
def test_the_page_says_what_was_done(page):
    # Not innerText: it leaves out the cards that have not been on the screen yet (content-visibility).
    text = page.evaluate("document.body.textContent")
    for piece in ("LSRW: <results>", "LSRW <1>", "mean PSNR ↑", "14.50 dB", "mean LPIPS ↓", "0.200"):
        assert piece in text
    for piece in (*LISTED, "∞ dB", "9.00 dB", "2.00 s", "64 × 96", "kept from an earlier run"):
        assert piece in text
    for piece in ("no reference of this name", "failed: because of <b>", "1 of 4 pictures failed", "4 pictures"):
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
    page.drag((10, 10), (x, y))  # not begun on the picture
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
    assert page.evaluate(count) == "1 of 4 pictures"
    page.press("x")
    assert shown(page) == [] and page.evaluate(count) == "0 of 4 pictures"
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


@pytest.mark.browser
def test_the_full_view(page):
    name = "document.querySelector('#full-name').textContent"
    place = "document.querySelector('#full-place').textContent"
    choose(page, "#order", 2)  # PSNR, best first
    page.click(f"{card('dawn 2')} ~ .open")
    page.wait("!!document.fullscreenElement")
    assert page.evaluate(name) == "dawn 2" and page.evaluate(place) == "2 of 3"
    assert "20.00 dB" in page.evaluate("document.querySelector('#full').innerText")
    page.press("ArrowRight")
    assert page.evaluate(name) == "dawn 10" and page.evaluate(place) == "3 of 3"
    page.press("ArrowRight")  # from the last to the first; the failed one is left out
    assert page.evaluate(name) == STRANGE
    page.press("ArrowLeft", "ArrowLeft")
    assert page.evaluate(name) == "dawn 2"
    page.click("#next")
    page.click("#previous")
    page.click("#previous")
    assert page.evaluate(name) == STRANGE

    # The picture is as large as twice its pixels or the window allow, and its slider works.
    slider = "#full .slider"
    assert page.evaluate("document.querySelector('#full .compare').offsetWidth") == 240
    x, y = page.middle(slider)
    page.drag((x, y), (x + 60, y))
    assert split(page, slider) == pytest.approx(0.75, abs=0.02)
    page.press(*["ArrowLeft"] * 5)  # on the slider: moves it
    assert page.evaluate(name) == STRANGE
    assert split(page, slider) == pytest.approx(0.7, abs=0.02)

    # Escape closes it; the focus goes back to where it came from.
    page.press("Escape")
    page.wait("!document.querySelector('#full').open && !document.fullscreenElement")
    assert page.evaluate("document.activeElement.ariaLabel") == "Full view of dawn 2"
    page.press("Enter")
    assert page.evaluate(name) == "dawn 2"
    page.click("#close")
    page.wait("!document.querySelector('#full').open && !document.fullscreenElement")
    assert page.evaluate("document.activeElement.ariaLabel") == "Full view of dawn 2"

    # Leaving the browser's full screen in the browser's own way closes it, too.
    page.press("Enter")
    page.wait("!!document.fullscreenElement")
    page.evaluate("document.exitFullscreen()")
    page.wait("!document.querySelector('#full').open", 5)


@pytest.mark.browser
def test_the_full_view_follows_the_filter_and_fits_a_phone(page):
    page.resize(360, 640, mobile=True)
    page.click("#filter")
    page.press(*"dawn")
    page.click(f"{card('dawn 10')} ~ .open")
    assert page.evaluate("document.querySelector('#full-place').textContent") == "1 of 2"
    page.press("ArrowRight", "ArrowRight")
    assert page.evaluate("document.querySelector('#full-name').textContent") == "dawn 10"
    box = page.evaluate("document.querySelector('#full .compare').getBoundingClientRect().toJSON()")
    assert box["left"] >= 0 and box["right"] <= 360 and box["bottom"] <= 640
    assert box["height"] / box["width"] == pytest.approx(1.5, abs=0.01)
    page.resize(640, 240, mobile=True)  # turned on its side: now the height is what limits it
    box = page.evaluate("document.querySelector('#full .compare').getBoundingClientRect().toJSON()")
    assert box["height"] / box["width"] == pytest.approx(1.5, abs=0.01)
    assert box["top"] > 0 and box["bottom"] <= 240
    page.press("Escape")
    page.wait("!document.querySelector('#full').open")


# The text of all visible elements and how its colour stands out: (the WCAG's ratio, text). What lies over a
# picture has to do so over black and over white.
CONTRASTS = """(() => {
  const numbers = colour => {
    const found = colour.match(/^rgba?\\(([^)]*)\\)$/)[1].split(", ").map(Number);
    return [...found.slice(0, 3), found[3] ?? 1];
  };
  const over = (top, below) => below.map((level, i) => top[3] * top[i] + (1 - top[3]) * level);
  const luminance = colour => {
    const [r, g, b] = colour.map(v => v / 255).map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ratio = (one, other) => {
    const [low, high] = [luminance(one), luminance(other)].sort((a, b) => a - b);
    return (high + 0.05) / (low + 0.05);
  };
  const grounds = element => {
    if (element.matches(".compare")) return [[0, 0, 0], [255, 255, 255]];
    const own = numbers(getComputedStyle(element).backgroundColor);
    if (own[3] === 1) return [own.slice(0, 3)];
    return grounds(element.parentElement).map(ground => over(own, ground));
  };
  const found = [];
  const check = (element, colour, text) => {
    for (const ground of grounds(element)) found.push([ratio(over(numbers(colour), ground), ground), text]);
  };
  const top = document.querySelector("dialog[open]") ?? document.body;
  for (const element of top.querySelectorAll("*")) {
    const text = [...element.childNodes].filter(n => n.nodeType === Node.TEXT_NODE).map(n => n.data.trim()).join("");
    if (!element.checkVisibility({ visibilityProperty: true })) continue;
    if (text) check(element, getComputedStyle(element).color, text);
    if (element.placeholder) check(element, getComputedStyle(element, "::placeholder").color, element.placeholder);
  }
  return found;
})()"""


@pytest.mark.browser
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_text_stands_out_in_both_themes(page, theme):
    page.theme(theme)
    page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    on_page = page.evaluate(CONTRASTS)
    page.click(".open")
    in_view = page.evaluate(CONTRASTS)
    page.press("Escape")
    page.wait("!document.querySelector('#full').open")
    assert len(on_page) > 60 and len(in_view) > 15
    assert [pair for pair in on_page + in_view if pair[0] < 4.5] == []


@pytest.mark.browser
def test_the_theme_is_the_systems_until_one_is_chosen_and_then_remembered(page, address):
    ground = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(ground)
    page.theme("dark")
    dark = page.evaluate(ground)
    assert light != dark
    choose(page, "#theme", 1)
    assert page.evaluate(ground) == light
    page.open(address)
    assert page.evaluate("document.querySelector('#theme').value") == "light"
    assert page.evaluate(ground) == light
    choose(page, "#theme", 0)
    assert page.evaluate(ground) == dark
    page.theme("light")
    choose(page, "#theme", 2)
    assert page.evaluate(ground) == dark


@pytest.mark.browser
def test_the_focus_can_be_seen_wherever_it_goes(page):
    page.evaluate("document.activeElement.blur()")
    stops = set()
    for _ in range(12):
        page.press("Tab")
        style, width, name = page.evaluate(
            "(e => [getComputedStyle(e).outlineStyle, getComputedStyle(e).outlineWidth, e.id || e.className])"
            "(document.activeElement)"
        )
        assert (style, width) == ("solid", "3px"), name
        stops.add(name)
    assert {"filter", "order", "direction", "theme", "slider", "open"} <= stops


@pytest.mark.browser
def test_a_phone_shows_everything_without_scrolling_sideways(page):
    page.resize(360, 700, mobile=True)
    page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    boxes = page.evaluate("[...document.querySelectorAll('.compare, .levels, .values')].map(e => e.offsetWidth)")
    assert len(boxes) >= 9 and min(boxes[:9]) > 180


@pytest.mark.browser
def test_without_scripts_both_pictures_are_there_and_nothing_that_does_not_work(page, address):
    page.scripts(False)
    page.open(address)
    page.evaluate("[...document.querySelectorAll('.compare img')].forEach(i => i.scrollIntoView())")
    page.wait("[...document.querySelectorAll('.compare img')].every(i => i.complete && i.naturalWidth)")
    boxes = page.evaluate("[...document.images].slice(0, 2).map(i => i.getBoundingClientRect().toJSON())")
    assert boxes[0]["right"] < boxes[1]["left"] and boxes[0]["width"] == boxes[1]["width"] > 100
    assert (
        page.evaluate("[...document.querySelectorAll('.controls, .slider, .open')].some(e => e.checkVisibility())")
        is False
    )
    caption = "document.querySelector('figcaption')"
    assert page.evaluate(f"{caption}.checkVisibility() && {caption}.textContent") == "before"
