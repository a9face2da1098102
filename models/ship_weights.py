"""Weights to pass on: python -m models.ship_weights saves/my_run saves/shared (--help lists the flags).

From a run's folder, the networks that enhancing needs go in half precision into a folder of their own, under
the names of a release, with the options that built them and the record of training. Nothing is written before the
new folder has been loaded and has given the same images as the run itself, to one gray level.
"""

import argparse
import shutil
import sys
from argparse import Namespace
from functools import partial
from pathlib import Path, PureWindowsPath
from tempfile import TemporaryDirectory

import numpy as np

from data.demo_dataset import dark_photographs
from models.ablation import adapted
from models.enhancer import Enhancer
from models.inference.runner import Inference
from util.checkpoint import OPTIONS_JSON, OPTIONS_TXT, cpu_state_dict, net_file, read_options, save_options
from util.device import select_device
from util.errors import UsageError, WorkError, run_command
from util.files import make_folder, write_set
from util.image_io.finding import find_images
from util.image_io.reading import open_rgb
from util.image_io.tensors import to_levels, to_tensor
from util.tensor_files import write_tensors

TOLERANCE = 1  # gray levels of 255: what rounding may do to a value that lies between two
RECORDS = ("loss_log.txt", "losses.jsonl", "validation.jsonl")  # of training, as far as it wrote them

# Options about the machine and the call rather than the weights. Who loads the weights brings values of their own:
# test.py and Enhancer read none of these, and --continue_train would take them from its own command line or default.
LEFT_BEHIND = {
    *("checkpoints_dir", "suffix", "continue_train", "epoch", "load_iter", "dry_run", "verbose", "isTrain"),
    *("gpu_ids", "num_threads", "compile", "display_id", "display_server", "display_env", "display_port"),
    "tensorboard",
}


def ship(run, target, images, epoch="latest", ema=False, blend=None):
    """Fill a folder with a run's weights in half precision.

    Args:
        run: the folder that train.py wrote; it is only read.
        target: the folder to fill. Other files in it, such as a model card, stay.
        images: iterable of low-light PIL images, RGB, that both precisions are compared on.
        epoch: which weights: ``latest``, ``best``, a number, or ``iter_N``. In the new folder they are ``latest``.
        ema: whether the averaged weights are taken. In the new folder they are the ordinary ones.
        blend: (folder, share): what the run started from, and its share from 0 to 1 in the mean of both weights.

    Returns:
        The greatest difference between the 8-bit results of both precisions, in gray levels.

    Raises:
        WorkError: a file is missing or damaged, the results differ by more than TOLERANCE or are not finite, or
            the target is a folder to train in or cannot be written. It is then left as it was.
    """
    run, target = Path(run), Path(target)
    _check_target(run, target)
    options = _options(run)
    device = select_device([])  # the reference: no GPU rounds in ways of its own
    enhancer = Enhancer.from_checkpoint(run, epoch, device, ema)
    share = ""
    if blend:
        _blend(enhancer, *blend)
        share = f", {blend[1]:g} of {Path(blend[0]).name}"
    options.update(name=target.resolve().name, weights=f"epoch {epoch}{', averaged' if ema else ''}{share}, float16")
    with TemporaryDirectory() as folder:
        prepared = Path(folder)
        _prepare(prepared, run, enhancer, options)
        difference = compare(enhancer, Enhancer.from_checkpoint(prepared, device=device), images)
        files = {file.name: partial(shutil.copyfile, file) for file in sorted(prepared.iterdir())}
        write_set(make_folder(target), "latest", files)
    return difference


def _blend(enhancer, folder, share):
    """Mix a share of the weights of another folder into an enhancer; what that folder does not have stays as it is."""
    blended = Enhancer.from_checkpoint(folder, device=select_device([]))
    networks, both = enhancer.networks(), (enhancer.options, blended.options)
    for name, network in blended.networks().items():
        if name not in networks:
            continue
        own, other = networks[name].state_dict(), adapted(name, network.state_dict(), *both)
        if {key: value.shape for key, value in own.items()} != {key: value.shape for key, value in other.items()}:
            built = "--netG {netG} --ngf {ngf} --norm {norm}".format
            theirs, ours = built(**blended.options), built(**enhancer.options)
            raise WorkError(f"{folder}: its {name} is built by {theirs}, the run's by {ours}: they cannot be averaged")
        for key, value in own.items():
            if value.is_floating_point():
                value.lerp_(other[key], share)


def _prepare(folder, run, enhancer, options):
    """Write to an empty folder what is going to be shipped."""
    try:
        for net, network in enhancer.networks().items():
            write_tensors(half(cpu_state_dict(network)), folder / net_file("latest", net))
        save_options(folder, Namespace(**options, given=_typed(run)))
        for record in RECORDS:
            if (run / record).is_file():
                shutil.copyfile(run / record, folder / record)
    except OSError as error:
        raise WorkError(f"{run}: cannot be copied ({error})") from error


def half(state):
    """A state dict with its floating tensors in float16; whole numbers, such as counts of batches, stay.

    Raises:
        WorkError: a value is too large for float16.
    """
    halved = {key: value.half() if value.is_floating_point() else value for key, value in state.items()}
    for key, value in halved.items():
        if not value.isfinite().all():
            raise WorkError(f"{key}: in half precision the result is not finite; nothing written")
    return halved


def compare(full, halved, images):
    """The greatest difference between what two enhancers make of some images.

    Args:
        full, halved: ``Enhancer``s on the CPU.
        images: iterable of PIL images, RGB.

    Returns:
        Gray levels of 8 bits.

    Raises:
        WorkError: it is more than TOLERANCE, or a result holds values that are not finite.
    """
    greatest = 0
    enhance = [Inference(full), Inference(halved)]
    for number, image in enumerate(images, 1):
        results = [inference(to_tensor(image)[None])[0][0] for inference in enhance]
        for result, precision in zip(results, ("full", "half"), strict=True):
            if not result.isfinite().all():
                raise WorkError(f"image {number}: in {precision} precision the result is not finite; nothing written")
        levels = [to_levels(result).astype(int) for result in results]
        greatest = max(greatest, int(np.abs(levels[0] - levels[1]).max()))
    if greatest > TOLERANCE:
        raise WorkError(
            f"half precision changes the results by up to {greatest} gray levels, {TOLERANCE} is accepted; "
            "nothing written: these weights need full precision"
        )
    return greatest


def _check_target(run, target):
    """Refuse a run that is not there, and a target that holds weights, or the record of a training."""
    if not run.is_dir():
        raise WorkError(f"{run}: no such folder; name one that train.py wrote")
    if not target.name or target.resolve() == run.resolve():
        raise WorkError(f"{target}: the new folder needs a place of its own, for example saves/shared")
    held = [*target.glob("*_net_*.pth"), *target.glob("*_train_state.pth")]
    held += [path for name in (OPTIONS_JSON, OPTIONS_TXT, *RECORDS) if (path := target / name).exists()]
    if held:
        raise WorkError(f"{target}: holds {min(held).name} already; move it away, or choose another folder")


def _options(run):
    """The options that are to travel, {flag: value}."""
    stored = read_options(run)
    if stored is None:
        raise WorkError(f"{run}: has no train_opt.json; name a folder that train.py wrote")
    dataroot = stored.get("dataroot")
    return {flag: _anywhere(value, dataroot) for flag, value in stored.items() if flag not in LEFT_BEHIND}


def _anywhere(value, dataroot):
    """An option's value without places of one machine: a path below the data set as seen from there, others' names.

    What is no path from a root, a home or a parent folder is returned as it is.
    """
    if isinstance(value, list):
        return [_anywhere(one, dataroot) for one in value]
    if not isinstance(value, str):
        return value
    path = PureWindowsPath(value)  # reads both kinds of slashes
    if not (path.root or path.drive or value.startswith("~") or ".." in path.parts):
        return value
    if dataroot and value != dataroot and path.is_relative_to(dataroot):
        return path.relative_to(dataroot).as_posix()
    return path.name


def _typed(run):
    """The flags that train_opt.txt marks as typed; none where it cannot be read."""
    try:
        lines = (run / OPTIONS_TXT).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return set()
    return {line.partition(" = ")[0] for line in lines if line.endswith("(given)")}


def _images(folder):
    """Low-light images for the comparison: those of a folder, or the bundled ones."""
    if folder is None:
        return [image for _, image in dark_photographs(seed=0)]
    return map(open_rgb, find_images(folder))


def _share(text):
    try:
        share = float(text)
    except ValueError:
        share = -1
    if not 0 <= share <= 1:
        raise UsageError(f"--blend DIR {text}: the share is a number from 0 to 1")
    return share


def main():
    """Run the command on `sys.argv`; return its exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m models.ship_weights",
        description="Make a folder of weights to pass on, in half precision, from the folder of a run.",
    )
    parser.add_argument("run", help="folder that train.py wrote")
    parser.add_argument("target", help="folder of the shipped weights; made where missing")
    parser.add_argument("--epoch", default="latest", help="latest, best, a number, or iter_N (default: %(default)s)")
    parser.add_argument("--ema", action="store_true", help="take the averaged weights")
    parser.add_argument(
        "--blend",
        nargs=2,
        metavar=("DIR", "SHARE"),
        help="average with these weights, of which SHARE (0 to 1) is taken",
    )
    parser.add_argument("--pictures", metavar="DIR", help="compare on these images (default: bundled photographs)")
    parser.add_argument("--verbose", action="store_true", help="print the traceback of an error, too")
    arguments = parser.parse_args()

    def make():
        for path in (arguments.run, arguments.target, arguments.pictures):
            if path == "":
                raise UsageError("a folder has an empty name; name one, for example saves/shared")
        images, blend = _images(arguments.pictures), arguments.blend
        if blend:
            blend = blend[0], _share(blend[1])
        difference = ship(arguments.run, arguments.target, images, arguments.epoch, arguments.ema, blend)
        megabytes = sum(file.stat().st_size for file in Path(arguments.target).glob("*.pth")) / 1e6
        print(f"{arguments.target}: {megabytes:.1f} MB; differs from full precision by {difference}/255 at most")

    return run_command(make, arguments.verbose)


if __name__ == "__main__":
    sys.exit(main())
