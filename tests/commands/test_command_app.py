"""app.py, the page that enhances images, as its users meet it in a browser."""

import re
import socket
import urllib.request
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from browser import Browser
from commands import ROOT
from models.enhancer import Enhancer
from sample_images import photograph
from visdom_servers import wait

pytest.importorskip("gradio", reason="Gradio is not installed: pip install -r requirements-app.txt")

import app
from util.errors import UsageError, WorkError

FLAGS = ["--gpu_ids", "-1", "--checkpoints_dir", str(ROOT / "saves"), "--max_upload", "1"]
MAKER = 0x010F
CHOOSE, ENHANCE, ALL = "input[type=file]", "button.primary", "#all"


@pytest.fixture(scope="module")
def served():
    """The page's address, and a list of the hosts elsewhere that the process has looked for."""
    elsewhere = []

    def noted(ask):
        def asked(host, *arguments, **more):
            if host not in (None, "localhost", "127.0.0.1", b"localhost", b"127.0.0.1"):
                elsewhere.append(host)
            return ask(host, *arguments, **more)

        return asked

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket, "getaddrinfo", noted(socket.getaddrinfo))
        patch.delenv("GRADIO_SERVER_NAME", raising=False)
        with app.served(app.flags(FLAGS)) as (made, address):
            yield made, address, elsewhere


@pytest.fixture
def images(tmp_path):
    """Two images, the first with EXIF, and a file that is none."""
    exif = Image.Exif()
    exif[MAKER] = "a camera"
    photograph((60, 44), "coffee", 0.2).save(tmp_path / "cup.jpg", exif=exif)
    photograph((48, 40), "chelsea", 0.2).save(tmp_path / "cat.png")
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8 no image")
    return tmp_path


def visit(browser, address):
    browser.requests.clear()
    browser.send("Page.navigate", url=address)
    browser.wait(
        f"!!document.querySelector('{CHOOSE}') && document.querySelector('[aria-label=Weights]')?.value === 'demo'"
    )


def choose(browser, *files):
    root = browser.send("DOM.getDocument")["root"]["nodeId"]
    node = browser.send("DOM.querySelector", nodeId=root, selector=CHOOSE)["nodeId"]
    browser.send("DOM.setFileInputFiles", nodeId=node, files=list(map(str, files)))
    for file in files:
        linked(browser, file.name)


def linked(browser, name):
    """Wait until the page links to a file."""
    browser.wait(f"!!document.querySelector('a[href$=\"/{name}\"]')")


def links(browser):
    """The files that the page links to, {name: address}."""
    addresses = browser.evaluate("[...document.querySelectorAll('a[href*=\"file=\"]')].map(a => a.href)")
    return {address.rpartition("/")[2]: address for address in addresses}


def part_after(browser):
    """How much of the image, percent, lies left of the slider, where it shows its state before."""
    return float(
        browser.evaluate("document.querySelector('.slider-wrap img.fixed').style.clipPath.match(/([\\d.]+)%/)[1]")
    )


@pytest.mark.browser
def test_an_image_is_uploaded_compared_and_downloaded(browser, served, images, tmp_path):
    _, address, elsewhere = served
    browser.resize(1200, 1400)
    visit(browser, address)
    choose(browser, images / "cup.jpg", images / "broken.jpg")
    browser.click(ENHANCE)
    linked(browser, "cup_fake_B.png")

    # A broken file is one line, and does not stop the others.
    browser.wait("!!document.querySelector('textarea')")
    assert (
        browser.evaluate("document.querySelector('textarea').value")
        == "broken.jpg: cannot read this image (not an image, or damaged); replace or remove it"
    )

    # Before and after under the slider.
    browser.wait("[...document.querySelectorAll('.slider-wrap img')].filter(i => i.naturalWidth === 60).length === 2")
    assert part_after(browser) == 50
    x, y = browser.middle("[data-testid=slider] .icon-wrap")
    browser.drag((x, y), (x - 60, y), (x - 120, y))
    assert 5 < part_after(browser) < 40

    # One result, and all: what the enhancer makes of the file, with its metadata.
    with urllib.request.urlopen(links(browser)["cup_fake_B.png"]) as answer:
        (tmp_path / "one.png").write_bytes(answer.read())
    browser.send("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(tmp_path / "downloads"))
    browser.click(ALL)
    archive = tmp_path / "downloads" / "enhanced.zip"
    wait(archive.exists)
    with zipfile.ZipFile(archive) as files:
        assert files.namelist() == ["cup_fake_B.png"]
        assert files.read("cup_fake_B.png") == (tmp_path / "one.png").read_bytes()
    expected = Enhancer.from_checkpoint(ROOT / "saves" / "demo", device="cpu").enhance(images / "cup.jpg")
    with Image.open(tmp_path / "one.png") as result:
        assert np.array_equal(np.asarray(result), np.asarray(expected))
        assert result.getexif()[MAKER] == "a camera"

    # Nothing goes elsewhere, and nothing says where files lie.
    assert elsewhere == []
    assert [url for url in browser.requests if not url.startswith((address, "data:", "blob:"))] == []
    html = browser.evaluate("document.documentElement.outerHTML")
    for folder in {str(ROOT), str(Path(app.os.environ[app.UPLOADS]).parent), str(Path.home())} - {"/"}:
        assert folder not in html


@pytest.mark.browser
def test_two_users_see_their_own_images(browser, served, images, tmp_path):
    _, address, _ = served
    with Browser(tmp_path / "profile") as other:
        for user, name in ((browser, "cup.jpg"), (other, "cat.png")):
            visit(user, address)
            choose(user, images / name)
        for user in (browser, other):
            user.click(ENHANCE)
        for user, own, foreign in ((browser, "cup", "cat"), (other, "cat", "cup")):
            linked(user, f"{own}_fake_B.png")
            assert [name for name in links(user) if foreign in name] == []
            assert foreign not in user.evaluate("document.body.innerText")


@pytest.mark.browser
def test_images_are_dropped_and_large_files_refused(browser, served, images):
    _, address, _ = served
    photograph((900, 700)).save(images / "large.bmp")
    for name in ("cat.png", "large.bmp"):
        visit(browser, address)
        x, y = browser.middle(f"button:has(> {CHOOSE})")
        data = {"items": [], "files": [str(images / name)], "dragOperationsMask": 1}
        for kind in ("dragEnter", "dragOver", "drop"):
            browser.send("Input.dispatchDragEvent", type=kind, x=x, y=y, data=data)
        if name == "cat.png":
            linked(browser, name)
    browser.wait("/exceed the maximum.+ 1.0 Mb.+large.bmp/.test(document.body.innerText)")
    assert links(browser) == {}


def test_weights_strength_and_format_are_those_of_the_page(images):
    class Progress:
        def tqdm(self, images, **_):
            return images

    opt = app.flags(FLAGS)
    assert "demo" in app.weights_in(opt.checkpoints_dir)
    files = [images / "cup.jpg", images / "cat.png", images / "cup.jpg"]
    kept, results, problems = app.enhance(opt, files, "demo", 0, "tiff", Progress())
    assert list(results) == ["0000_cup", "cat", "0002_cup"] and problems == []
    file, before, after = results["cat"]
    assert [shown.suffix for shown in (file, before, after)] == [".tiff", ".png", ".webp"]  # as browsers show them
    with Image.open(file) as result, Image.open(images / "cat.png") as given:
        assert np.array_equal(np.asarray(result), np.asarray(given))  # none of the enhanced image
    folder = Path(kept.name)
    kept.cleanup()
    assert not folder.exists()
    with pytest.raises(app.gr.Error) as caught:
        app.enhance(opt, files, "none such", 1, "png", Progress())
    assert "none such" in caught.value.message and not re.search(r"/\w+/", caught.value.message)


def test_it_listens_here_alone_unless_told_otherwise(served, tmp_path, monkeypatch):
    made, address, _ = served
    assert address.startswith("http://127.0.0.1:") and made.server_name == "127.0.0.1" and not made.share
    port = address.rstrip("/").rpartition(":")[2]
    with (
        pytest.raises(UsageError, match=f"^--port {port}: cannot listen there"),
        app.served(app.flags(["--port", port])),
    ):
        pass
    monkeypatch.setattr("sys.argv", ["app.py", "--checkpoints_dir", str(tmp_path)])
    with pytest.raises(WorkError, match="no folder in it holds weights"):
        app.main()
