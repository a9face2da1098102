"""The page of results: every image before and after, opened from disk without a network."""

from math import isnan, sqrt
from pathlib import Path

from dominate import svg, tags
from dominate.util import raw

from util.metrics.scores import means
from util.page import address, captioned_image, new_page, page_header, source, write_page

BINS = 64  # of a histogram of levels
HEIGHT = 40  # of its drawing, in units of one bar's width


class dialog(tags.html_tag):  # which dominate does not know yet
    pass


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

    def add(self, record, shown, files, stages):
        """An image that was enhanced.

        Args:
            record: see ``write_tables``; also "histograms", of levels, before and after.
            shown: two images that a browser can show, of one size: before and after.
            files: {label: file that is linked to}, anywhere.
            stages: {label: image of a stage}.
        """
        name, size = record["name"], (record["width"], record["height"])
        card = tags.article(cls="card", style="--w:{};--h:{}".format(*size))
        with card:
            tags.h2(name)
            self._compared(name, size, shown)
            with tags.dl(cls="values"):
                for value in self._values(record):
                    _value(*value)
            _levels_drawing(*record["histograms"])
            if record["problem"]:
                tags.p(record["problem"], cls="problem")
            with tags.p(cls="files"):
                for label, file in files.items():
                    tags.a(label, href=self._address(file))
            if stages:
                with tags.details():
                    tags.summary("Stages")
                    with tags.div(cls="images"):
                        for label, file in stages.items():
                            captioned_image(self._address(file), f"{name}, {label}", label)
        self._cards.append(card.render(pretty=False))

    def add_failure(self, name, reason):
        """An image that could not be enhanced, and why."""
        self._failures += 1
        card = tags.article(
            tags.h2(name), tags.p(f"failed: {reason}", cls="fault"), cls="card", id=f"failure{self._failures}"
        )
        self._cards.append(card.render(pretty=False))

    def write(self, measured=()):
        """Write the page.

        Args:
            measured: for each enhanced image {key: value of a metric}; their means are shown at the top.
        """
        page = new_page(self.title, self.width, source("results/gallery.css"), source("results/gallery.js"))
        with page:
            with page_header(self.title):
                self._summary(measured)
            _controls(self.metrics)
            tags.main((raw(card) for card in self._cards), cls="cards")
            _full_view()
        write_page(self.path, page)

    def _address(self, file):
        return address(file, self.path.parent)

    def _compared(self, name, size, shown):
        width, height = size
        with tags.div(cls="compare"):
            for label, file in zip(("before", "after"), shown, strict=True):
                captioned_image(
                    self._address(file), f"{name}, {label}", label, linked=False, width=width, height=height
                )
            tags.input_(cls="slider", type="range", step="any", aria_label=f"{name}: part shown before")
            tags.span(cls="handle")
            tags.button("Full view", cls="open", type="button", aria_label=f"Full view of {name}")

    def _values(self, record):
        """Key, label, number to sort by and text of all that is known of an image."""
        for key, metric in self.metrics.items():
            if key in record["metrics"]:
                value = record["metrics"][key]
                yield key, metric.label, value, metric.text(value)
        seconds, width, height = record["seconds"], record["width"], record["height"]
        yield "seconds", "time", seconds, "kept from an earlier run" if seconds is None else f"{seconds:.2f} s"
        yield "pixels", "size", width * height, f"{width} × {height}"

    def _summary(self, measured):
        with tags.dl(cls="means"):
            for key, value in means(self.metrics, measured).items():
                metric, count = self.metrics[key], sum(key in values for values in measured)
                over = f" over {count} of {len(self._cards)}" if count < len(self._cards) else ""
                with tags.div(title="higher is better" if metric.higher_is_better else "lower is better"):
                    tags.dt(f"mean {metric.label} {'↑' if metric.higher_is_better else '↓'}{over}")
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


def _levels_drawing(before, after):
    """Two histograms of levels, one over the other, and their means.

    The heights are square roots, so that few pixels can be seen beside many.

    Args:
        before, after: counts of pixels in equal shares of the levels 0 to 255.
    """
    largest = max(*before, *after, 1)
    means = [_mean_level(counts) for counts in (before, after)]
    with tags.figure(cls="levels"):
        with svg.svg(
            viewBox=f"0 0 {len(before)} {HEIGHT}",
            preserveAspectRatio="none",
            role="img",
            aria_label=f"Histogram of levels; their mean is {means[0]} before and {means[1]} after",
        ):
            svg.path(d=_around(before, largest))
            svg.path(d=_around(after, largest))
        tags.figcaption(tags.span(f"before {means[0]}"), tags.span(f"after {means[1]}"), title="mean level, 0 to 255")


def _mean_level(counts):
    width = 256 / len(counts)
    total = sum((i * width + (width - 1) / 2) * count for i, count in enumerate(counts))
    return round(total / max(sum(counts), 1))


def _around(counts, largest):
    """The path around a histogram's bars; neighbours of one height are joined, which keeps the page small."""
    steps, height, run = [f"M0 {HEIGHT}"], 0, 0
    for count in [*counts, 0]:
        bar = round(HEIGHT * sqrt(count / largest))
        if bar != height:
            steps.append(f"h{run}v{height - bar}" if run else f"v{height - bar}")
            height, run = bar, 0
        run += 1
    return "".join(steps) + "z"


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
