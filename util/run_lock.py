"""One run at a time in a folder: one training of a name, one test.py on a page."""

import contextlib
import os
import socket
from datetime import datetime

from util.errors import UsageError

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None
    import msvcrt

SAID = 1  # the first byte is what is locked; behind it stands who locked it


@contextlib.contextmanager
def run_lock(folder, kind="training", flag="--name"):
    """Keep other runs away from a folder inside a ``with`` statement.

    The operating system holds the lock, for this process alone, not for its workers. So it ends with the process,
    however that ends; it holds among containers that share the folder, and among hosts where the file system can.
    Where a file system has no locks, there is none.

    Args:
        folder: a Path.
        kind: what runs there; the lock is the file KIND.lock.
        flag: with which another folder is chosen.

    Raises:
        UsageError: another run of the kind has it; says which process, where, and since when.
    """
    path = folder / f"{kind}.lock"
    file = _locked(path, flag)
    try:
        yield
    finally:
        if file:
            with contextlib.suppress(OSError):
                path.unlink()
            file.close()


def _locked(path, flag):
    """The open file, locked; None where that is impossible."""
    while True:
        try:
            file = path.open("a+b", buffering=0)
        except OSError:
            return None  # writing to the folder will say why
        try:
            _lock(file)
        except (BlockingIOError, PermissionError):
            file.seek(SAID)
            owner = file.read(200).decode("utf-8", "replace").strip() or "another process"
            file.close()
            raise UsageError(
                f"{path.parent}: another {path.stem} writes here ({owner}): let it end, or choose another {flag}"
            ) from None
        except OSError:
            file.close()
            return None
        if path.exists() and os.path.samestat(os.fstat(file.fileno()), path.stat()):
            break
        file.close()  # its owner has removed it meanwhile
    with contextlib.suppress(OSError):  # a full disk
        file.truncate(0)
        file.write(f" process {os.getpid()} on {socket.gethostname()}, since {datetime.now():%Y-%m-%d %H:%M}".encode())
    return file


def _lock(file):
    """Lock the first byte, or raise OSError at once."""
    if fcntl:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1)
    else:
        file.seek(0)
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
