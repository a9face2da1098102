"""Train NeRCo whole and without each of its parts, equally long, and compare: python -m benchmarks.reproduction.

Every variant is a run of train.py with the same steps, seed and images, measured on the same pairs. After an
interruption the same command goes on: what is finished is skipped. Flags that are not known here go to train.py.
"""

import argparse
import json
import subprocess
import sys
import time
from itertools import chain, islice, repeat
from pathlib import Path

from benchmarks.machine import describe
from data import create_dataset
from models import create_model
from models.enhancer import Enhancer
from models.losses.edges import EDGE_FILTERS
from options.train_options import TrainOptions
from util.device import select_device
from util.errors import WorkError, run_command
from util.files import make_folder, write_text
from util.image_io.finding import find_images
from util.image_io.reading import open_rgb
from util.image_io.references import References
from util.metrics.measurement import Measurement
from util.metrics.scores import means
from util.stages import PARTS

ROOT = Path(__file__).resolve().parents[1]
VARIANTS = {
    "whole": "",
    "with simulation": "--lambda_simulation 50",
    "without simulation": "--lambda_simulation 0",
    **{f"without {part}": "--no_text" if part == "text" else f"--ablate {part}" for part in PARTS},
    **{f"edge filter {name}": f"--edge_filter {name}" for name in EDGE_FILTERS},
    "recipe released": "--recipe released",
}
FIRST, TIMED = 3, 3  # steps of each variant: those that set things up (--cuda_graph records), those that are timed
TRAINING = 0.8  # of the budget; the rest is for starting, loading and measuring


def main():
    given, flags = _options()
    out = make_folder(Path(given.out))
    base = ["--dataroot", given.dataroot, "--checkpoints_dir", str(out), "--display_id", "0", *flags]
    variants = distinct(base)

    # How long each variant trains: worked out once, so that an interrupted comparison stays a fair one.
    results = out / "results.json"
    if results.exists():
        report = json.loads(results.read_text())
    else:
        report = {"machine": describe(select_device(variants["whole"].gpu_ids)), "flags": flags, "pairs": given.pairs}
        report |= plan(variants, given.budget) | {"variants": {}}
        write_text(results, json.dumps(report, indent=1) + "\n")
    if (report["flags"], report["pairs"]) != (flags, given.pairs):
        raise WorkError(f"{results}: was begun with other flags or pairs; choose another --out")

    # Train and measure one after another.
    seconds = report["seconds_per_step"]
    for number, (name, opt) in enumerate(variants.items(), 1):
        left = [report["steps"] * seconds[other] / 60 for other in variants if other not in report["variants"]]
        if name in report["variants"]:
            continue
        print(f"\n[{number}/{len(variants)}] {name}: {left[0]:.0f} min of training, {sum(left):.0f} min in all to go")
        train(opt.name, [*base, *VARIANTS[name].split()], report, out)
        report["variants"][name] = measure(out / opt.name, *given.pairs, ema=opt.ema > 0)
        write_text(results, json.dumps(report, indent=1) + "\n")
        write_text(out / "results.md", table(report) + "\n")
        print(f"\n{table(report)}")
    return 0


def _options():
    parser = argparse.ArgumentParser(prog="python -m benchmarks.reproduction", description=__doc__, allow_abbrev=False)
    parser.add_argument("--dataroot", required=True, metavar="DIR", help="holds trainA and trainB")
    parser.add_argument("--pairs", required=True, nargs=2, metavar=("LOW", "HIGH"), help="folders to measure on")
    parser.add_argument("--budget", type=float, default=60, metavar="MINUTES", help="for all variants together")
    parser.add_argument("--out", default="build/reproduction", metavar="DIR", help="where runs and results are kept")
    return parser.parse_known_args()


def distinct(base):
    """{variant: its options}, without those that are the same as an earlier one under the flags ``base``."""
    variants = {}
    for name, flags in VARIANTS.items():
        opt = TrainOptions().parse([*base, "--name", name.replace(" ", "_"), *flags.split()])
        if not any(_settings(opt) == _settings(other) for other in variants.values()):
            variants[name] = opt
    return variants


def _settings(opt):
    return {flag: value for flag, value in vars(opt).items() if flag not in ("name", "given")}


def plan(variants, minutes):
    """Time a few steps of each variant: how many steps of how many images fit into the budget."""
    seconds = {name: seconds_per_step(opt) for name, opt in variants.items()}
    opt = variants["whole"]
    images = len(create_dataset(opt))
    steps = max(1, int(TRAINING * 60 * minutes / sum(seconds.values())))
    used = min(images, steps * opt.batch_size)
    epochs = max(1, steps * opt.batch_size // images)
    steps = epochs * -(-used // opt.batch_size)
    print(f"{steps} steps for each of {len(variants)} variants: {epochs} epochs of {used} images")
    return {"steps": steps, "epochs": epochs, "images": used, "seconds_per_step": seconds}


def seconds_per_step(opt):
    data, model = create_dataset(opt), create_model(opt)
    model.setup(opt)
    data.start_epoch(1)
    batches = chain.from_iterable(repeat(data))  # over again where there are few
    for number, batch in enumerate(islice(batches, FIRST + TIMED)):
        if number == FIRST:
            start = time.perf_counter()
        model.set_input(batch)
        model.optimize_parameters()
        model.get_current_losses()  # waits for a GPU
    return (time.perf_counter() - start) / TIMED


def train(name, flags, report, out):
    """Run train.py, or go on with it: the first third of the epochs at the full rate, as in the paper."""
    epochs, seen = report["epochs"], report["epochs"] * report["images"]
    steady = -(-epochs // 3)
    length = ["--max_dataset_size", report["images"], "--n_epochs", steady, "--n_epochs_decay", epochs - steady]
    saving = ["--save_latest_freq", max(1, seen // 10), "--save_epoch_freq", epochs, "--keep_last", 1]
    showing = ["--print_freq", max(1, seen // 50), "--update_html_freq", max(1, seen // 4)]
    begun = (out / name / "latest_train_state.pth").exists()
    command = [sys.executable, ROOT / "train.py", *flags, "--name", name, *length, *saving, *showing]
    process = subprocess.Popen([*map(str, command), *["--continue_train"] * begun])
    try:
        status = process.wait()
    except KeyboardInterrupt:  # train.py has got it, too, and saves
        process.wait()
        raise
    if status:
        raise WorkError(f"{name}: train.py ended with status {status}; the same command goes on from here")


def measure(folder, low, high, ema):
    """Enhance the images of the folder ``low`` and compare them with those in ``high``: {metric: mean}."""
    paths = find_images(low)
    enhancer = Enhancer.from_checkpoint(folder, ema=ema)
    measurement = Measurement(References(high, paths, low), gt_mean=True)
    found = []
    for path in paths:
        image = open_rgb(path)
        values, problem = measurement.measure(path, image, enhancer.enhance(image))
        if problem:
            raise WorkError(problem)
        found.append(values)
    return means(measurement.metrics, found)


def table(report):
    """The report as Markdown."""
    machine = report["machine"]
    columns = {"psnr": "PSNR", "ssim": "SSIM", "psnr_gt_mean": "PSNR, GT mean", "ssim_gt_mean": "SSIM, GT mean"}
    lines = [
        f"Each variant: {report['steps']} steps ({report['epochs']} epochs of {report['images']} images), "
        f"`{' '.join(report['flags'])}`; {machine['machine']}, torch {machine['torch']}.",
        "",
        f"| variant | {' | '.join(columns.values())} | seconds a step |",
        "|---" * (len(columns) + 2) + "|",
    ]
    for name, values in report["variants"].items():
        figures = [f"{values[key]:.{2 if key.startswith('psnr') else 3}f}" for key in columns]
        lines.append(f"| {name} | {' | '.join(figures)} | {report['seconds_per_step'][name]:.2f} |")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(run_command(main, verbose="--verbose" in sys.argv))
