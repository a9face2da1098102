"""visdom servers for tests of the live view, and what they hold."""

import json
import socket
import time
from importlib.util import find_spec
from types import SimpleNamespace

import pytest

from util.monitor.live_view import LiveView

needs_visdom = pytest.mark.skipif(find_spec("visdom") is None, reason="visdom is not installed")
OFF = "live curves are off: "


def be_patient(monkeypatch):
    """Time enough for a busy machine, no downloads, and no attempt to reconnect unless a test asks for it."""
    monkeypatch.setattr(LiveView, "START", 60)
    monkeypatch.setattr(LiveView, "SCRIPTS", False)
    monkeypatch.setattr(LiveView, "RETRY", 1000)
    if find_spec("visdom"):
        monkeypatch.setattr("util.monitor.visdom_server.Client.PATIENCE", 20)
        monkeypatch.setattr("util.monitor.visdom_server.Client.HASTE", 20)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def start_server(port):
    from util.monitor.visdom_server import LocalServer

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
    from util.monitor.visdom_server import Client

    return json.loads(Client("http://127.0.0.1", port, env, local=True).get_window_data(name, env))


def curves(port, name, env="main"):
    """{curve: [(x, y), ...]} of a window."""
    data = window(port, name, env)["content"]["data"]
    return {curve["name"]: list(zip(curve["x"], curve["y"], strict=True)) for curve in data}


def printed(capfd):
    """The lines written since the last call, to both streams, by Python or below it."""
    captured = capfd.readouterr()
    return (captured.out + captured.err).splitlines()
