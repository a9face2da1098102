"""Running the real commands, as a user would."""

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
from functools import cache, partial

from prepared_process import ROOT, SECONDS


def run(script, *flags, cwd, env=None):
    """Run train.py or test.py in a folder of its own on the CPU; returns the finished process with its output.

    With ``env``, which Python may read when it starts, in a Python of its own; else in a copy of one that has started.
    """
    command = [str(ROOT / script), "--gpu_ids", "-1", *map(str, flags)]
    if env is not None:
        command, env = [sys.executable, *command], {**os.environ, **env}
        return subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, timeout=SECONDS)
    with tempfile.NamedTemporaryFile("r") as stdout, tempfile.NamedTemporaryFile("r") as stderr:
        process, files = prepared_process(), {"stdout": stdout.name, "stderr": stderr.name}
        request = {"argv": command, "cwd": str(cwd), "env": dict(os.environ), **files}
        process.stdin.write(json.dumps(request) + "\n")
        process.stdin.flush()
        return subprocess.CompletedProcess(command, int(process.stdout.readline()), stdout.read(), stderr.read())


@cache
def prepared_process():
    """The process of prepared_process.py: one for all commands of these tests; it ends with its standard input."""
    command = [sys.executable, str(ROOT / "tests" / "prepared_process.py")]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def open_to(number, command, **given):
    """Start a process that the signal ends even where the tests ignore it: in the background, under nohup."""
    listen = partial(signal.signal, number, signal.SIG_DFL)
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, preexec_fn=listen, **given)


def error_lines(process):
    """The lines on standard error, without those of progress bars."""
    return [line for line in process.stderr.splitlines() if line.strip() and not re.search(r"\d+/\d+ \[", line)]


def error_line(process):
    """The only line on standard error, apart from progress bars."""
    lines = error_lines(process)
    assert len(lines) == 1, process.stderr
    return lines[0]
