"""Prove and measure everything on a GPU in ten minutes: make gpu, or python -m benchmarks.gpu.

First the tests marked ``cuda``, then ``benchmarks.run``, the most important cases first, until the time is up. What was
found so far lies in the folder --out at any moment: tests.log, speed.json, and speed.md, the table of docs/speed.md.
"""

import argparse
import signal
import subprocess
import sys
from pathlib import Path
from time import perf_counter

import torch

from benchmarks.run import started
from util.files import make_folder

TESTED = "tests/models"  # where those marked cuda lie: others need packages that a bare machine lacks
FOR_TESTS = 0.5  # of the time, at most
RESERVE = 15  # seconds of it, for what comes last


def main():
    start = perf_counter()
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu", description="Prove and measure on a GPU.")
    parser.add_argument("--minutes", type=float, default=9.5, help="for all")
    parser.add_argument("--out", default="build/gpu", metavar="DIR", help="where the results are written")
    given = parser.parse_args()
    if not torch.cuda.is_available():
        print(f"no GPU found: nothing is tested or measured (torch {torch.__version__})", file=sys.stderr)
        return 2
    out = make_folder(Path(given.out).resolve())
    print(f"{torch.cuda.get_device_name(0)}, torch {torch.__version__}; results in {out}", flush=True)

    end = start + 60 * given.minutes
    tests = [sys.executable, "-u", "-m", "pytest", "-m", "cuda", TESTED, "-v", "--tb=short", "-p", "no:cacheprovider"]
    passed = _run(tests, start + 60 * given.minutes * FOR_TESTS, out / "tests.log", signal.SIGINT) == 0
    print(f"tests {'passed' if passed else 'FAILED'} after {perf_counter() - start:.0f} s; benchmark", flush=True)

    minutes = (end - RESERVE - perf_counter()) / 60
    flags = ["--device", "cuda", "--minutes", str(minutes), "--json", str(out / "speed.json")]
    measured = _run([sys.executable, "-u", "-m", "benchmarks.run", *flags], end, out / "speed.log") == 0
    print(f"{perf_counter() - start:.0f} s in all; figures: {out / 'speed.json'}; table: {out / 'speed.md'}")
    return 0 if passed and measured else 1


def _run(command, end, log, ended_by=signal.SIGKILL):
    """Run a command until the clock shows ``end``, its output shown and kept in a file; its status."""
    with log.open("w") as file, started(command, end, subprocess.STDOUT, ended_by) as process:
        for line in process.stdout:
            print(line, end="", flush=True)
            file.write(line)
            file.flush()
    return process.returncode


if __name__ == "__main__":
    sys.exit(main())
