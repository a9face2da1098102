"""Time and memory of a training step, with each switch on and off.

    python -m benchmarks.training_step [--device cuda] [--crop 128 256] [--batch 1] [--ngf 64]

Each line is measured in a process of its own: the median of several steps after a warm-up, and the peak of
memory. Ratios are to the first line.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time

SWITCHES = (
    [],
    ["--channels_last"],
    ["--checkpoint_activations"],
    ["--amp", "bf16"],
    ["--amp", "bf16", "--channels_last"],
    ["--amp", "bf16", "--checkpoint_activations"],
    ["--amp", "fp16"],
    ["--compile"],
    ["--amp", "bf16", "--channels_last", "--compile"],
)


def measure(device, crop, batch, ngf, steps, switches):
    """One line in this process: {"seconds": median of a step, "warm_up": of the first one, "memory": peak, bytes}."""
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    import resource

    import torch

    from models import create_model
    from options.train_options import TrainOptions

    size = ["--load_size", str(crop), "--crop_size", str(crop), "--ngf", str(ngf), "--ndf", str(ngf)]
    gpu = ["--gpu_ids", "0" if device == "cuda" else "-1"]
    model = create_model(TrainOptions().parse(["--dataroot", ".", "--name", "b", "--no_text", *size, *gpu, *switches]))
    low, normal = torch.rand(2, batch, 3, crop, crop) * 2 - 1
    bare = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024  # the process with its networks
    model.set_input({"A": low, "B": normal, "A_paths": ["a"], "B_paths": ["b"]})

    def step():
        start = time.perf_counter()
        model.optimize_parameters()
        if device == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter() - start

    warm_up = step()
    step()
    seconds = statistics.median(step() for _ in range(steps))
    on_gpu = device == "cuda" and torch.cuda.max_memory_allocated()
    memory = on_gpu or resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 - bare
    return {"seconds": seconds, "warm_up": warm_up, "memory": memory}


def table(rows, title):
    """A Markdown table of measured lines [(switches, result or None)]."""
    lines = [f"**{title}**", "", "| switches | step | ratio | peak memory | first step |", "|---|---|---|---|---|"]
    reference = rows[0][1]
    for switches, found in rows:
        name = " ".join(switches) or "none (fp32)"
        if found is None:
            lines.append(f"| {name} | failed | | | |")
            continue
        ratio = found["seconds"] / reference["seconds"]
        memory = f"{found['memory'] / 2**30:.2f} GiB"
        lines.append(f"| {name} | {found['seconds']:.3f} s | {ratio:.2f} | {memory} | {found['warm_up']:.1f} s |")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(prog="python -m benchmarks.training_step", description="Time a training step.")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu", help="what to measure")
    parser.add_argument("--crop", type=int, nargs="+", default=[128], help="sides of the pictures, pixels")
    parser.add_argument("--batch", type=int, default=1, help="pictures per step")
    parser.add_argument("--ngf", type=int, default=64, help="width of generators and discriminators")
    parser.add_argument("--steps", type=int, default=5, help="steps that count")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        print(
            json.dumps(measure(given.device, given.crop[0], given.batch, given.ngf, given.steps, json.loads(given.one)))
        )
        return 0
    for crop in given.crop:
        rows = []
        for switches in SWITCHES:
            shape = ["--device", given.device, "--crop", crop, "--batch", given.batch, "--ngf", given.ngf]
            command = [sys.executable, "-m", "benchmarks.training_step", *shape, "--steps", given.steps, "--one"]
            done = subprocess.run([*map(str, command), json.dumps(switches)], capture_output=True, text=True)
            rows.append((switches, json.loads(done.stdout.splitlines()[-1]) if done.returncode == 0 else None))
            print(rows[-1], file=sys.stderr)
        title = f"{crop}x{crop}, batch {given.batch}, ngf {given.ngf}, {_machine(given.device)}"
        print(table(rows, title) + "\n")
    return 0


def _machine(device):
    import torch

    name = torch.cuda.get_device_name() if device == "cuda" else f"{os.cpu_count()} cores {platform.machine()}"
    return f"{name}, torch {torch.__version__}"


if __name__ == "__main__":
    sys.exit(main())
