"""The live view, with a real visdom server: curves and images."""

import base64
import io
import math
import sys
import urllib.request
from pathlib import Path

import pytest
import torch
from PIL import Image

from util.monitor import live_view
from util.monitor.live_view import LiveView, image_grid
from visdom_servers import OFF, curves, free_port, listens, needs_visdom, options, printed, start_server, window

pytestmark = pytest.mark.usefixtures("patient")


@pytest.fixture(scope="module")
def running():
    """The port of a visdom server that does not belong to a run."""
    port = free_port()
    server = start_server(port)
    yield port
    server.stop()


def test_without_display_id_there_is_no_visdom(port, capfd, monkeypatch):
    monkeypatch.delitem(sys.modules, "util.monitor.visdom_server", raising=False)
    live = LiveView(options(port, display_id=0))
    live.show_losses(1, {"G_A": 1.0})
    live.show_images({"real_A": torch.zeros(1, 3, 4, 4)})
    live.close()
    assert "util.monitor.visdom_server" not in sys.modules
    assert printed(capfd) == [] and not listens(port)


def test_without_the_package_there_is_a_line(port, capfd, monkeypatch):
    monkeypatch.delitem(sys.modules, "util.monitor.visdom_server", raising=False)
    monkeypatch.setitem(sys.modules, "visdom", None)
    live = LiveView(options(port))
    live.show_losses(1, {"G_A": 1.0})
    live.close()
    (line,) = printed(capfd)
    assert line.startswith(OFF) and "visdom cannot be imported" in line


@needs_visdom
def test_a_server_of_our_own(port, capfd):
    live = LiveView(options(port))
    assert printed(capfd) == [
        f"live curves: http://127.0.0.1:{port}, environment main, a server that ends with this run"
    ]
    live.show_losses(100, {"G_A": 1.0, "G_B": 2.0, "cycle_A": 3.0, "D_A_CLIP": math.inf, "new": 4.0})
    live.show_losses(200, {"G_A": 1.5, "G_B": 2.5, "cycle_A": math.nan, "D_A_CLIP": 5.0, "new": 4.5})
    assert curves(port, "run 1 generators") == {"G_A": [(100, 1.0), (200, 1.5)], "G_B": [(100, 2.0), (200, 2.5)]}
    assert curves(port, "run 1 cycles and identity") == {"cycle_A": [(100, 3.0), (200, None)]}
    assert curves(port, "run 1 text") == {"D_A_CLIP": [(100, None), (200, 5.0)]}
    assert curves(port, "run 1 other") == {"new": [(100, 4.0), (200, 4.5)]}

    grey = {"real_A": torch.zeros(2, 3, 40, 60), "mask": torch.ones(2, 1, 40, 60), "fake_B": -torch.ones(2, 3, 40, 60)}
    live.show_images(grey)
    shown = window(port, "run 1 images")
    assert shown["title"] == "run: real_A, mask, fake_B"
    image = Image.open(io.BytesIO(base64.b64decode(shown["content"]["src"].partition(",")[2])))
    assert image.size == (3 * 62 + 2, 44)
    for x, level in ((32, 128), (94, 255), (156, 0)):
        assert abs(image.getpixel((x, 22))[0] - level) < 5
    groups = ("generators", "cycles and identity", "text", "other", "images")
    assert set(window(port, None)) == {f"run 1 {group}" for group in groups}
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(f"http://127.0.0.1:{port}/") as page:
        assert page.status == 200 and b"visdom" in page.read()

    folder = Path(live.own.folder)
    assert folder.is_dir()
    live.close()
    assert not listens(port) and not folder.exists() and not live.own.runs()
    live.show_losses(300, {"G_A": 1.0})
    live.close()
    assert printed(capfd) == []


@needs_visdom
def test_a_running_server_is_shared_and_stays(running, capfd):
    old = [{"epoch": 1, "pictures": 100, "lr": 1e-4, "losses": {"G_A": 9.0}}]
    first = LiveView(options(running, display_env="two runs"), records=old)
    second = LiveView(options(running, display_env="two runs", name="other"))
    third = LiveView(options(running, display_env="two runs", display_id=7))
    assert printed(capfd) == [f"live curves: http://127.0.0.1:{running}, environment two runs"] * 3
    for value, live in enumerate((first, second, third)):
        live.show_losses(200, {"G_A": float(value)})
    first.show_losses(300, {"G_A": 8.0, "G_B": 7.0})
    for live in (first, second, third):
        live.close()
    assert listens(running)
    generators = {"G_A": [(100, 9.0), (200, 0.0), (300, 8.0)], "G_B": [(100, None), (200, None), (300, 7.0)]}
    assert curves(running, "run 1 generators", "two runs") == generators
    assert curves(running, "other 1 generators", "two runs") == {"G_A": [(200, 1.0)]}
    assert curves(running, "run 7 generators", "two runs") == {"G_A": [(200, 2.0)]}
    assert printed(capfd) == []


@needs_visdom
def test_long_curves_are_thinned(running, monkeypatch):
    monkeypatch.setattr(LiveView, "MAX_POINTS", 10)
    live = LiveView(options(running, name="long"))
    for i in range(100):
        live.show_losses(i, {"H": i / 2})
        assert len(live.history) <= 10
    points = curves(running, "long 1 normalisation and mask")["H"]
    assert points[0] == (0, 0.0) and points[-1] == (99, 49.5) and 5 <= len(points) <= 10
    assert all(y == x / 2 for x, y in points) and points == sorted(points)


def test_which_servers_are_on_this_machine():
    for server in ("http://localhost", "localhost", "127.0.0.1", "http://127.0.0.1/"):
        assert live_view.is_local(server, 8097)
    for server in ("https://localhost", "http://gpu7", "192.168.0.1", "http://localhost.org"):
        assert not live_view.is_local(server, 8097)


def test_images_of_any_size_make_a_grid():
    grid = image_grid([torch.ones(3, 8, 6), -torch.ones(1, 4, 10), torch.zeros(3, 8, 10)], 2)
    assert grid.shape == (3, 2 * 10 + 2, 2 * 12 + 2) and grid.dtype == "uint8"
    assert (grid[:, 2:6, 14:24] == 0).all() and (grid[:, 6:10, 14:24] == 255).all()
    assert (grid[:, 12:20, 2:12] == 128).all()
