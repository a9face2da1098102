"""The live view, with a real visdom server: curves, pictures, and everything that can go wrong with a server."""

import base64
import http.server
import io
import json
import math
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from PIL import Image

from util import live_view
from util.live_view import LiveView, picture_grid

needs_visdom = pytest.mark.skipif(find_spec("visdom") is None, reason="visdom is not installed")
OFF = "live curves are off: "


@pytest.fixture(autouse=True)
def _patient(monkeypatch):
    """Time enough for a busy machine, no downloads, and no attempt to reconnect unless a test asks for it."""
    monkeypatch.setattr(LiveView, "START", 60)
    monkeypatch.setattr(LiveView, "SCRIPTS", False)
    monkeypatch.setattr(LiveView, "RETRY", 1000)
    if find_spec("visdom"):
        monkeypatch.setattr("util.visdom_server.Client.PATIENCE", 20)
        monkeypatch.setattr("util.visdom_server.Client.HASTE", 20)


@pytest.fixture
def port():
    return free_port()


@pytest.fixture(scope="module")
def running():
    """The port of a visdom server that does not belong to a run."""
    port = free_port()
    server = start_server(port)
    yield port
    server.stop()


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def start_server(port):
    from util.visdom_server import LocalServer

    server = LocalServer(port, scripts=False)
    wait(lambda: listens(port))
    return server


def listens(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def wait(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "never became true"
        time.sleep(0.05)


def options(port, **changed):
    values = {"display_id": 1, "display_server": "http://127.0.0.1", "display_port": port, "display_env": "main"}
    return SimpleNamespace(**{**values, "display_ncols": 4, "display_winsize": 512, "name": "run", **changed})


def window(port, name, env="main"):
    """A window as the server holds it."""
    from util.visdom_server import Client

    return json.loads(Client("http://127.0.0.1", port, env, local=True).get_window_data(name, env))


def curves(port, name, env="main"):
    """{curve: [(x, y), ...]} of a window."""
    data = window(port, name, env)["content"]["data"]
    return {curve["name"]: list(zip(curve["x"], curve["y"], strict=True)) for curve in data}


def printed(capfd):
    """The lines written since the last call, to both streams, by Python or below it."""
    captured = capfd.readouterr()
    return (captured.out + captured.err).splitlines()


def test_without_display_id_there_is_no_visdom(port, capfd, monkeypatch):
    monkeypatch.delitem(sys.modules, "util.visdom_server", raising=False)
    live = LiveView(options(port, display_id=0))
    live.show_losses(1, {"G_A": 1.0})
    live.show_pictures({"real_A": torch.zeros(1, 3, 4, 4)})
    live.close()
    assert "util.visdom_server" not in sys.modules
    assert printed(capfd) == [] and not listens(port)


def test_without_the_package_there_is_a_line(port, capfd, monkeypatch):
    monkeypatch.delitem(sys.modules, "util.visdom_server", raising=False)
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
    live.show_pictures(grey)
    shown = window(port, "run 1 pictures")
    assert shown["title"] == "run: real_A, mask, fake_B"
    picture = Image.open(io.BytesIO(base64.b64decode(shown["content"]["src"].partition(",")[2])))
    assert picture.size == (3 * 62 + 2, 44)
    for x, level in ((32, 128), (94, 255), (156, 0)):
        assert abs(picture.getpixel((x, 22))[0] - level) < 5
    groups = ("generators", "cycles and identity", "text", "other", "pictures")
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
    monkeypatch.setattr(LiveView, "MOST", 10)
    live = LiveView(options(running, name="long"))
    for i in range(100):
        live.show_losses(i, {"H": i / 2})
        assert len(live.history) <= 10
    points = curves(running, "long 1 normalisation and mask")["H"]
    assert points[0] == (0, 0.0) and points[-1] == (99, 49.5) and 5 <= len(points) <= 10
    assert all(y == x / 2 for x, y in points) and points == sorted(points)


@needs_visdom
def test_a_server_that_dies_and_comes_back(port, capfd, monkeypatch):
    monkeypatch.setattr(live_view, "is_local", lambda *address: False)  # else one of our own takes its place
    server = start_server(port)
    live = LiveView(options(port))
    live.show_losses(1, {"D_A": 1.0})
    printed(capfd)
    server.stop()
    for pictures in (2, 3):
        live.show_losses(pictures, {"D_A": float(pictures)})
        live.show_pictures({"real_A": torch.zeros(1, 3, 4, 4)})
    (line,) = printed(capfd)
    assert line.startswith("live curves stop: ") and "training goes on" in line

    server = start_server(port)
    live.show_losses(4, {"D_A": 4.0})  # not looked for yet
    assert printed(capfd) == []
    live.next_try = 0
    live.show_losses(5, {"D_A": 5.0})
    assert printed(capfd) == [f"live curves are back: http://127.0.0.1:{port}, environment main"]
    assert curves(port, "run 1 discriminators") == {"D_A": [(i, float(i)) for i in range(1, 6)]}
    live.close()
    server.stop()


@needs_visdom
def test_a_server_of_our_own_that_dies_is_started_again(port, capfd, monkeypatch):
    live = LiveView(options(port))
    live.show_losses(1, {"D_A": 1.0})
    printed(capfd)
    os.kill(live.own.process.pid, signal.SIGKILL)
    live.own.process.wait()
    folder = Path(live.own.folder)
    live.show_losses(2, {"D_A": 2.0})
    assert [line.partition(":")[0] for line in printed(capfd)] == ["live curves stop"]

    live.next_try = 0
    live.show_losses(3, {"D_A": 3.0})  # does not wait for the server that it starts
    assert not live.answers and live.own.runs() and not folder.exists()
    wait(lambda: listens(port))
    live.next_try = 0
    live.show_losses(4, {"D_A": 4.0})
    assert [line.partition(":")[0] for line in printed(capfd)] == ["live curves are back"]
    assert curves(port, "run 1 discriminators") == {"D_A": [(i, float(i)) for i in range(1, 5)]}
    live.close()
    assert not listens(port)


PARENT = """
import os, sys, time
from types import SimpleNamespace
from util.live_view import LiveView
LiveView.SCRIPTS, LiveView.START = False, 60
live = LiveView(SimpleNamespace(display_id=1, display_server="http://localhost", display_port=int(sys.argv[1]),
                                display_env="main", display_ncols=4, display_winsize=512, name="run"))
worker = os.fork()  # holds whatever the parent has open, as the workers that load pictures do
if worker:
    print(live.own.folder, worker, flush=True)
time.sleep(600)
"""


@needs_visdom
@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
def test_a_killed_run_takes_its_server_with_it(port):
    command = [sys.executable, "-c", PARENT, str(port)]
    with subprocess.Popen(command, cwd=Path(__file__).parents[1], stdout=subprocess.PIPE, text=True) as run:
        run.stdout.readline()
        folder, worker = run.stdout.readline().split()
        try:
            assert listens(port) and Path(folder).is_dir()
            run.kill()
            run.wait()
            wait(lambda: not listens(port), 10)
            wait(lambda: not Path(folder).exists(), 10)
        finally:
            run.kill()
            os.kill(int(worker), signal.SIGKILL)


@needs_visdom
@pytest.mark.parametrize("kind", ["web server", "silence"])
def test_a_port_that_something_else_has(kind, capfd, monkeypatch):
    monkeypatch.setattr("util.visdom_server.Client.PATIENCE", 0.3)
    if kind == "web server":
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler)
        server.RequestHandlerClass.log_message = lambda *args: None
        threading.Thread(target=server.serve_forever, daemon=True).start()
        close, port = server.shutdown, server.server_port
    else:
        server = socket.create_server(("127.0.0.1", 0))
        close, port = server.close, server.getsockname()[1]
    live = LiveView(options(port))
    assert live.next_try == math.inf  # not asked again
    live.show_losses(1, {"G_A": 1.0})
    live.close()
    close()
    (line,) = printed(capfd)
    assert line.startswith(OFF) and "is not a visdom server" in line


@needs_visdom
def test_a_server_elsewhere_that_does_not_answer(port, capfd, monkeypatch):
    monkeypatch.setattr(live_view, "is_local", lambda *address: False)
    live = LiveView(options(port))
    for pictures in range(3):
        live.next_try = 0
        live.show_losses(pictures, {"G_A": 1.0})
    live.close()
    (line,) = printed(capfd)
    assert line.startswith(f"{OFF}no visdom server at http://127.0.0.1:{port}") and not listens(port)


@needs_visdom
@pytest.mark.parametrize("address", [("http://[nonsense", 8097), ("http://localhost", 99999)])
def test_an_address_that_is_none(address, capfd):
    live = LiveView(options(address[1], display_server=address[0]))
    live.show_losses(1, {"G_A": 1.0})
    live.close()
    (line,) = printed(capfd)
    assert line.startswith(f"{OFF}{address[0]}:{address[1]} is no address")


@needs_visdom
@pytest.mark.parametrize("program", ["false", "/no/such/program"])
def test_a_server_that_cannot_be_started(program, port, capfd, monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "executable", program)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    live = LiveView(options(port))
    live.show_losses(1, {"G_A": 1.0})
    assert printed(capfd) == [f"{OFF}no visdom server could be started at http://127.0.0.1:{port}"]
    assert list(tmp_path.iterdir()) == []


def test_which_servers_are_on_this_machine():
    for server in ("http://localhost", "localhost", "127.0.0.1", "http://127.0.0.1/"):
        assert live_view.is_local(server, 8097)
    for server in ("https://localhost", "http://gpu7", "192.168.0.1", "http://localhost.org"):
        assert not live_view.is_local(server, 8097)


def test_pictures_of_any_size_make_a_grid():
    grid = picture_grid([torch.ones(3, 8, 6), -torch.ones(1, 4, 10), torch.zeros(3, 8, 10)], 2)
    assert grid.shape == (3, 2 * 10 + 2, 2 * 12 + 2) and grid.dtype == "uint8"
    assert (grid[:, 2:6, 14:24] == 0).all() and (grid[:, 6:10, 14:24] == 255).all()
    assert (grid[:, 12:20, 2:12] == 128).all()
