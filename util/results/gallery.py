"""The page of results: every image before and after, opened from disk without a network."""

from dataclasses import dataclass
from math import isnan
from pathlib import Path

from dominate import tags
from dominate.util import raw

from util.page import address, captioned_image, levels_drawing, new_page, page_header, source, write_page

BINS = 64  # of a histogram of levels


class dialog(tags.html_tag):  # which dominate does not know yet
    pass


@dataclass
class Entry:
    """An image that was enhanced; metrics that it lacks are left out."""

    name: str
    size: tuple[int, int]  # width and height of the result, pixels
    before: Path  # images a browser can show, of one size, below the page's folder
    after: Path
    files: dict[str, Path]  # {label: file that is linked to}, anywhere
    stages: dict[str, Path]  # {label: image of a stage}
    metrics: dict[str, float]
    seconds: float | None  # time of enhancement; None: kept from an earlier run
    histograms: tuple[list[int], list[int]] | None  # of levels, before and after
    problem: str | None = None  # a note, such as "no reference of this name"


class Gallery:
    """Collects the results of a run of test.py and writes them as one page.

    Args:
        path: the page's file; images lie in its folder or below.
        title: heading of the page.
        facts: {label: text} below the heading.
        metrics: {key: Metric}, in the order in which they are shown.
        width: width of a shown image, pixels.
    """

    def __init__(self, path, title, facts, metrics, width):
        self.path, self.title, self.facts, self.metrics, self.width = Path(path), title, facts, metrics, width
        self._cards = []  # as HTML: a page of many thousand tags would fill the memory
        self._failures = 0

    def add(self, entry):
        """An image that was enhanced."""
        width, height = entry.size
        card = tags.article(cls="card", style=f"--w:{width};--h:{height}")
        with card:
            tags.h2(entry.name)
            self._compared(entry)
            with tags.dl(cls="values"):
                for value in self._values(entry):
                    _value(*value)
            if entry.histograms:
                levels_drawing(*entry.histograms)
            if entry.problem:
                tags.p(entry.problem, cls="problem")
            with tags.p(cls="files"):
                for label, file in entry.files.items():
                    tags.a(label, href=self._address(file))
            if entry.stages:
                with tags.details():
                    tags.summary("Stages")
                    with tags.div(cls="images"):
                        for label, file in entry.stages.items():
                            captioned_image(self._address(file), f"{entry.name}, {label}", label)
        self._cards.append(card.render(pretty=False))

    def add_failure(self, name, reason):
        """An image that could not be enhanced, and why."""
        self._failures += 1
        card = tags.article(
            tags.h2(name), tags.p(f"failed: {reason}", cls="fault"), cls="card", id=f"failure{self._failures}"
        )
        self._cards.append(card.render(pretty=False))

    def write(self, means=None):
        """Write the page.

        Args:
            means: {key: mean of a metric over the images}, shown at the top.
        """
        page = new_page(self.title, self.width, source("results/gallery.css"), source("results/gallery.js"))
        with page:
            with page_header(self.title):
                self._summary(means or {})
            _controls(self.metrics)
            tags.main((raw(card) for card in self._cards), cls="cards")
            _full_view()
        write_page(self.path, page)

    def _address(self, file):
        return address(file, self.path.parent)

    def _compared(self, entry):
        width, height = entry.size
        with tags.div(cls="compare"):
            for label, file in (("before", entry.before), ("after", entry.after)):
                captioned_image(
                    self._address(file), f"{entry.name}, {label}", label, linked=False, width=width, height=height
                )
            tags.input_(cls="slider", type="range", step="any", aria_label=f"{entry.name}: part shown before")
            tags.span(cls="handle")
            tags.button("Full view", cls="open", type="button", aria_label=f"Full view of {entry.name}")

    def _values(self, entry):
        """Key, label, number to sort by and text of all that is known of an image."""
        for key, metric in self.metrics.items():
            if key in entry.metrics:
                value = entry.metrics[key]
                yield key, metric.label, value, metric.text(value)
        spent = "kept from an earlier run" if entry.seconds is None else f"{entry.seconds:.2f} s"
        yield "seconds", "time", entry.seconds, spent
        width, height = entry.size
        yield "pixels", "size", width * height, f"{width} × {height}"

    def _summary(self, means):
        with tags.dl(cls="means"):
            for key, value in means.items():
                metric = self.metrics[key]
                with tags.div(title="higher is better" if metric.higher_is_better else "lower is better"):
                    tags.dt(f"mean {metric.label} {'↑' if metric.higher_is_better else '↓'}")
                    tags.dd(metric.text(value))
        with tags.dl(cls="facts"):
            for label, text in self.facts.items():
                tags.div(tags.dt(label), tags.dd(text))
        if self._failures:
            tags.p(tags.a(f"{self._failures} of {len(self._cards)} images failed", href="#failure1"), cls="fault")


def levels_histogram(image):
    """How many pixels of an 8-bit image have which luma: 64 counts, for levels 0 to 3, 4 to 7, ..."""
    counts = image.convert("L").histogram()
    share = len(counts) // BINS
    return [sum(counts[first : first + share]) for first in range(0, len(counts), share)]


def _value(key, label, value, text):
    # JavaScript reads "Infinity", not "inf"; a value that is none is not sorted by.
    number = None if value is None or isnan(value) else f"{value:.9g}".replace("inf", "Infinity")
    tags.div(tags.dt(label), tags.dd(text, data_key=key, data_value=number))


def _controls(metrics):
    """The bar above the cards: filter, order, theme. It needs the script and is hidden without it."""
    orders = [("place", "as listed", "first to last", "last to first"), ("name", "name", "A to Z", "Z to A")]
    orders += [(key, metric.label, "best first", "worst first") for key, metric in metrics.items()]
    orders += [("seconds", "time", "fastest first", "slowest first")]
    orders += [("pixels", "size", "largest first", "smallest first")]
    falling = {"pixels", *(key for key, metric in metrics.items() if metric.higher_is_better)}
    with tags.div(cls="controls"):
        tags.label(
            tags.span("Filter"),
            tags.input_(id="filter", type="search", placeholder="part of a name", autocomplete="off"),
        )
        with tags.label(tags.span("Order")), tags.select(id="order", autocomplete="off"):
            for key, label, forwards, backwards in orders:
                way = "falling" if key in falling else "rising"
                tags.option(label, value=key, data_forwards=forwards, data_backwards=backwards, data_way=way)
        tags.button(id="direction", type="button", title="Turn the order round")
        tags.p(id="count", role="status")
        with tags.label(tags.span("Theme")), tags.select(id="theme", autocomplete="off"):
            for theme in ("system", "light", "dark"):
                tags.option(theme, value=theme)


def _full_view():
    """The dialog that shows one image as large as the window allows; the script puts the image there."""
    with dialog(id="full", aria_labelledby="full-name"):
        with tags.div(cls="bar"):
            tags.h2(id="full-name", aria_live="polite")
            tags.p(id="full-place")
            tags.dl(id="full-values", cls="values")
            with tags.div(cls="buttons"):
                tags.button("Previous", id="previous", type="button")
                tags.button("Next", id="next", type="button")
                tags.button("Close", id="close", type="button")
        tags.div(id="full-image")
        with tags.p(cls="keys"):
            tags.span(tags.kbd("←"), tags.kbd("→"), " previous, next image")
            tags.span("on the slider: ", tags.kbd("←"), tags.kbd("→"), " move it")
            tags.span(tags.kbd("Tab"), " to the slider and the buttons")
            tags.span(tags.kbd("Esc"), " close")
