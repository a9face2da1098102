"""Checking all that a training run needs, and printing its plan, without changing anything (--dry_run)."""

import argparse
import contextlib
import importlib.util
import os
import shutil
import sys
import tempfile
from pathlib import Path

from clip.download import cache_folder, sha256_of
from clip.tokenizer import PROMPT_TOKENS, VOCABULARY_SHA256, VOCABULARY_URL
from clip.weights import MODELS, PUBLISHED
from data import create_dataset
from data.survey import ImageSurvey
from util import distributed
from util.checkpoint import refuse_other_weights
from util.device import select_device
from util.errors import UsageError, WorkError
from util.image_io.finding import find_images
from util.image_io.reading import open_rgb
from util.monitor.summary import amount, course, disk_needed, memory_needed, print_rows, summary
from util.monitor.validation import MAX_IMAGES, References


def dry_run(opt, create_model):
    """Check data, weights, CLIP, validation images and places; print the plan, then every problem in one line.

    Of several processes the first one does that; the others only look for their device.

    Args:
        opt: the options of training.
        create_model: makes the model from options.

    Returns:
        The exit status: 0 if training can start, 1 if work would fail, 2 if nothing but the usage is wrong.
    """
    with distributed.processes(opt):
        if distributed.is_main():
            return DryRun(opt).report(create_model)
        select_device(opt.gpu_ids)
        return 0


class DryRun:
    """The checks of one run; ``problems`` and ``warnings`` collect what they find."""

    def __init__(self, opt):
        self.opt, self.folder = opt, Path(opt.checkpoints_dir) / opt.name
        self.problems, self.warnings = [], []

    @contextlib.contextmanager
    def noting(self):
        """Collect the error that the body raises, and go on after it."""
        try:
            yield
        except (UsageError, WorkError) as error:
            if str(error) not in map(str, self.problems):
                self.problems.append(error)

    def report(self, create_model):
        """Do all checks and print what they gave; returns the exit status."""
        images = ImageSurvey(self.opt)
        self.problems += images.problems
        self.warnings += images.warnings
        self.check_validation()
        for folder in (self.folder, Path("loss") / f"loss_{self.opt.name}"):
            self.check_place(folder)
        with self.noting():
            refuse_other_weights(self.opt, self.folder)
        model, progress = self.check_model(create_model)
        if model and images.complete:
            self.print_plan(model, progress, images)
        for warning in self.warnings:
            print(f"warning: {warning}")
        for problem in self.problems:
            print(f"error: {problem}", file=sys.stderr)
        if self.problems:
            count = len(self.problems)
            print(f"{count} {'problem' if count == 1 else 'problems'}: training would fail", file=sys.stderr)
            return min(problem.exit_status for problem in self.problems)
        print("all is well, and nothing was changed: to train, leave out --dry_run")
        return 0

    def check_validation(self):
        """Open the validation images, and their references."""
        opt, paths, references = self.opt, [], None
        if opt.val_dir:
            with self.noting():
                paths = find_images(opt.val_dir)[:MAX_IMAGES]
        if opt.val_ref:
            with self.noting():
                references = References(opt.val_ref)
        for path in paths:
            with self.noting():
                size = open_rgb(path).size
                if references:
                    references.open(path.stem, size)

    def check_place(self, folder):
        """Whether files could be written to a folder that need not exist: an unnamed file is tried and is gone."""
        place = _existing(folder)
        with self.noting():
            try:
                tempfile.TemporaryFile(dir=place).close()
            except OSError as error:
                raise WorkError(
                    f"{folder}: cannot be written to ({place}: {(error.strerror or str(error)).lower()}); "
                    "choose another place"
                ) from error

    def check_model(self, create_model):
        """Build the model with all that can be had without a download, and load what a run goes on from.

        Returns:
            The model, without its text term where CLIP is missing, or None; and where the run starts.
        """
        opt, progress = self.opt, {"epoch": self.opt.epoch_count, "seen": 0, "pictures": 0}
        model, missing = None, {} if opt.no_text else _missing_downloads(opt)
        for file, address in missing.items():
            self.warnings.append(f"{file} is not there: training would first download {address}")
        instead = {"prompt_low": list(PROMPT_TOKENS)[:1], "prompt_high": list(PROMPT_TOKENS)[1:]} if missing else {}
        if any(file.suffix == ".pt" for file in missing):
            instead = {"no_text": True}
        for changes in (instead, {"no_text": True}):
            if model is None:
                with self.noting():
                    model = create_model(argparse.Namespace(**{**vars(opt), **changes}))
        if model:
            with self.noting():
                progress.update(model.setup(opt) or {})
        last = opt.n_epochs + opt.n_epochs_decay
        if progress["epoch"] > last:
            self.warnings.append(f"all {last} epochs are done: nothing is left to train (--n_epochs, --n_epochs_decay)")
        return model, progress

    def print_plan(self, model, progress, images):
        """Print what would happen, and add a warning if the disk is too small for it."""
        opt = self.opt
        data = create_dataset(argparse.Namespace(**{**vars(opt), "cache": False}))
        rows = {**summary(opt, data, model, self.folder, progress), **images.rows(), **course(opt, data, progress)}
        weights, state, in_all = disk_needed(opt, data, model, progress, images.pixels())
        free = shutil.disk_usage(_existing(self.folder)).free
        rows["disk"] = (
            f"up to {amount(weights + state)} per save (networks {amount(weights)}, train state {amount(state)}), "
            f"{amount(in_all)} for all that is kept; {amount(free)} free"
        )
        rows["memory"] = memory_needed(model)
        if in_all > free:
            self.warnings.append(f"the disk of {self.folder} is too small for all saves: think of --keep_last")
        print_rows(rows)


def _existing(folder):
    """The folder itself or, where there is none, what exists above it."""
    place = Path(folder).absolute()
    while not os.path.lexists(place):
        place = place.parent
    return place


def _missing_downloads(opt):
    """What the text term needs and training would download: {file: address}."""
    missing, own = {}, opt.clip_path and Path(opt.clip_path)
    if not own:
        sha256, name = MODELS["RN50"].split("/")
        if not _is(cache_folder() / name, sha256):
            missing[cache_folder() / name] = f"{PUBLISHED}/{MODELS['RN50']}"
    if any(text not in PROMPT_TOKENS for text in [*opt.prompt_low, *opt.prompt_high]):
        folder = cache_folder(own and (own if own.is_dir() else own.parent))
        package = importlib.util.find_spec("open_clip")
        folders = [folder, cache_folder(), *map(Path, package.submodule_search_locations if package else ())]
        name = VOCABULARY_URL.rpartition("/")[2]
        if not any(_is(place / name, VOCABULARY_SHA256) for place in folders):
            missing[folder / name] = VOCABULARY_URL
    return missing


def _is(path, sha256):
    return path.is_file() and sha256_of(path) == sha256
