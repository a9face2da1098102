"""The commands that train.py advises at its end: they work as they are printed."""

import os
import shlex

from util.distributed import launched
from util.image_io.finding import domain_folders

# Flags of a call that a run which goes on needs again, where they were typed.
AGAIN = ("gpu_ids", "num_threads", "compile")


def how_to_go_on(opt):
    """The command that continues this run; every other flag was stored with it."""
    words = ["python", "train.py"]
    if launched():
        here, all_of_them = (int(os.environ[name]) for name in ("LOCAL_WORLD_SIZE", "WORLD_SIZE"))
        nodes = [f"--nnodes={all_of_them // here}"] if all_of_them > here else []  # and torchrun's flags of each host
        words = ["torchrun", *nodes, f"--nproc_per_node={here}", "train.py"]
    words += ["--dataroot", opt.dataroot, *_named(opt), "--continue_train"]
    for flag in AGAIN:
        if flag in opt.given:
            words += _typed(flag, opt.given[flag])
    return shlex.join(map(str, words))


def how_to_enhance(opt):
    """The command that enhances images with this run's weights: those to test on, or those it was trained on."""
    trained_on, _ = domain_folders(opt)
    tested = trained_on.with_name(f"test{trained_on.name.removeprefix(opt.phase)}").is_dir()
    words = ["python", "test.py", "--dataroot", opt.dataroot if tested else trained_on, *_named(opt)]
    if tested and opt.direction != "AtoB":
        words += ["--direction", opt.direction]
    if opt.gpu_ids == [] and "gpu_ids" in opt.given:
        words += _typed("gpu_ids", [])
    return shlex.join(map(str, words))


def _named(opt):
    words = ["--name", opt.name]
    return words + ["--checkpoints_dir", opt.checkpoints_dir] * (opt.checkpoints_dir != "./saves")


def _typed(flag, value):
    if value is True:
        return [f"--{flag}"]
    if isinstance(value, list):
        value = ",".join(map(str, value)) or "-1"
    return [f"--{flag}", value]
