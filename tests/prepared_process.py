"""A process that has imported the commands, and runs each in a copy of itself: their imports alone take seconds.

It reads requests from standard input, a line of JSON each, {"argv", "cwd", "env", "stdout", "stderr"}, the last two as
files, and answers each with the exit status.
"""

import json
import os
import runpy
import signal
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
SECONDS = 600  # after which a command is given up


def main():
    sys.path[0] = str(ROOT)
    for script in ("train.py", "test.py"):
        runpy.run_path(str(ROOT / script), run_name="imported")
    while line := sys.stdin.readline():
        copy = os.fork()
        if copy == 0:
            become(json.loads(line))
            return  # and end as Python always does
        _, status = os.waitpid(copy, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


def become(request):
    """Run a command in this process."""
    signal.alarm(SECONDS)
    os.environ.clear()
    os.environ.update(request["env"])
    os.chdir(request["cwd"])
    for file, number in ((os.devnull, 0), (request["stdout"], 1), (request["stderr"], 2)):
        opened = os.open(file, os.O_RDWR)
        os.dup2(opened, number)
        os.close(opened)
    sys.argv = request["argv"]
    runpy.run_path(sys.argv[0], run_name="__main__")


if __name__ == "__main__":
    main()
