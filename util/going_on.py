"""Training outlives a disk that is full and a folder that is gone: what could not be written is told, once."""

import contextlib

from tqdm import tqdm

from util.errors import WorkError

_told = set()


class Went:
    """``well``: whether the body of ``going_on`` came to its end."""

    well = True


@contextlib.contextmanager
def going_on(what=""):
    """Inside a ``with`` statement: what cannot be written is told in one line, and training goes on without it.

    The same line is told only once.

    Args:
        what: words in front of the reason.
    """
    went = Went()
    try:
        yield went
    except (WorkError, OSError) as error:
        went.well = False
        line = f"warning: {what}{error}"
        if line not in _told:
            _told.add(line)
            tqdm.write(f"{line}; training goes on, and tries again the next time")
