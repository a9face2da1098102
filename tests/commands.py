"""Running the real commands, as a user would."""

import os
import re
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

ROOT = Path(__file__).parent.parent


def run(script, *flags, cwd, env=None):
    """Run train.py or test.py in a folder of its own on the CPU; returns the finished process with its output."""
    return subprocess.run(
        [sys.executable, str(ROOT / script), "--gpu_ids", "-1", *map(str, flags)],
        cwd=cwd,
        env={**os.environ, **(env or {})},
        capture_output=True,
        text=True,
        timeout=600,
    )


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
