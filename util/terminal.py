"""The process of a command and its terminal: streams that cannot fail, and Ctrl-C before there is anything to end."""

import contextlib
import errno
import io
import os
import signal
import sys


def begin():
    """Prepare the process of a command. Call it before the imports that take seconds; needs nothing but Python.

    Ctrl-C now ends the process in silence, until ``run_command`` takes over. Standard streams that were closed
    (``2>&-``) lead nowhere: else the next file to be opened would take their place, and messages would go into it.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # the lowest number that is free: this one
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _leave)


def _leave(number, frame):
    os._exit(130)


class Stream:
    """A text stream whose writing never raises: once it fails, it is told on ``other``, and all else goes nowhere.

    Args:
        stream: a stream of text over a file descriptor.
        name: in words.
    """

    def __init__(self, stream, name):
        self.stream, self.name, self.other = stream, name, None
        self.failure = None  # the OSError after which nothing was written any more

    def write(self, text):
        """Write a text; returns its length."""
        self._attempt(self.stream.write, text)
        return len(text)

    def flush(self):
        """Write what is held back."""
        self._attempt(self.stream.flush)

    def __getattr__(self, name):
        return getattr(self.stream, name)

    def _attempt(self, action, *arguments):
        try:
            action(*arguments)
        except OSError as error:
            self.failure = error
            with open(os.devnull, "wb") as nowhere:  # noqa: PTH123 (a device)
                os.dup2(nowhere.fileno(), self.stream.fileno())
            self.other.write(f"{self.name}: {(error.strerror or str(error)).lower()}; going on without it\n")


@contextlib.contextmanager
def lasting_streams():
    """Replace ``sys.stdout`` and ``sys.stderr`` by streams that cannot fail, whatever is behind them and goes wrong.

    A pipe may break (``| head``), a disk be full, a terminal be closed; a character may be missing in the stream's
    encoding (it is then written as ``\\u591c``).

    Yields:
        A function that tells whether something that was to be read has been lost. A pipe whose reader has left does
        not count: it wanted no more.
    """
    before = sys.stdout, sys.stderr
    streams = []
    for stream, name in zip(before, ("standard output", "standard error"), strict=True):
        if stream is None:
            stream = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115 (closed with the process)
        if isinstance(stream, io.TextIOWrapper):  # anything else is a caller's own, as in tests
            stream.reconfigure(errors="backslashreplace")
            stream = Stream(stream, name)
        streams.append(stream)
    for stream, other in zip(streams, reversed(streams), strict=True):
        if isinstance(stream, Stream):
            stream.other = other
    failures = [stream for stream in streams if isinstance(stream, Stream)]
    sys.stdout, sys.stderr = streams
    try:
        yield lambda: any(stream.failure and stream.failure.errno != errno.EPIPE for stream in failures)
    finally:
        for stream in streams:
            stream.flush()
        sys.stdout, sys.stderr = before


@contextlib.contextmanager
def interruptible():
    """Let Ctrl-C raise KeyboardInterrupt inside a ``with`` statement; after ``begin`` it ends the process outside."""
    begun = signal.getsignal(signal.SIGINT) is _leave
    if begun:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        if begun:
            signal.signal(signal.SIGINT, _leave)
