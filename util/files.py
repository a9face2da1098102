"""Writing files so that nothing which existed is ever lost or half-written; files of JSON lines."""

import contextlib
import json
import os
import shutil
import uuid
from pathlib import Path

from util.errors import WorkError, reason_of

_READY = ".ready-"


class CannotWrite(WorkError):
    """A file or a folder could not be written: what was there before is untouched."""


def make_folder(folder):
    """Create a folder and its parents if they are missing; return it as a Path.

    Raises:
        CannotWrite: the folder cannot be made or written to.
    """
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CannotWrite(f"{folder}: cannot make this folder ({reason_of(error)}); choose another place") from error
    if not os.access(folder, os.W_OK):
        raise CannotWrite(f"{folder}: this folder cannot be written to; choose another place or change its permissions")
    return folder


def write_file(path, write):
    """Write a file beside its final place and rename it: a reader sees the old file or the new one, never a part.

    Args:
        path: the file's final place; its folder exists.
        write: called with a temporary Path that has the same suffix.

    Raises:
        CannotWrite: the file could not be written; the old one, if any, is untouched.
    """
    path = Path(path)
    beside = path.with_name(f".{uuid.uuid4().hex}{path.suffix}")
    try:
        write(beside)
        beside.replace(path)
    except OSError as error:
        raise CannotWrite(f"{path}: cannot write this file ({reason_of(error)})") from error
    finally:
        with contextlib.suppress(OSError):
            beside.unlink()


def write_text(path, text):
    """Write a text file (UTF-8) in one step; see ``write_file``. Names that are not UTF-8 are written with escapes."""
    write_file(path, lambda beside: beside.write_text(text, encoding="utf-8", errors="backslashreplace"))


def write_records(path, records):
    """Write a file with one JSON object a line, in one step."""
    write_text(path, "".join(json.dumps(record) + "\n" for record in records))


def append_text(path, text):
    """Add text (UTF-8) to the end of a file, all of it or nothing; ``path`` is a Path.

    Raises:
        CannotWrite: the file is as it was.
    """
    data = text.encode("utf-8", "backslashreplace")
    try:
        with path.open("ab", buffering=0) as file:
            end = file.seek(0, os.SEEK_END)
            try:
                if file.write(data) < len(data):  # a disk that fills up takes a part
                    file.write(data)  # raises what is wrong
                    raise OSError("it was written in part")
            except OSError:
                file.truncate(end)
                raise
    except OSError as error:
        raise CannotWrite(f"{path}: cannot write to this file ({reason_of(error)})") from error


def append_record(path, record):
    """Add a line to a file of JSON objects; see ``append_text``."""
    append_text(path, json.dumps(record) + "\n")


def read_text(path):
    """The text (UTF-8) of a file; FileNotFoundError if there is none.

    Raises:
        WorkError: it cannot be read, or is no text.
    """
    check_regular(path)
    try:
        return Path(path).read_text(encoding="utf-8")
    except FileNotFoundError:
        raise
    except OSError as error:
        raise WorkError(f"{path}: cannot be read ({reason_of(error)}); change its permissions, or move it") from error
    except UnicodeDecodeError as error:
        raise WorkError(f"{path}: cannot be read (it is no text); restore it, or move it") from error


def check_regular(path):
    """Raise WorkError if something lies at a path that is no file: opening a pipe would wait for ever."""
    path = Path(path)
    if path.exists() and not path.is_file():
        kind = "folder" if path.is_dir() else "pipe, a socket or a device"
        raise WorkError(f"{path}: is not a file, but a {kind}; move it away")


def read_records(path, fields=()):
    """The objects of a file of JSON lines, [] if it does not exist; an unfinished last line is left out.

    Args:
        path: the file.
        fields: pairs (key, type or types), which every object needs.

    Raises:
        WorkError: the file cannot be read, or a line of it is no such object; names file, line and key.
    """
    try:
        lines = read_text(path).split("\n")
    except FileNotFoundError:
        return []
    records, unfinished = [], len(lines)  # after the last line break there is nothing, or what a kill cut off
    for number, line in enumerate(lines, 1):
        where = f"{path}, line {number}"
        try:
            record = json.loads(line)
        except (ValueError, RecursionError):
            if number == unfinished:
                break
            raise WorkError(f"{where}: is not JSON; remove this line, or move the file away") from None
        if not isinstance(record, dict):
            raise WorkError(f"{where}: is not an object ({line[:40]}); remove this line, or move the file away")
        for key, kind in fields:
            if not isinstance(record.get(key), kind) or isinstance(record[key], bool):
                raise WorkError(f"{where}: lacks a proper {key!r}; remove this line, or move the file away")
        records.append(record)
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
        raise CannotWrite(f"{folder}: cannot write the files of {tag!r} ({reason_of(error)})") from error
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
