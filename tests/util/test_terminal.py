"""A command's streams and Ctrl-C, whatever is behind the streams: run_command in processes of their own."""

import os
import signal
import subprocess
import sys
import time

import pytest

from commands import ROOT

unix_only = pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")  # noqa: PTH110

COMMAND = """
import os, sys
from util.terminal import begin

begin()

from util.errors import UsageError, WorkError, run_command


def main():
    {body}


sys.exit(run_command(main, verbose="--verbose" in sys.argv))
"""


def command(body):
    return [sys.executable, "-c", COMMAND.format(body=body.replace("\n", "\n    "))]


def run(body, **settings):
    """The finished process of a command whose main is ``body``."""
    settings = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **settings}
    return subprocess.run(command(body), cwd=ROOT, timeout=60, encoding="utf-8", **settings)


def through_shell(body, redirection):
    """The same with a shell's redirection."""
    line = ["sh", "-c", f'exec "$@" {redirection}', "sh", *command(body)]
    return subprocess.run(line, cwd=ROOT, timeout=60, capture_output=True, encoding="utf-8")


def broken_pipe():
    """A pipe that nobody reads."""
    reading, writing = os.pipe()
    os.close(reading)
    return os.fdopen(writing, "w")


@pytest.mark.parametrize("encoding", ["cp1252", "gbk", "ascii", "cp1252:strict", "utf-8"])
def test_no_character_is_too_much_for_a_stream(encoding):
    body = 'text = "夜/█é/\\ud800"\nprint(text)\nprint(text, file=sys.stderr)\nprint("end")'
    done = subprocess.run(
        command(body), cwd=ROOT, timeout=60, capture_output=True, env={**os.environ, "PYTHONIOENCODING": encoding}
    )
    assert done.returncode == 0
    codec = encoding.partition(":")[0]
    text = "夜/█é/\ud800".encode(codec, "backslashreplace").decode(codec)
    assert done.stdout.decode(codec).splitlines() == [text, "end"]
    assert done.stderr.decode(codec).splitlines() == [text]


MANY_LINES = 'for n in range(5000): print("a line", n)\nprint("told", file=sys.stderr)'


@pytest.mark.parametrize("body", [MANY_LINES, 'print("held back to the end")\nprint("told", file=sys.stderr)'])
def test_a_pipe_whose_reader_has_left_is_one_line_and_no_failure(body):
    with broken_pipe() as pipe:
        done = run(body, stdout=pipe)
    assert done.returncode == 0
    assert sorted(done.stderr.splitlines()) == ["standard output: broken pipe; going on without it", "told"]


@unix_only
def test_output_that_is_lost_is_one_line_and_exit_status_1():
    done = through_shell(MANY_LINES, ">/dev/full")
    assert done.returncode == 1
    assert done.stderr.splitlines() == ["standard output: no space left on device; going on without it", "told"]
    done = through_shell('print("told", file=sys.stderr)\nprint("done")', "2>/dev/full")
    assert done.returncode == 1
    assert done.stdout.splitlines() == ["standard error: no space left on device; going on without it", "done"]


@unix_only
@pytest.mark.parametrize("redirection", [">/dev/full 2>/dev/full", ">&- 2>&-", ">&- 2>&- <&-", ">/dev/full 2>&-"])
def test_a_command_works_without_any_stream(tmp_path, redirection):
    file = tmp_path / "file"
    body = MANY_LINES + f'\nopen({str(file)!r}, "w").write("done")\nos.write(2, b"from a library")\nreturn 3'
    assert through_shell(body, redirection).returncode == 3
    assert file.read_text() == "done"


@unix_only
def test_a_closed_stream_is_not_taken_by_the_next_file(tmp_path):
    file = tmp_path / "file"
    body = f'with open({str(file)!r}, "w") as f:\n    f.write("done")\n    os.write(2, b"from a library")'
    done = through_shell(body + '\nprint("told", file=sys.stderr)\nraise WorkError("x")', "2>&-")
    assert (done.returncode, done.stdout) == (1, "") and file.read_text() == "done"


@pytest.mark.parametrize(
    "body, status, line",
    [
        ("return None", 0, ""),
        ("return 3", 3, ""),
        ("sys.exit()", 0, ""),
        ("sys.exit(2)", 2, ""),
        ('raise UsageError("--x: no")', 2, "error: --x: no\n"),
        ('raise WorkError("x: no")', 1, "error: x: no\n"),
        ("raise KeyboardInterrupt", 130, "interrupted\n"),
        ('raise OSError(28, "No space left on device", "a.csv")', 1, "error: a.csv: no space left on device\n"),
        ('raise OSError(5, "Input/output error")', 1, "error: input/output error\n"),
    ],
)
def test_ends_of_a_command(body, status, line):
    done = run(body)
    assert (done.returncode, done.stdout, done.stderr) == (status, "", line)


def test_an_error_of_the_program_keeps_its_traceback():
    done = run('raise OSError("cannot identify this")')
    assert done.returncode == 1 and done.stderr.splitlines()[-1] == "OSError: cannot identify this"
    assert "Traceback" in done.stderr


WAITING = 'print("here", flush=True)\nimport time\ntime.sleep(60)'


@unix_only
@pytest.mark.parametrize("where, said", [("import", ""), ("main", "interrupted\n"), ("exit", "")])
def test_ctrl_c_is_130_wherever_it_comes(where, said):
    code = COMMAND.format(body={"main": WAITING}.get(where, "return 0").replace("\n", "\n    "))
    if where == "import":
        code = code.replace("from util.errors", f"{WAITING}\nfrom util.errors")
    if where == "exit":
        code = code.replace(
            "from util.errors", f"import atexit\natexit.register(lambda: exec({WAITING!r}))\nfrom util.errors"
        )
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # a shell's & leaves it ignored
    )
    assert process.stdout.readline() == "here\n"
    time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=60) == ("", said)
    assert process.returncode == 130


@unix_only
def test_ctrl_c_stays_ignored_in_the_background():
    body = "import signal\nos.kill(os.getpid(), signal.SIGINT)\nreturn 4"
    done = subprocess.run(
        command(body), cwd=ROOT, timeout=60, preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN)
    )
    assert done.returncode == 4
