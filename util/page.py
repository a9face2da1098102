"""The parts that pages are made of: head, style, links to files, images with a caption."""

import os
from pathlib import Path
from urllib.parse import quote

import dominate
from dominate.tags import a, figcaption, figure, h1, header, img, meta, script, style
from dominate.util import raw

from util.files import write_text


def source(name):
    """The text of a file below this folder, such as ``page.css``."""
    return (Path(__file__).parent / name).read_text(encoding="utf-8")


def new_page(title, width, css="", javascript="", refresh=None):
    """A page that needs nothing but itself and its images; fill it in ``with page:``.

    Args:
        title: what the browser calls it.
        width: width of a shown image, pixels; the style sheets know it as ``--shown``.
        css: the page's own style, added to the common one.
        javascript: the page's script; it runs before the body is there.
        refresh: seconds after which an open page is loaded again.
    """
    page = dominate.document(title=title)
    page.set_attribute("lang", "en")
    with page.head:
        meta(charset="utf-8")
        meta(name="viewport", content="width=device-width, initial-scale=1")
        if refresh:
            meta(http_equiv="refresh", content=str(refresh))
        # A browser takes style and script as they stand: there, an escaped "<" would not be one.
        style(raw(f":root {{ --shown: {width}px; }}\n{source('page.css')}{css}"))
        if javascript:
            script(raw(javascript))
    return page


def page_header(title):
    """The heading at the top of a page; what else belongs there is added in ``with page_header(...):``."""
    return header(h1(title))


def address(path, folder):
    """How a page in ``folder`` links to a file: relative to it or, from another drive, in full."""
    try:
        relative = os.path.relpath(path, folder)
    except ValueError:
        return Path(path).absolute().as_uri()
    return quote(os.fsencode(Path(relative).as_posix()))


def captioned_image(link, description, caption, linked=True, **attributes):
    """An image that is loaded when it comes into view, with its caption.

    Args:
        link: address of the image.
        description: what it shows, for those who do not see it.
        caption: the text below it.
        linked: whether the image leads to its file.
        attributes: more attributes of the image, such as ``width``.
    """
    image = img(src=link, alt=description, loading="lazy", **attributes)
    return figure(a(image, href=link) if linked else image, figcaption(caption))


def write_page(path, page):
    """Write a page in one step; bytes of a file name that are no text are shown as a question mark."""
    text = page.render(pretty=False)
    write_text(path, text.encode("utf-8", "surrogateescape").decode("utf-8", "replace"))
