"""A headless Chromium for the tests, driven over its DevTools pipe: nothing but the browser is needed."""

import base64
import json
import os
import shutil
import subprocess
import time

FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--remote-debugging-pipe",
    "--hide-scrollbars",
]
KEYS = {"Tab": 9, "Enter": 13, "Escape": 27, "End": 35, "Home": 36, "ArrowLeft": 37, "ArrowRight": 39, "ArrowDown": 40}
NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")


def find_browser():
    """The browser's program, or None."""
    return next(filter(None, map(shutil.which, NAMES)), None)


class Browser:
    """One page in a browser of its own; use it in a ``with`` statement.

    Args:
        profile: an empty folder.
        width, height: of the window, pixels.
    """

    def __init__(self, profile, width=1200, height=900):
        to_browser, self._commands = os.pipe()
        self._answers, from_browser = os.pipe()

        def at_3_and_4():  # where the browser expects its pipe; first out of the way, as they may be 3 or 4
            ends = [os.dup(to_browser), os.dup(from_browser)]
            spare = [os.dup2(end, 100 + i) for i, end in enumerate(ends)]
            for place, end in zip((3, 4), spare, strict=True):
                os.dup2(end, place)

        self._process = subprocess.Popen(
            [find_browser(), *FLAGS, f"--user-data-dir={profile}", f"--window-size={width},{height}", "about:blank"],
            preexec_fn=at_3_and_4,
            close_fds=False,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(to_browser)
        os.close(from_browser)
        self._number, self._buffer, self._session = 0, b"", None
        self.messages = []  # what the page wrote to the console, and its uncaught errors
        target = self.send("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.send(f"{domain}.enable")
        self.requests = []

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self._process.kill()
        self._process.wait()
        os.close(self._commands)
        os.close(self._answers)

    def send(self, method, **parameters):
        """Call a DevTools method and return its result."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._commands, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._read()
            if answer.get("id") == message["id"]:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                return answer["result"]

    def _read(self):
        while b"\0" not in self._buffer:
            data = os.read(self._answers, 1 << 20)
            if not data:
                raise RuntimeError("the browser has gone")
            self._buffer += data
        line, self._buffer = self._buffer.split(b"\0", 1)
        message = json.loads(line)
        event, details = message.get("method"), message.get("params", {})
        if event == "Runtime.exceptionThrown":
            self.messages.append(details["exceptionDetails"]["text"])
        elif event == "Runtime.consoleAPICalled":
            self.messages.append(" ".join(str(argument.get("value")) for argument in details["args"]))
        elif event == "Log.entryAdded":
            self.messages.append(details["entry"]["text"])
        elif event == "Network.requestWillBeSent":
            self.requests.append(details["request"]["url"])
        return message

    def open(self, path):
        """Open a file and wait until it has loaded."""
        self.evaluate("window.left = true")  # so that the page before, maybe the same file, is not taken for it
        self.send("Page.navigate", url=path.absolute().as_uri())
        self.wait("!window.left && document.readyState === 'complete' && location.protocol === 'file:'")

    def evaluate(self, expression):
        """The value of a JavaScript expression (a promise is awaited)."""
        answer = self.send("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in answer:
            raise RuntimeError(answer["exceptionDetails"]["exception"]["description"])
        return answer["result"].get("value")

    def wait(self, expression, seconds=60):
        """Wait until an expression becomes true."""
        end = time.monotonic() + seconds
        while not self.evaluate(expression):
            if time.monotonic() > end:
                raise TimeoutError(f"never became true: {expression}")
            time.sleep(0.02)

    def resize(self, width, height, mobile=False):
        """Change the size of the window in CSS pixels."""
        self.send("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=mobile)

    def theme(self, name):
        """Prefer ``dark`` or ``light`` colours."""
        self.send("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": name}])

    def scripts(self, allowed):
        """Let pages run their scripts, or not; it counts from the next page on."""
        self.send("Emulation.setScriptExecutionDisabled", value=not allowed)

    def middle(self, selector):
        """Scroll an element into view and return the place of its middle in the window."""
        element = f"document.querySelector({json.dumps(selector)})"
        self.evaluate(f"{element}.scrollIntoView({{block: 'center'}})")
        self.screenshot()  # until this is done, the mouse would meet what was there before
        return self.evaluate(f"(r => [r.x + r.width / 2, r.y + r.height / 2])({element}.getBoundingClientRect())")

    def drag(self, *places):
        """Press the mouse at the first place, move it to each of the others and release it at the last."""
        self._mouse("mouseMoved", places[0], buttons=0)
        self._mouse("mousePressed", places[0])
        for place in places[1:]:
            self._mouse("mouseMoved", place)
        self._mouse("mouseReleased", places[-1])

    def _mouse(self, kind, place, buttons=1):
        self.send(
            "Input.dispatchMouseEvent",
            **{"type": kind, "x": place[0], "y": place[1], "button": "left", "buttons": buttons, "clickCount": 1},
        )

    def click(self, selector):
        """Click on the middle of an element."""
        self.drag(self.middle(selector))

    def touch(self, *places):
        """Put a finger on the first place, move it to each of the others and lift it."""
        for kind, place in zip(("touchStart", *["touchMove"] * (len(places) - 1)), places, strict=True):
            self.send("Input.dispatchTouchEvent", type=kind, touchPoints=[{"x": place[0], "y": place[1]}])
        self.send("Input.dispatchTouchEvent", type="touchEnd", touchPoints=[])

    def press(self, *keys):
        """Press keys one after the other: a name of KEYS or a character."""
        for key in keys:
            text = {"text": "\r" if key == "Enter" else key} if key not in KEYS or key == "Enter" else {}
            code = {"windowsVirtualKeyCode": KEYS[key], "code": key} if key in KEYS else {}
            self.send("Input.dispatchKeyEvent", type="keyDown", key=key, **text, **code)
            self.send("Input.dispatchKeyEvent", type="keyUp", key=key, **code)

    def screenshot(self, path=None):
        """What the window shows, as the bytes of a PNG; saved if there is a path."""
        image = base64.b64decode(self.send("Page.captureScreenshot", format="png")["data"])
        if path:
            path.write_bytes(image)
        return image
