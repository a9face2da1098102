"""Writing files: nothing that existed is lost, and nothing is ever half-written."""

import os
import resource

import pytest

from util.errors import WorkError
from util.files import (
    CannotWrite,
    append_record,
    append_text,
    current_file,
    make_folder,
    read_records,
    settle,
    write_file,
    write_records,
    write_set,
    write_text,
)


def crash(path):
    path.write_text("half")
    raise KeyboardInterrupt


def test_an_interrupted_write_leaves_the_old_file(tmp_path):
    write_text(tmp_path / "a.txt", "old")
    with pytest.raises(KeyboardInterrupt):
        write_file(tmp_path / "a.txt", crash)
    assert (tmp_path / "a.txt").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


def texts(*contents):
    return {
        f"{name}.txt": (lambda path, text=text: path.write_text(text))
        for name, text in zip("abc", contents, strict=False)
    }


def test_a_set_interrupted_while_writing_leaves_the_old_set(tmp_path):
    write_set(tmp_path, "latest", texts("old a", "old b"))
    with pytest.raises(KeyboardInterrupt):
        write_set(tmp_path, "latest", {**texts("new a"), "b.txt": crash})
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"a.txt": "old a", "b.txt": "old b"}


def test_a_set_interrupted_while_moving_is_the_new_set(tmp_path, monkeypatch):
    write_set(tmp_path, "latest", texts("old a", "old b"))
    with monkeypatch.context() as context:
        context.setattr("util.files.settle", lambda folder: None)  # the machine dies after the set was decided
        write_set(tmp_path, "latest", texts("new a", "new b"))
    (tmp_path / ".ready-latest" / "a.txt").replace(tmp_path / "a.txt")  # and one file had been moved
    assert [current_file(tmp_path, name).read_text() for name in ("a.txt", "b.txt")] == ["new a", "new b"]
    settle(tmp_path)
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"a.txt": "new a", "b.txt": "new b"}


def test_what_a_killed_process_left_does_not_matter(tmp_path):
    (tmp_path / ".writing-latest").mkdir()
    (tmp_path / ".writing-latest" / "a.txt").write_text("half")
    write_set(tmp_path, "latest", texts("whole"))
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(WorkError, match="cannot make this folder"):
        make_folder(tmp_path / "file" / "folder")


def test_an_unfinished_last_record_is_left_out(tmp_path):
    path = tmp_path / "records.jsonl"
    assert read_records(path) == []
    records = [{"epoch": 1, "losses": {"G_A": 0.5}}, {"epoch": 2}]
    write_records(path, records)
    append_record(path, {"epoch": 3})
    assert read_records(path) == [*records, {"epoch": 3}]
    with path.open("a") as file:
        file.write('{"epoch": 4, "los')  # killed while writing
    assert read_records(path) == [*records, {"epoch": 3}]


FIELDS = [("epoch", int), ("losses", dict)]


@pytest.mark.parametrize(
    "line, pattern",
    [
        ("1", r"line 2: is not an object \(1\)"),
        ("null", "line 2: is not an object"),
        ("{}", "line 2: lacks a proper 'epoch'"),
        ('{"epoch": true, "losses": {}}', "line 2: lacks a proper 'epoch'"),
        ('{"epoch": 1, "losses": 3}', "line 2: lacks a proper 'losses'"),
        ("{" * 10**5, "line 2: is not JSON"),
        ("\udcff", "it is no text"),
    ],
)
def test_odd_records_are_one_line(tmp_path, line, pattern):
    path, good = tmp_path / "records.jsonl", '{"epoch": 1, "losses": {}}\n'
    path.write_text(f"{good}{line}\n{good}", errors="surrogateescape")
    with pytest.raises(WorkError, match=rf"records\.jsonl.*{pattern}") as caught:
        read_records(path, FIELDS)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("make", [os.mkdir, os.mkfifo])
def test_records_that_are_no_file_are_one_line(tmp_path, make):
    make(tmp_path / "records.jsonl")
    with pytest.raises(WorkError, match="is not a file"):
        read_records(tmp_path / "records.jsonl")


def test_a_line_is_added_whole_or_not_at_all(tmp_path):
    path = tmp_path / "log.txt"
    append_text(path, "one\n")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, before[1]))  # as if the disk were full after 10 bytes
    try:
        with pytest.raises(CannotWrite, match=r"log\.txt: cannot write to this file \(file too large\)"):
            append_text(path, "two, a long line\n")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    append_text(path, "three\n")
    assert path.read_text() == "one\nthree\n"
