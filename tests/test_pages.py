"""The two pages, in a real browser: they load from disk, show every picture and need no network."""

import pytest
import torch

from browser import Browser, find_browser
from pictures import photograph
from util.gallery import Gallery
from util.training_page import LABELS, TrainingPage

STRANGE = "a&b <i>'\"#1 100% é"


def gallery_of(folder, names):
    gallery = Gallery(folder / "index.html", "LSRW: <results>", "3 pictures", 300)
    (folder / "images").mkdir()
    for name in names:
        for kind in ("real_A", "fake_B"):
            photograph((64, 48)).save(folder / "images" / f"{name}_{kind}.png")
        gallery.add(name, (64, 48), folder / "images" / f"{name}_real_A.png", folder / "images" / f"{name}_fake_B.png")
    return gallery


def test_names_are_escaped(tmp_path):
    gallery = gallery_of(tmp_path, [STRANGE])
    gallery.add_failure("<script>", "because of <b>")
    gallery.write()
    text = (tmp_path / "index.html").read_text()
    assert "<i>" not in text and "<script>" not in text and "<b>" not in text and "<results>" not in text
    assert "a%26b%20%3Ci%3E%27%22%231%20100%25%20%C3%A9_fake_B.png" in text


def test_a_thousand_pictures_make_a_small_page(tmp_path):
    gallery = Gallery(tmp_path / "index.html", "t", "f", 300)
    for i in range(1000):
        gallery.add(f"p{i}", (6000, 4000), tmp_path / f"p{i}_real_A.png", tmp_path / f"p{i}_fake_B.png")
    gallery.write()
    text = (tmp_path / "index.html").read_text()
    assert text.count('loading="lazy"') == 2000
    assert len(text) < 1_000_000
    assert "base64" not in text


@pytest.fixture
def browser(tmp_path):
    if find_browser() is None:
        pytest.skip("no Chromium on this machine")
    with Browser(tmp_path / "profile") as browser:
        yield browser


IMAGES = "[...document.images]"


@pytest.mark.browser
def test_the_gallery_in_a_browser(tmp_path, browser):
    gallery = gallery_of(tmp_path, ["first", STRANGE])
    gallery.add_failure("broken", "broken.png: cannot read this picture")
    gallery.write()
    browser.open(tmp_path / "index.html")
    assert browser.evaluate("document.title") == "LSRW: <results>"
    browser.evaluate(f"{IMAGES}.forEach(i => i.scrollIntoView())")
    browser.wait(f"{IMAGES}.every(i => i.complete && i.naturalWidth === 64)")
    assert browser.evaluate(f"{IMAGES}.map(i => i.alt)") == [
        "first, before",
        "first, after",
        f"{STRANGE}, before",
        f"{STRANGE}, after",
    ]
    text = browser.evaluate("document.body.innerText")
    assert STRANGE in text and "64 × 48" in text and "failed: broken.png: cannot read this picture" in text
    # Before and after are side by side; on a phone they are one above the other, and nothing is cut off.
    places = f"{IMAGES}.slice(0, 2).map(i => i.getBoundingClientRect().top)"
    assert len(set(browser.evaluate(places))) == 1
    browser.resize(360, 700, mobile=True)
    assert len(set(browser.evaluate(places))) == 2
    assert browser.evaluate("document.documentElement.scrollWidth") <= 360
    assert all(url.startswith("file:") for url in browser.requests)
    assert browser.messages == []


@pytest.mark.browser
def test_the_training_page_in_a_browser(tmp_path, browser):
    page = TrainingPage(tmp_path, "run <1>", 256)
    visuals = {stage: torch.rand(2, 1 if stage == "mask" else 3, 24, 32) * 2 - 1 for stage in LABELS}
    for epoch in (1, 12):
        page.update(epoch, visuals, "(epoch: 12) G_A: 0.5")
    browser.open(tmp_path / "web" / "index.html")
    browser.evaluate(f"{IMAGES}.forEach(i => i.scrollIntoView())")
    browser.wait(f"{IMAGES}.length === 16 && {IMAGES}.every(i => i.complete && i.naturalWidth === 32)")
    assert browser.evaluate("[...document.querySelectorAll('h2')].map(h => h.innerText)") == ["Epoch 12", "Epoch 1"]
    captions = browser.evaluate("[...document.querySelectorAll('figcaption')].map(c => c.innerText)")
    assert captions == 2 * list(LABELS.values())
    assert browser.messages == []
