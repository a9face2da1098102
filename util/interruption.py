"""Stopping a run by a signal: the step in progress is finished first."""

import contextlib
import signal

SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]


class Interruption:
    """Remembers the first signal that asks to end; a second one of its kind ends the process at once."""

    def __init__(self):
        self.signal = None

    def note(self, number, frame):
        """Handle a signal."""
        self.signal = number
        signal.signal(number, signal.SIG_DFL)
        if hasattr(signal, "SIGCHLD"):
            # Where it ends the loader's workers, too, PyTorch would raise an error in the middle of the step.
            signal.signal(signal.SIGCHLD, lambda *_: None)

    @property
    def status(self):
        """The exit status: 130 after SIGINT, 143 after SIGTERM, 129 after SIGHUP (a terminal that was closed)."""
        return 128 + (self.signal or signal.SIGTERM)


@contextlib.contextmanager
def interruptions():
    """Give an ``Interruption`` that handles all these signals inside a ``with`` statement.

    A closed terminal does not end a run that nohup started.
    """
    interruption = Interruption()
    hung_up = getattr(signal, "SIGHUP", None)
    handled = [number for number in SIGNALS if number != hung_up or signal.getsignal(number) != signal.SIG_IGN]
    previous = {number: signal.signal(number, interruption.note) for number in handled}
    try:
        yield interruption
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
