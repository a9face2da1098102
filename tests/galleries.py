"""A gallery to test, and what a reader does with its page."""

import io
import json
import math

from PIL import Image

from util.metrics.scores import Metric
from util.results.gallery import Gallery, levels_histogram

STRANGE = "a&b <i>'\"#1 100% é"
METRICS = {"psnr": Metric("PSNR", "dB", True, 2), "lpips": Metric("LPIPS", "", False, 3)}
BEFORE, AFTER = (10, 20, 30), (230, 220, 210)


def record(name, size, metrics, seconds, histograms, problem=None):
    """An image that was enhanced, as in records.jsonl."""
    width, height = size
    known = {"name": name, "width": width, "height": height, "seconds": seconds, "metrics": metrics}
    return {**known, "histograms": list(histograms), "problem": problem}


def build_gallery(folder):
    """Three images and one that failed, between them."""
    (folder / "images").mkdir(parents=True)
    gallery = Gallery(folder / "index.html", "LSRW: <results>", {"model": "LSRW <1>", "device": "cpu"}, METRICS, 300)

    def add(name, size, metrics, seconds, problem=None, stages=None):
        images = [Image.new("RGB", size, colour) for colour in (BEFORE, AFTER)]
        files = [folder / "images" / f"{name}_{kind}.png" for kind in ("real_A", "fake_B")]
        for image, file in zip(images, files, strict=True):
            image.save(file)
        links = {"input": folder.parent / f"{name}.jpg", "result": files[1]}
        gallery.add(
            record(name, size, metrics, seconds, map(levels_histogram, images), problem), files, links, stages or {}
        )

    add("dawn 10", (64, 96), {"psnr": 9.0}, 2.0, "no reference of this name")
    stages = {"mask": folder / "images" / f"{STRANGE}_real_A.png"}
    add(STRANGE, (120, 80), {"psnr": math.inf, "lpips": 0.1}, None, stages=stages)
    gallery.add_failure("broken", "because of <b>")
    add("dawn 2", (48, 32), {"psnr": 20.0, "lpips": 0.3}, 0.5)
    gallery.write([{"psnr": 9.0, "lpips": 0.1}, {"psnr": 20.0, "lpips": 0.3}])
    return gallery.path


LISTED = ["dawn 10", STRANGE, "broken", "dawn 2"]


def card(name):
    """A selector of a card's image."""
    return f"[aria-label={json.dumps(f'{name}: part shown before', ensure_ascii=False)}]"


def split(page, selector):
    """How much of an image, from 0 to 1, shows its state before: seen on the screen, 5 px above its lower edge."""
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
