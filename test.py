"""Enhance images: python test.py --dataroot ./dataset --name demo (--help lists the flags)."""

from util.terminal import begin

if __name__ == "__main__":
    begin()  # the imports below take seconds: until they are done, Ctrl-C ends all in silence

import os
import sys
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from statistics import mean
from time import perf_counter

# Threads that wait by spinning slow each other down wherever cores are shared; read when torch is loaded.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import torch
from tqdm import tqdm

from data import create_dataset
from models.enhancer import Enhancer
from models.inference.export import SUFFIXES, export_enhancer
from models.inference.runner import Inference
from models.inference.video import enhance_video, is_video
from options.base_options import check_architecture
from options.test_options import TestOptions
from util import distributed
from util.device import Stopwatch, device_name, select_device
from util.errors import WorkError, run_command
from util.files import make_folder
from util.image_io.finding import results_folder
from util.image_io.references import References
from util.metrics.measurement import Measurement
from util.precision import precision_name, usable_amp
from util.results.kept import weights_hash
from util.results.output_folder import OutputFolder, WrittenFiles
from util.results.results import Results
from util.run_lock import run_lock


def main():
    opt = TestOptions().parse()
    with distributed.processes(opt), ExitStack() as stack:  # torchrun's processes share the images out
        return run(opt, stack)


def run(opt, stack):
    """Enhance the images; returns the exit status."""
    # Images, weights.
    weights, device = Path(opt.checkpoints_dir) / opt.name, select_device(opt.gpu_ids)
    opt.amp = usable_amp(opt.amp, device, opt.force_amp)
    images = None if opt.export or is_video(opt.dataroot) else create_dataset(opt)
    enhancer = Enhancer.from_checkpoint(weights, opt.epoch, device, opt.ema)
    check_architecture(opt, enhancer.options, opt.name)
    if opt.verbose:
        print(enhancer)
    if opt.export:
        print(export_enhancer(enhancer, opt.export, weights / f"{opt.epoch}_enhancer{SUFFIXES[opt.export]}"))
        return 0

    # How images are computed and measured, and where the results go.
    fingerprint = weights_hash(enhancer)  # as they were loaded
    layout = opt.channels_last or device.type == "cpu"
    inference = Inference(enhancer, opt.amp, layout, opt.compile, opt.tile, say=tqdm.write)
    if images is None:
        return video(opt, inference)
    references = References(opt.reference, images.paths, images.root) if opt.reference else None
    if opt.output_dir:
        measurement, results = None, OutputFolder(opt, images, fingerprint)
    else:
        measurement = Measurement(references, opt.gt_mean, device)
        results = Results(opt, results_folder(opt), images, measurement, fingerprint)
        if distributed.is_main():
            stack.enter_context(run_lock(results.folder, "enhancement", "--results_dir"))
    told = measurement and (opt.reference or opt.verbose)
    for notice in [*images.notices, *(measurement.notices if told else [])]:
        print(notice)

    # With --skip_existing, results that are there are kept.
    missing = distributed.from_first(results.missing() if distributed.is_main() else None)
    missing = missing[distributed.rank() :: distributed.world_size()]
    for notice in results.notices:
        print(notice)

    # Batch by batch; an image that fails does not stop the others, and an interrupted run leaves a page, too.
    start = perf_counter()
    try:
        with tqdm(total=len(missing), unit="image", dynamic_ncols=True, disable=not distributed.is_main()) as bar:
            for batch in images.batches(missing, opt.batch_size):
                enhance(inference, batch, results)
                bar.update(len(batch))
        results.gather()
    finally:
        results.wait()
        facts = describe(opt, enhancer, device, results, perf_counter() - start)
        failed, unmeasured, unwritten = results.finish(f"{opt.name}: low light enhanced", facts, opt.display_winsize)
    if not distributed.is_main():
        return 0

    # What went wrong, and last of all the page's address.
    for problems, what in ((failed, "failed"), (unmeasured, "could not be measured")):
        for problem in problems:
            print(f"error: {problem}", file=sys.stderr)
        if problems:
            print(f"{len(problems)} of {len(images)} images {what}", file=sys.stderr)
    for problem in [*images.unreadable, *unwritten]:
        print(f"error: {problem}", file=sys.stderr)
    page = (results.folder / "index.html").resolve()
    if opt.output_dir:
        print(results.folder.resolve())
    elif page.exists():
        print(page)
    return 1 if failed or unmeasured or images.unreadable or unwritten else 0


def video(opt, inference):
    """Enhance the video that --dataroot names."""
    source, folder = Path(opt.dataroot), make_folder(results_folder(opt))
    target = folder / f"{source.stem}{'' if opt.output_dir else '_fake_B'}.mp4"
    written = WrittenFiles(folder, opt.overwrite) if opt.output_dir else None
    if written:
        written.check([target], [source])
    start = perf_counter()
    frames, problem, status = enhance_video(inference, source, target, opt.strength, opt.num_threads)
    if written:
        written.note(target, {})
    print(f"{frames} frames, {(perf_counter() - start) / max(frames, 1):.2f} s a frame")
    if problem:
        print(problem, file=sys.stderr)
    print(target.resolve())
    return status


def enhance(inference, batch, results):
    """Enhance the images of one batch and hand them on to be written; or the one image that could not be read."""
    if "error" in batch[0]:
        results.fail(batch[0], batch[0]["error"])
        return
    clock = Stopwatch(inference.device)
    try:
        enhanced, pre, mask = inference(torch.cat([sample["A"] for sample in batch]))
    except WorkError as error:
        for sample in batch:
            results.fail(sample, f"{sample['A_paths'][0]}: {error}")
        return
    clock.stop()
    for number, sample in enumerate(batch):
        stages = {"fake_B": enhanced[number], "pre_A": pre[number], "mask": mask[number]}
        results.add(sample, stages, lambda: clock.seconds() / len(batch))


def describe(opt, enhancer, device, results, spent):
    """The facts of a run for its page, {label: text}."""
    built, stored = enhancer.options, enhancer.stored or {"recipe": "released (weights of the authors)"}
    ablated = f", without {', '.join(built['ablate'])}" if built["ablate"] else ""
    processes = [f"{distributed.world_size()} processes"] if distributed.world_size() > 1 else []
    switches = [f"--{name}" for name in ("channels_last", "compile") if getattr(opt, name)]
    pace = f", in the networks {mean(results.seconds):.2f} s an image" if results.seconds else ""
    return {
        "weights": f"{opt.name} {opt.epoch}{' (averaged)' if opt.ema else ''}",
        "networks": f"{built['netG']}, ngf {built['ngf']}, {built['norm']} norm{ablated}",
        "recipe": stored["recipe"],
        "images": f"{len(results.images)} from {opt.dataroot}",
        "time": f"{spent:.1f} s{pace}",
        "device": ", ".join([*processes, device_name(device), precision_name(opt.amp, device), *switches]),
        "date": datetime.now().strftime("%Y-%m-%d %H:%M"),
    }


if __name__ == "__main__":
    sys.exit(run_command(main, verbose="--verbose" in sys.argv))
