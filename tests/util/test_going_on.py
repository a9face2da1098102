"""What cannot be written is told once, and does not end a training."""

import pytest

from util.files import append_text
from util.going_on import going_on


def test_it_is_told_once(tmp_path, capsys):
    for _ in range(3):
        with going_on("not logged: ") as went:
            append_text(tmp_path / "none" / "log.txt", "line")
        assert not went.well
    with going_on() as went:
        append_text(tmp_path / "log.txt", "line")
    assert went.well
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith(f"warning: not logged: {tmp_path / 'none' / 'log.txt'}: cannot write to this file (no such")


def test_other_errors_end_it():
    with pytest.raises(ZeroDivisionError), going_on():
        _ = 1 // 0
