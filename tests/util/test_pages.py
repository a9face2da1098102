"""The page of a training run, in a real browser: it loads from disk, shows every image and needs no network."""

import pytest
import torch

from util.monitor.training_page import LABELS, TrainingPage

IMAGES = "[...document.images]"


@pytest.mark.browser
def test_the_training_page_in_a_browser(tmp_path, browser):
    page = TrainingPage(tmp_path, "run <1>", 256)
    visuals = {stage: torch.rand(2, 1 if stage == "mask" else 3, 24, 32) * 2 - 1 for stage in LABELS}
    for epoch in (1, 12):
        page.update(epoch, visuals, "(epoch: 12) G_A: 0.5")
    browser.open(tmp_path / "web" / "index.html")
    assert browser.evaluate("document.querySelector('h1').innerText") == "run <1>: training"
    assert browser.evaluate("document.querySelector('header p').innerText") == "(epoch: 12) G_A: 0.5"
    browser.evaluate(f"{IMAGES}.forEach(i => i.scrollIntoView())")
    browser.wait(f"{IMAGES}.length === 16 && {IMAGES}.every(i => i.complete && i.naturalWidth === 32)")
    assert browser.evaluate("[...document.querySelectorAll('h2')].map(h => h.innerText)") == ["Epoch 12", "Epoch 1"]
    captions = browser.evaluate("[...document.querySelectorAll('figcaption')].map(c => c.innerText)")
    assert captions == 2 * list(LABELS.values())
    browser.resize(360, 700, mobile=True)
    assert browser.evaluate("document.documentElement.scrollWidth") <= 360
    assert all(url.startswith("file:") for url in browser.requests)
    assert browser.messages == []
