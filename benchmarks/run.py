"""Time, memory and the share of what the machine can do, in one table: python -m benchmarks.run [--device cuda].

Every case is measured in a process of its own, by the median of several calls after a first one. Ratios within one
run hold better than seconds on a machine that does other things, too.
"""

import argparse
import json
import os
import subprocess
import sys
from dataclasses import asdict
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
        print(json.dumps(measure(Case(**json.loads(given.one)), device, given.ngf, given.batch, given.repeats)))
        return 0
    report = {"machine": describe(device), "ceilings": ceilings(device), "ngf": given.ngf, "batch": given.batch}
    report["cases"] = []
    for case in cases(given.tasks, device, given.quick):
        found = _in_a_process(case, given)
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
    parser.add_argument("--batch", type=int, default=1, help="pictures per call")
    parser.add_argument("--repeats", type=int, default=3, help="calls that count")
    parser.add_argument("--json", metavar="FILE", help="also write all figures to this file")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    return parser.parse_args()


def _in_a_process(case, given):
    flags = ["--device", given.device, "--ngf", given.ngf, "--batch", given.batch, "--repeats", given.repeats]
    command = [sys.executable, "-m", "benchmarks.run", *map(str, flags), "--one", json.dumps(asdict(case))]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        return {"failed": (done.stderr.strip().splitlines() or ["no message"])[-1]}
    return json.loads(done.stdout.splitlines()[-1])


def table(report):
    """The report as Markdown."""
    best = {name: max(report[when][name] for when in ("ceilings", "ceilings_after")) for name in report["ceilings"]}
    machine = report["machine"]
    lines = [
        f"**{machine['machine']}, {machine['threads']} threads, torch {machine['torch']}**; ngf {report['ngf']}, "
        f"batch {report['batch']}. Ceilings: {best['fp32'] / 1e9:.0f} GFLOP/s in fp32, {best['bf16'] / 1e9:.0f} in "
        f"bf16 (matrix products), {best['copy'] / 1e9:.1f} GB/s (copies).",
        "",
        "| task | size | switches | GMAC | GB moved | median | naive / this | of ceiling | peak memory | first call |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    groups = {}
    for case in report["cases"]:
        groups.setdefault((case["task"], case["width"], case["height"]), []).append(case)
    for rows in groups.values():
        lines += [_row(case, rows, best) for case in rows]
    if "loading" in report:
        loading = report["loading"]
        lines += [
            "",
            f"Data loading alone: {loading['plain']:.0f} pictures a second, {loading['cached']:.0f} from memory.",
        ]
    return "\n".join(lines)


def _row(case, rows, best):
    start = [case["task"], f"{case['width']}x{case['height']}", case["switches"] or "none (fp32)"]
    if "failed" in case:
        return f"| {' | '.join(start)} | | | failed: {case['failed']} | | | | |"
    naive = next((row for row in rows if row["switches"] == NAIVE and "failed" not in row), None)
    plain = next((row for row in rows if row["switches"] == "" and "failed" not in row), None)
    macs = case["macs"] or (plain["macs"] if plain else None)
    moved = case["bytes"] or (plain["bytes"] if plain else None)
    ceiling = best["bf16" if "16" in case["switches"] else "fp32"]
    figures = [
        f"{macs / 1e9:.0f}" if macs else "",
        f"{moved / 1e9:.1f}" if moved else "",
        f"{case['seconds']:.3f} s",
        f"{naive['seconds'] / case['seconds']:.2f}" if naive else "",
        f"{2 * macs / case['seconds'] / ceiling:.0%}" if macs else "",
        f"{case['memory'] / 2**30:.2f} GiB",
        f"{case['first']:.1f} s",
    ]
    return f"| {' | '.join(start + figures)} |"


if __name__ == "__main__":
    sys.exit(main())
