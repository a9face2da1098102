"""The gallery in the full view, in both themes, on a phone and without scripts."""

import pytest

from galleries import STRANGE, card, choose, split


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

    # The image is as large as twice its pixels or the window allow, and its slider works.
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
# image has to do so over black and over white.
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
    chosen = "document.querySelector('#theme').value"
    for _ in range(10):  # Chromium stores in the background, and just after its start not everything
        choose(page, "#theme", 1)
        assert page.evaluate(ground) == light
        page.open(address)
        if page.evaluate(chosen) == "light":
            break
    assert page.evaluate(chosen) == "light"
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
def test_without_scripts_both_images_are_there_and_nothing_that_does_not_work(page, address):
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
