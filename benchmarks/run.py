"""Time, memory and the share of what the machine can do, in one table: python -m benchmarks.run [--device cuda].

On a CPU, every case is measured in processes of its own, several times in turn with the others of its size, each time
after a first call and between products of matrices, so that cases and the ceiling see the same machine. Ratios within
one run hold better than seconds on a machine that does other things, too. A GPU is seldom shared: there, one process
goes from case to case, the most important ones first, as far as the time allows.
"""

import argparse
import contextlib
import json
import math
import os
import signal
import statistics
import subprocess
import sys
import tempfile
from dataclasses import asdict
from itertools import groupby
from pathlib import Path
from threading import TIMEOUT_MAX, Timer
from time import perf_counter

os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import torch

from benchmarks.cases import NAIVE, SIZES, Case, cases, measure
from benchmarks.loading import measure_loading
from benchmarks.machine import ceilings, describe
from util.device import select_device
from util.files import write_text

GRACE = 15  # seconds


def main():
    start, given = perf_counter(), _options()
    device = select_device([0] if given.device == "cuda" else [])
    if given.these:
        _measure_these(given, device)
        return 0
    report = {"machine": describe(device), "ceilings": ceilings(device), "ngf": given.ngf, "batch": given.batch}
    report["cases"] = []
    if "training" in given.tasks:
        report["loading"] = measure_loading()
    todo = cases(given.tasks, device, given.quick)
    measured = _one_after_another if device.type == "cuda" else _in_groups
    for case, found in measured(todo, given, start + 60 * given.minutes):
        report["cases"].append(asdict(case) | found)
        print(f"{case.task} {case.width}x{case.height} {case.switches}: {_in_short(found)}", file=sys.stderr)
        _write(report, given.json)
    report["ceilings_after"] = ceilings(device)
    report["left_out"] = [asdict(case) for case in todo[len(report["cases"]) :]]
    _write(report, given.json)
    print(table(report))
    return 0


def _measure_these(given, device):
    """Measure cases in this process, a line each; the first that fails ends it, as nothing may work afterwards."""
    for case in json.loads(given.these):
        start = perf_counter()
        with contextlib.redirect_stdout(sys.stderr):
            found = measure(Case(**case), device, given.ngf, given.batch, given.repeats, given.count)
        print(json.dumps(found | {"cost": perf_counter() - start}), flush=True)


def _in_short(found):
    return ", ".join(f"{name} {found[name]:.4g}" for name in ("seconds", "rate", "cost") if name in found) or found


def _write(report, file):
    """Write what was measured so far: all figures, and beside them the table."""
    if file:
        write_text(Path(file), json.dumps(report, indent=1) + "\n")
        write_text(Path(file).with_suffix(".md"), table(report) + "\n")


def _options():
    parser = argparse.ArgumentParser(prog="python -m benchmarks.run", description="Measure time, memory and rates.")
    default = "cuda" if torch.cuda.is_available() else "cpu"
    parser.add_argument("--device", choices=["cpu", "cuda"], default=default, help="what to measure")
    parser.add_argument("--quick", action="store_true", help="the smallest sizes, nothing compiled")
    parser.add_argument("--tasks", nargs="+", choices=list(SIZES), default=list(SIZES), help="what to measure")
    parser.add_argument("--ngf", type=int, default=64, help="width of the networks")
    parser.add_argument("--batch", type=int, default=1, help="images per call")
    parser.add_argument("--repeats", type=int, default=3, help="rounds, of one call each that counts")
    parser.add_argument(
        "--minutes", type=float, default=math.inf, help="on a GPU: after that, no case is begun or goes on"
    )
    parser.add_argument("--json", metavar="FILE", help="also write all figures to this file, and the table beside it")
    parser.add_argument("--these", help=argparse.SUPPRESS)
    parser.add_argument("--count", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


def _size(case):
    return case.task, case.width, case.height


def _in_groups(todo, given, end):
    """Each case and what was measured, those of a size in turn; ``end`` does not count."""
    for _, group in groupby(todo, key=_size):
        yield from _in_turn(list(group), given)


def _one_after_another(todo, given, end):
    """Each case and what was measured, until the clock shows ``end``; after a failure a new process goes on."""
    todo = list(todo)
    while todo and perf_counter() < end:
        with tempfile.TemporaryFile("w+") as errors:
            with started(_command(todo, given, given.repeats, count=True), end, errors) as process:
                for line in process.stdout:
                    yield todo.pop(0), _summary([json.loads(line)])
            if process.returncode and perf_counter() < end:
                errors.seek(0)
                yield todo.pop(0), {"failed": _last_line(errors.read())}


@contextlib.contextmanager
def started(command, end, stderr, ended_by=signal.SIGKILL):
    """A process whose output is read line by line; when the clock shows ``end``, a signal ends it and what it started.

    Of tests, SIGINT: pytest then still says why some have failed, for which it has GRACE seconds.
    """

    def stop(by=signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, by)

    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=stderr, text=True, start_new_session=True)
    left = min(end - perf_counter(), TIMEOUT_MAX - GRACE)
    timers = Timer(left, stop, [ended_by]), Timer(left + GRACE, stop)
    for timer in timers:
        timer.start()
    try:
        yield process
        process.wait()
    finally:
        for timer in timers:
            timer.cancel()
        stop()
        process.wait()


def _in_turn(group, given):
    """[(case, what was measured)], each case once a round; compiled ones are compiled once, and run then."""
    found = {case: [] for case in group}
    for number in range(given.repeats):
        for case, measured in found.items():
            compiled = "--compile" in case.switches
            if number == 0 or not (compiled or "failed" in measured[0]):
                measured.append(_in_a_process(case, given, given.repeats if compiled else 1, count=number == 0))
    return [(case, _summary(measured)) for case, measured in found.items()]


def _in_a_process(case, given, repeats, count):
    done = subprocess.run(_command([case], given, repeats, count), capture_output=True, text=True)
    return {"failed": _last_line(done.stderr)} if done.returncode else json.loads(done.stdout)


def _command(these, given, repeats, count):
    """The command that measures some cases in a process of its own."""
    flags = ["--device", given.device, "--ngf", given.ngf, "--batch", given.batch, "--repeats", repeats]
    flags += ["--count"] if count else []
    these = json.dumps([asdict(case) for case in these])
    return [sys.executable, "-m", "benchmarks.run", *map(str, flags), "--these", these]


def _last_line(text):
    return (text.strip().splitlines() or ["no message"])[-1][:150]


def _summary(measured):
    """One of ``measure``'s reports of all rounds: its first call, the median of its others."""
    failed = next((one for one in measured if "failed" in one), None)
    if failed:
        return failed
    cost = sum(one["cost"] for one in measured)
    if "rate" in measured[0]:
        return {"rate": statistics.median(one["rate"] for one in measured), "cost": cost}
    calls = {name: [value for one in measured for value in one[name]] for name in ("seconds", "ceilings")}
    shares = [1 / (seconds * ceiling) for seconds, ceiling in zip(*calls.values(), strict=True)]
    memory = statistics.median(one["memory"] for one in measured)
    return measured[0] | {
        "seconds": statistics.median(calls["seconds"]),
        "memory": memory,
        "cost": cost,
        "share_of_one": statistics.median(shares),
        "calls": calls,
    }


def table(report):
    """The report as Markdown."""
    found = [report[when] for when in ("ceilings", "ceilings_after") if when in report]
    best = {name: max(one[name] for one in found) for name in found[0]}
    products = ", ".join(f"{rate / 1e9:.0f} in {name}" for name, rate in best.items() if name != "copy")
    machine = report["machine"]
    lines = [
        f"**{machine['machine']}, {machine['threads']} threads, torch {machine['torch']}**; ngf {report['ngf']}, "
        f"batch {report['batch']}. Ceilings: {products} GFLOP/s (matrix products), {best['copy'] / 1e9:.1f} GB/s "
        f"(copies), at their best moments.",
        "",
        "| task | size | switches | GMAC needed | done | GB moved | median | naive / this | of ceiling | peak memory | "
        "first call | cost |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    in_order = sorted(report["cases"], key=lambda case: (case["task"], case["width"]))
    for _, rows in groupby(in_order, key=lambda case: (case["task"], case["width"])):
        rows = list(rows)
        lines += [_row(case, rows) for case in rows if "rate" not in case]
    whole = [f"{case['rate']:.1f} with {case['switches'] or 'none'}" for case in report["cases"] if "rate" in case]
    if whole:
        lines += ["", f"The whole test.py at 600x400, images a second by switches: {', '.join(whole)}."]
    if report.get("left_out"):
        lines += ["", f"{len(report['left_out'])} cases were left out, as the time was up."]
    if "loading" in report:
        loading = report["loading"]
        lines += [
            "",
            f"Data loading alone: {loading['plain']:.0f} images a second, {loading['cached']:.0f} from memory.",
        ]
    return "\n".join(lines)


def _row(case, rows):
    start = [case["task"], f"{case['width']}x{case['height']}", case["switches"] or "none (fp32)"]
    if "failed" in case:
        return f"| {' | '.join(start)} | | | | failed: {case['failed']} | | | | | |"
    naive = next((row for row in rows if row["switches"] == NAIVE and "failed" not in row), None)
    plain = next((row for row in rows if row["switches"] == "" and "failed" not in row), None)
    counts = case if case["needed"] or not plain else plain  # compiled networks cannot be counted
    figures = [
        f"{counts['needed'] / 1e9:.0f}" if counts["needed"] else "",
        f"{case['done'] / 1e9:.0f}" if case["done"] else "",
        f"{case['bytes'] / 1e9:.1f}" if case["bytes"] else "",
        f"{case['seconds']:.3f} s",
        f"{naive['seconds'] / case['seconds']:.2f}" if naive else "",
        f"{2 * counts['needed'] * case['share_of_one']:.0%}" if counts["needed"] else "",
        f"{case['memory'] / 2**30:.2f} GiB",
        f"{case['first']:.1f} s",
        f"{case['cost']:.0f} s",
    ]
    return f"| {' | '.join(start + figures)} |"


if __name__ == "__main__":
    sys.exit(main())
