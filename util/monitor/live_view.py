"""Loss curves and current images in a browser, by way of a visdom server."""

import math
import socket
import time
from urllib.parse import urlsplit

import numpy as np
from PIL import Image
from tqdm import tqdm

from util.image_io.tensors import to_image
from util.stages import LOSSES

GAP = 2  # pixels between the images of a grid
say = tqdm.write  # prints a line without breaking the progress bar


class LiveView:
    """Sends losses and images to a visdom server: a running one, or one of our own on this machine.

    Whatever goes wrong is told in one line. Training goes on, and a lost server is looked for again.

    Args:
        opt: reads display_id, display_server, display_port, display_env, display_ncols, display_winsize, name.
        records: the losses of the run so far, as ``read_losses`` returns them.
    """

    RETRY = 30  # seconds between attempts to reach a server that does not answer
    START = 20  # seconds that a server of our own may take to start
    MAX_POINTS = 1000  # of a curve, as many as a window has room for; beyond, every second one is dropped
    SCRIPTS = True  # whether a server of our own fetches the scripts of visdom's page where they are missing

    def __init__(self, opt, records=()):
        self.opt, self.address = opt, f"{opt.display_server}:{opt.display_port}"
        self.client = self.own = None
        self.answers, self.next_try = False, math.inf  # math.inf: live curves are off for good
        self.history = []  # (images, {name: float}), oldest first
        if opt.display_id == 0:
            return
        try:
            from util.monitor.visdom_server import Client  # imported where it is used: visdom is optional

            self.local = is_local(opt.display_server, opt.display_port)
            self.client = Client(opt.display_server, opt.display_port, opt.display_env, self.local)
        except ImportError as error:
            say(f"live curves are off: visdom cannot be imported ({error})")
            return
        except ValueError:
            say(f"live curves are off: {self.address} is no address (--display_server, --display_port)")
            return
        for record in records:
            self._remember(record["pictures"], record["losses"])
        self._begin()

    def show_losses(self, images, losses):
        """Extend the curves: ``images`` seen so far, ``losses`` {name: float}."""
        self._remember(images, losses)
        self._show(self._send_losses)

    def show_images(self, visuals):
        """Show the current images, {stage: (N, C, H, W) in [-1, 1]}, the first of each batch."""
        self._show(lambda: self._send_images(visuals))

    def close(self):
        """End our own server, if there is one; nothing is shown any more."""
        self.answers, self.next_try = False, math.inf
        if self.own:
            self.own.stop()

    def _begin(self):
        self.answers = self._connect(wait=True)
        own_runs = self.own and self.own.runs()
        if self.answers:
            whose = ", a server that ends with this run" if own_runs else ""
            say(f"live curves: {self.address}, environment {self.opt.display_env}{whose}")
        elif self.local and self._port_is_open():
            self.close()
            say(f"live curves are off: what answers at {self.address} is not a visdom server (choose a --display_port)")
        elif self.local and not own_runs:
            self.close()
            say(f"live curves are off: no visdom server could be started at {self.address}")
        else:
            self.next_try = time.monotonic() + self.RETRY
            say(f"live curves are off: no visdom server at {self.address}; it is looked for every {self.RETRY} s")

    def _connect(self, wait):
        """Whether a visdom server answers; where nothing listens on this machine, one is started (and waited for)."""
        if self.local and not self._port_is_open():
            try:
                self._start_server()
            except OSError:  # no room for its folder, or for a process
                return False
            deadline = time.monotonic() + self.START
            while wait and time.monotonic() < deadline and self.own.runs() and not self._port_is_open():
                time.sleep(0.05)
        return self.client.answers(hasty=not wait)

    def _port_is_open(self):
        try:
            socket.create_connection((host_of(self.opt.display_server), self.opt.display_port), timeout=1).close()
        except OSError:
            return False
        return True

    def _start_server(self):
        from util.monitor.visdom_server import LocalServer

        if self.own and not self.own.runs():
            self.own.stop()
            self.own = None
        if not self.own:
            self.own = LocalServer(self.opt.display_port, self.SCRIPTS)

    def _show(self, send):
        """Call ``send()`` if a server answers, and look for one now and then if none does."""
        if not self.answers and time.monotonic() >= self.next_try:
            self.answers = self._connect(wait=False)
            self.next_try = time.monotonic() + self.RETRY
            if self.answers:
                say(f"live curves are back: {self.address}, environment {self.opt.display_env}")
        if self.answers:
            try:
                send()
            except OSError:
                self.answers, self.next_try = False, time.monotonic() + self.RETRY
                say(f"live curves stop: {self.address} does not answer; training goes on and looks for it again")

    def _remember(self, images, losses):
        self.history.append((images, losses))
        if len(self.history) > self.MAX_POINTS:
            self.history = [*self.history[:-1:2], self.history[-1]]

    def _send_losses(self):
        # Whole curves every time: the server takes many times as long to append a point (it compares the window
        # before and after), and a window that was closed, or a server that was restarted, is complete again.
        images = np.array([images for images, _ in self.history])
        groups = {}
        for name in dict.fromkeys(name for _, losses in self.history for name in losses):
            groups.setdefault(LOSSES.get(name, "other"), []).append(name)
        for group, names in groups.items():
            values = np.array([[losses.get(name, math.nan) for name in names] for _, losses in self.history])
            values[~np.isfinite(values)] = math.nan  # drawn as a gap; infinity has no place in JSON
            title = f"{self.opt.name}: {group}"
            options = {"title": title, "legend": names, "xlabel": "images", "ylabel": "loss"}
            self.client.line(values, images, win=self._window(group), opts=options)  # values: (points, names)

    def _send_images(self, visuals):
        grid = image_grid([batch[0] for batch in visuals.values()], self.opt.display_ncols)
        options = {
            "title": f"{self.opt.name}: {', '.join(visuals)}",
            "width": self.opt.display_winsize,
            "height": self.opt.display_winsize * grid.shape[1] // grid.shape[2],
            "jpgquality": 95,  # PNG would take half a second of training; this takes a few hundredths
        }
        self.client.image(grid, win=self._window("images"), opts=options)

    def _window(self, content):
        return f"{self.opt.name} {self.opt.display_id} {content}"


def image_grid(images, columns):
    """Images (1 or 3, H, W) in [-1, 1], of any sizes, side by side: a uint8 array (3, height, width)."""
    images = [to_image(image) for image in images]
    width, height = (max(sides) + GAP for sides in zip(*(image.size for image in images), strict=True))
    columns = min(columns, len(images))
    rows = math.ceil(len(images) / columns)
    grid = Image.new("RGB", (columns * width + GAP, rows * height + GAP), "white")
    for number, image in enumerate(images):
        grid.paste(image, (number % columns * width + GAP, number // columns * height + GAP))
    return np.asarray(grid).transpose(2, 0, 1)


def host_of(server):
    """The host of a URL, whose scheme may be missing."""
    return urlsplit(server if "//" in server else f"//{server}").hostname


def is_local(server, port):
    """Whether a server may be started for this URL; a ValueError if it is none."""
    if port > 65535:  # the system would take the remainder
        raise ValueError(f"no port: {port}")
    return host_of(server) in ("localhost", "127.0.0.1") and not server.startswith("https:")
