"""Stopping a run by a signal: the step in progress is finished first."""

import contextlib
import signal


class Interruption:
    """Remembers the first SIGINT or SIGTERM; a second one ends the process at once."""

    def __init__(self):
        self.signal = None

    def note(self, number, frame):
        """Handle a signal."""
        self.signal = number
        signal.signal(number, signal.SIG_DFL)

    @property
    def status(self):
        """The exit status: 130 after SIGINT, 143 after SIGTERM."""
        return 128 + (self.signal or signal.SIGTERM)


@contextlib.contextmanager
def interruptions():
    """Give an ``Interruption`` that handles both signals inside a ``with`` statement."""
    interruption = Interruption()
    previous = {number: signal.signal(number, interruption.note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield interruption
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
