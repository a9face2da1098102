"""Time, memory and the share of what the machine can do, in one table: python -m benchmarks.run [--device cuda].

Every case is measured in processes of its own, several times in turn with the others of its size, each time after a
first call and between products of matrices, so that cases and the ceiling see the same machine. Ratios within one run
hold better than seconds on a machine that does other things, too.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
from dataclasses import asdict
from itertools import groupby
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import torch

from benchmarks.cases import NAIVE, SIZES, Case, cases, measure
from benchmarks.loading import measure_loading
from benchmarks.machine import ceilings, describe
from util.device import select_device


def main():
    given = _options()
    device = select_device([0] if given.device == "cuda" else [])
    if given.one:
        case = Case(**json.loads(given.one))
        print(json.dumps(measure(case, device, given.ngf, given.batch, given.repeats, given.count)))
        return 0
    report = {"machine": describe(device), "ceilings": ceilings(device), "ngf": given.ngf, "batch": given.batch}
    report["cases"] = []
    for _, group in groupby(cases(given.tasks, device, given.quick), key=_size):
        for case, found in _in_turn(list(group), given):
            report["cases"].append(asdict(case) | found)
            print(f"{case.task} {case.width}x{case.height} {case.switches}: {found}", file=sys.stderr)
    report["ceilings_after"] = ceilings(device)
    if "training" in given.tasks:
        report["loading"] = measure_loading()
    print(table(report))
    if given.json:
        Path(given.json).write_text(json.dumps(report, indent=1) + "\n")
    return 0


def _options():
    parser = argparse.ArgumentParser(prog="python -m benchmarks.run", description="Measure time, memory and rates.")
    default = "cuda" if torch.cuda.is_available() else "cpu"
    parser.add_argument("--device", choices=["cpu", "cuda"], default=default, help="what to measure")
    parser.add_argument("--quick", action="store_true", help="the smallest sizes, nothing compiled")
    parser.add_argument("--tasks", nargs="+", choices=list(SIZES), default=list(SIZES), help="what to measure")
    parser.add_argument("--ngf", type=int, default=64, help="width of the networks")
    parser.add_argument("--batch", type=int, default=1, help="images per call")
    parser.add_argument("--repeats", type=int, default=3, help="rounds, of one call each that counts")
    parser.add_argument("--json", metavar="FILE", help="also write all figures to this file")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    parser.add_argument("--count", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


def _size(case):
    return case.task, case.width, case.height


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
    flags = ["--device", given.device, "--ngf", given.ngf, "--batch", given.batch, "--repeats", repeats]
    flags += ["--count"] if count else []
    command = [sys.executable, "-m", "benchmarks.run", *map(str, flags), "--one", json.dumps(asdict(case))]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        return {"failed": (done.stderr.strip().splitlines() or ["no message"])[-1]}
    return json.loads(done.stdout.splitlines()[-1])


def _summary(measured):
    """One of ``measure``'s reports of all rounds: its first call, the median of its others."""
    failed = next((one for one in measured if "failed" in one), None)
    if failed:
        return failed
    calls = {name: [value for one in measured for value in one[name]] for name in ("seconds", "ceilings")}
    shares = [1 / (seconds * ceiling) for seconds, ceiling in zip(*calls.values(), strict=True)]
    memory = statistics.median(one["memory"] for one in measured)
    return measured[0] | {
        "seconds": statistics.median(calls["seconds"]),
        "memory": memory,
        "share_of_one": statistics.median(shares),
        "calls": calls,
    }


def table(report):
    """The report as Markdown."""
    best = {name: max(report[when][name] for when in ("ceilings", "ceilings_after")) for name in report["ceilings"]}
    machine = report["machine"]
    lines = [
        f"**{machine['machine']}, {machine['threads']} threads, torch {machine['torch']}**; ngf {report['ngf']}, "
        f"batch {report['batch']}. Ceilings: {best['fp32'] / 1e9:.0f} GFLOP/s in fp32, {best['bf16'] / 1e9:.0f} in "
        f"bf16 (matrix products), {best['copy'] / 1e9:.1f} GB/s (copies), at their best moments.",
        "",
        "| task | size | switches | GMAC needed | done | GB moved | median | naive / this | of ceiling | peak memory | "
        "first call |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for _, rows in groupby(report["cases"], key=lambda case: (case["task"], case["width"], case["height"])):
        rows = list(rows)
        lines += [_row(case, rows) for case in rows]
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
        return f"| {' | '.join(start)} | | | | failed: {case['failed']} | | | | |"
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
    ]
    return f"| {' | '.join(start + figures)} |"


if __name__ == "__main__":
    sys.exit(main())
