"""Writing files so that nothing which existed is ever lost or half-written; files of JSON lines."""

import contextlib
import json
import os
import shutil
import uuid
from pathlib import Path

from util.errors import WorkError

_READY = ".ready-"


def make_folder(folder):
    """Create a folder and its parents if they are missing; return it as a Path.

    Raises:
        WorkError: the folder cannot be made or written to.
    """
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise WorkError(f"{folder}: cannot make this folder ({_reason(error)}); choose another place") from error
    if not os.access(folder, os.W_OK):
        raise WorkError(f"{folder}: this folder cannot be written to; choose another place or change its permissions")
    return folder


def write_file(path, write):
    """Write a file beside its final place and rename it: a reader sees the old file or the new one, never a part.

    Args:
        path: the file's final place; its folder exists.
        write: called with a temporary Path that has the same suffix.

    Raises:
        WorkError: the file could not be written; the old one, if any, is untouched.
    """
    path = Path(path)
    beside = path.with_name(f".{uuid.uuid4().hex}{path.suffix}")
    try:
        write(beside)
        beside.replace(path)
    except OSError as error:
        raise WorkError(f"{path}: cannot write this file ({_reason(error)})") from error
    finally:
        with contextlib.suppress(OSError):
            beside.unlink()


def write_text(path, text):
    """Write a text file (UTF-8) in one step; see ``write_file``."""
    write_file(path, lambda beside: beside.write_text(text, encoding="utf-8"))


def write_records(path, records):
    """Write a file with one JSON object a line, in one step."""
    write_text(path, "".join(json.dumps(record) + "\n" for record in records))


def append_record(path, record):
    """Add a line to a file of JSON objects; ``path`` is a Path."""
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(record) + "\n")


def read_records(path):
    """The objects of a file of JSON lines, [] if it does not exist; an unfinished last line is left out."""
    records = []
    if path.exists():
        for line in path.read_text(encoding="utf-8").splitlines():
            try:
                records.append(json.loads(line))
            except ValueError:
                break
    return records


def write_set(folder, tag, files):
    """Write several files so that they change together, even if the machine dies in between.

    The files are first written and flushed into a hidden folder. Once that folder is renamed, the new set counts.
    Then its files are moved to their places; after a crash, ``settle`` moves the rest.

    Args:
        folder: where the files belong.
        tag: a name for the set (an epoch); two sets with different tags do not touch each other.
        files: {file name: function that writes to a path}.
    """
    folder = Path(folder)
    unfinished = folder / f".writing-{tag}"
    try:
        settle(folder)
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir()
        for name, write in files.items():
            write(unfinished / name)
            _flush(unfinished / name)
        _flush(unfinished)
        unfinished.rename(folder / f"{_READY}{tag}")
        _flush(folder)
        settle(folder)
    except OSError as error:
        raise WorkError(f"{folder}: cannot write the files of {tag!r} ({_reason(error)})") from error
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def settle(folder):
    """Finish what ``write_set`` had decided when it was interrupted: move each ready set to its place."""
    for ready in Path(folder).glob(f"{_READY}*"):
        for file in ready.iterdir():
            file.replace(ready.parent / file.name)
        ready.rmdir()


def current_file(folder, name):
    """Where file ``name`` of a folder is to be read, also while ``write_set`` is moving files there."""
    folder = Path(folder)
    ready = (place / name for place in folder.glob(f"{_READY}*") if (place / name).exists())
    return next(ready, folder / name)


def _flush(path):
    # Folders cannot be opened for this on Windows; there the rename alone has to do.
    with contextlib.suppress(PermissionError):
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _reason(error):
    return (error.strerror or str(error)).lower()
