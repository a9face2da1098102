"""The page of results: every picture before and after, opened from disk without a network."""

from pathlib import Path
from urllib.parse import quote

import dominate
from dominate.tags import a, div, figcaption, figure, h1, header, img, main, meta, p, section, span, style

from util.files import write_text

STYLE = """
:root { color-scheme: light dark; --line: color-mix(in srgb, currentColor 18%, transparent); }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.5rem; max-width: 1400px; font: 16px/1.5 system-ui, sans-serif; }
header { margin-bottom: 1.5rem; }
h1 { margin: 0; font-size: 1.6rem; }
header p, figcaption, .size { margin: 0; opacity: 0.75; font-size: 0.9rem; }
section { margin-bottom: 2rem; padding-top: 1rem; border-top: 1px solid var(--line); }
section > p { margin: 0 0 0.5rem; font-weight: 600; overflow-wrap: anywhere; }
.size { font-weight: 400; margin-left: 0.75rem; white-space: nowrap; }
.pictures { display: grid; gap: 0.75rem; grid-template-columns: 1fr 1fr; }
@media (max-width: 600px) { .pictures { grid-template-columns: 1fr; } }
figure { margin: 0; }
img { display: block; width: 100%; height: auto; border-radius: 6px; background: var(--line); }
.failed { color: light-dark(#b00020, #ff8a80); font-weight: 400; }
"""


class Gallery:
    """Collects the results of a run of test.py and writes them as one page.

    Args:
        path: the page's file; pictures lie in its folder or below.
        title: heading of the page.
        facts: a sentence below the heading.
        width: width of a shown picture, pixels.
    """

    def __init__(self, path, title, facts, width):
        self.path, self.title, self.facts, self.width = Path(path), title, facts, width
        self.entries = []

    def add(self, name, size, before, after):
        """A picture that was enhanced.

        Args:
            name: what it is called.
            size: width and height in pixels.
            before, after: files below the page's folder.
        """
        pictures = [("before", before), ("after", after)]
        self.entries.append((name, size, [(label, Path(file)) for label, file in pictures], None))

    def add_failure(self, name, reason):
        """A picture that could not be enhanced, and why."""
        self.entries.append((name, None, [], reason))

    def write(self):
        """Write the page; it loads each picture only when it comes into view."""
        page = dominate.document(title=self.title)
        page.set_attribute("lang", "en")
        with page.head:
            meta(charset="utf-8")
            meta(name="viewport", content="width=device-width, initial-scale=1")
            style(STYLE + f".pictures {{ max-width: {2 * self.width + 12}px; }}\n")
        with page:
            with header():
                h1(self.title)
                p(self.facts)
            with main():
                for entry in self.entries:
                    self._entry(*entry)
        write_text(self.path, page.render(pretty=False))

    def _entry(self, name, size, pictures, reason):
        with section():
            with p(name):
                if size:
                    span(f"{size[0]} × {size[1]}", cls="size")
            if reason:
                p(f"failed: {reason}", cls="failed", role="alert")
                return
            with div(cls="pictures"):
                for label, file in pictures:
                    address = quote(file.relative_to(self.path.parent).as_posix())
                    with figure():
                        with a(href=address):
                            img(src=address, alt=f"{name}, {label}", loading="lazy", width=size[0], height=size[1])
                        figcaption(label)
