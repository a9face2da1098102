"""Stopping a run from outside: the step in progress is finished first."""

import contextlib
import signal


class Interruption:
    """Remembers the first SIGINT or SIGTERM; a second one ends the process at once."""

    def __init__(self):
        self.signal = None

    def note(self, number, frame):
        """The signal handler."""
        self.signal = number
        signal.signal(number, signal.SIG_DFL)

    @property
    def status(self):
        """The exit status that tells of the signal: 130 for SIGINT, 143 for SIGTERM."""
        return 128 + (self.signal or signal.SIGTERM)


@contextlib.contextmanager
def interruptions():
    """Take over both signals for the duration of a ``with`` statement; gives an ``Interruption``."""
    interruption = Interruption()
    before = {number: signal.signal(number, interruption.note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield interruption
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
