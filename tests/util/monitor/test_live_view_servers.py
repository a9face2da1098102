"""The live view and everything that can go wrong with a visdom server."""

import contextlib
import http.server
import math
import os
import signal
import socket
import socketserver
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import pytest
import torch

from commands import ROOT
from util.monitor import live_view
from util.monitor.live_view import LiveView
from visdom_servers import OFF, curves, listens, needs_visdom, options, printed, start_server, wait

pytestmark = pytest.mark.usefixtures("patient")

PARENT = """
import os, sys, time
from types import SimpleNamespace
from util.monitor.live_view import LiveView
LiveView.SCRIPTS, LiveView.START = False, 60
live = LiveView(SimpleNamespace(display_id=1, display_server="http://localhost", display_port=int(sys.argv[1]),
                                display_env="main", display_ncols=4, display_winsize=512, name="run"))
worker = os.fork()  # holds whatever the parent has open, as the workers that load images do
if worker:
    print(live.own.folder, worker, flush=True)
time.sleep(600)
"""


@needs_visdom
def test_a_server_that_dies_and_comes_back(port, capfd, monkeypatch):
    monkeypatch.setattr(live_view, "is_local", lambda *address: False)  # else one of our own takes its place
    server = start_server(port)
    live = LiveView(options(port))
    live.show_losses(1, {"D_A": 1.0})
    printed(capfd)
    server.stop()
    for images in (2, 3):
        live.show_losses(images, {"D_A": float(images)})
        live.show_images({"real_A": torch.zeros(1, 3, 4, 4)})
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


@needs_visdom
@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
def test_a_killed_run_takes_its_server_with_it(port):
    command = [sys.executable, "-c", PARENT, str(port)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as run:
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


class Dripping(socketserver.BaseRequestHandler):
    """Answers ``start`` and then a byte now and then, for as long as it is asked to."""

    start, goes_on = b"", True

    def handle(self):
        self.request.sendall(self.start)
        with contextlib.suppress(OSError):
            while self.goes_on:
                self.request.sendall(b"H")
                time.sleep(0.05)


@needs_visdom
@pytest.mark.parametrize("start", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"], ids=["head", "body"])
def test_an_answer_that_comes_byte_by_byte(start, capfd, monkeypatch):
    monkeypatch.setattr("util.monitor.visdom_server.Client.PATIENCE", 0.5)
    handler = type("Handler", (Dripping,), {"start": start})
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        begun = time.monotonic()
        live = LiveView(options(server.server_address[1]))
        assert not live.answers
        waiting = live.client.waiting
        for _ in range(3):  # one thread may wait, not one more with each attempt
            assert not live.client.answers(hasty=False) and live.client.waiting is waiting
        assert time.monotonic() - begun < 10
        (line,) = printed(capfd)
        assert line.startswith(OFF) and "is not a visdom server" in line
        live.close()
        handler.goes_on = False
        server.shutdown()


@needs_visdom
@pytest.mark.parametrize("kind", ["web server", "silence"])
def test_a_port_that_something_else_has(kind, capfd, monkeypatch):
    monkeypatch.setattr("util.monitor.visdom_server.Client.PATIENCE", 0.3)
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
    for images in range(3):
        live.next_try = 0
        live.show_losses(images, {"G_A": 1.0})
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
