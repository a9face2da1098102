"""The page of a training run: it shows what each step made; in a real browser, it needs no network."""

import re

import pytest
import torch

from util.monitor.training_page import TrainingPage
from util.stages import STAGES

IMAGES = "[...document.images]"
WARM_UP = ("lit_B", "sim_A", "sim_B")  # the stages of a step on simulated low light alone


def random_visuals(stages):
    return {stage: torch.rand(2, 1 if stage == "mask" else 3, 24, 32) * 2 - 1 for stage in stages}


def test_every_stage_of_a_warm_up_is_shown(tmp_path):
    page = TrainingPage(tmp_path, "run", 256)
    page.update(1, random_visuals(WARM_UP), "(epoch: 1) simulation: 0.5")
    text = (tmp_path / "web" / "index.html").read_text()
    assert re.findall(r'src="([^"]*)"', text) == [f"images/epoch001_{stage}.png" for stage in WARM_UP]
    assert all(STAGES[stage].label in text for stage in WARM_UP)


@pytest.mark.browser
def test_the_training_page_in_a_browser(tmp_path, browser):
    page = TrainingPage(tmp_path, "run <1>", 256)
    for epoch in (1, 12):
        page.update(epoch, random_visuals(STAGES), "(epoch: 12) G_A: 0.5")
    browser.open(tmp_path / "web" / "index.html")
    assert browser.evaluate("document.querySelector('h1').innerText") == "run <1>: training"
    assert browser.evaluate("document.querySelector('header p').innerText") == "(epoch: 12) G_A: 0.5"
    browser.evaluate(f"{IMAGES}.forEach(i => i.scrollIntoView())")
    count = 2 * len(STAGES)
    browser.wait(f"{IMAGES}.length === {count} && {IMAGES}.every(i => i.complete && i.naturalWidth === 32)")
    assert browser.evaluate("[...document.querySelectorAll('h2')].map(h => h.innerText)") == ["Epoch 12", "Epoch 1"]
    captions = browser.evaluate("[...document.querySelectorAll('figcaption')].map(c => c.innerText)")
    assert captions == 2 * [stage.label for stage in STAGES.values()]
    browser.resize(360, 700, mobile=True)
    assert browser.evaluate("document.documentElement.scrollWidth") <= 360
    assert all(url.startswith("file:") for url in browser.requests)
    assert browser.messages == []
