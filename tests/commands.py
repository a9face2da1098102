"""Running the real commands, as a user would."""

import os
import re
import subprocess
import sys
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


def error_lines(process):
    """The lines on standard error, without those of progress bars."""
    return [line for line in process.stderr.splitlines() if line.strip() and not re.search(r"\d+/\d+ \[", line)]


def error_line(process):
    """The only line on standard error, apart from progress bars."""
    lines = error_lines(process)
    assert len(lines) == 1, process.stderr
    return lines[0]
