"""Checking all that a training run needs, and printing its plan, without changing anything (--dry_run)."""

import argparse
import contextlib
import os
import shutil
import sys
import tempfile
from pathlib import Path

from clip.tokenizer import PROMPT_TOKENS, missing_vocabulary
from clip.weights import missing_weights
from data import create_dataset
from data.survey import ImageSurvey
from models import create_model
from models.losses.text_prior import CLIP_NAME
from util import distributed
from util.checkpoint import refuse_other_weights
from util.device import select_device
from util.errors import UsageError, WorkError, reason_of
from util.image_io.reading import open_rgb
from util.monitor.summary import amount, course, disk_needed, memory_needed, print_rows, summary
from util.monitor.validation import find_validation


def dry_run(opt):
    """Check data, weights, CLIP, validation images and places; print the plan, then every problem in one line.

    Of several processes the first one does that; the others only look for their device.

    Args:
        opt: the options of training.

    Returns:
        The exit status: 0 if training can start, 1 if work would fail, 2 if nothing but the usage is wrong.
    """
    with distributed.processes(opt):
        if distributed.is_main():
            return DryRun(opt).report()
        select_device(opt.gpu_ids)
        return 0


class DryRun:
    """The checks of one run; ``problems`` and ``warnings`` collect what they find."""

    def __init__(self, opt):
        self.opt, self.folder = opt, Path(opt.checkpoints_dir) / opt.name
        self.problems, self.warnings = [], []

    @contextlib.contextmanager
    def noting_a_problem(self):
        """Collect the error that the body raises, and go on after it."""
        try:
            yield
        except (UsageError, WorkError) as error:
            if str(error) not in map(str, self.problems):
                self.problems.append(error)

    def report(self):
        """Do all checks and print what they found; returns the exit status."""
        images = ImageSurvey(self.opt)
        self.problems += images.problems
        self.warnings += images.warnings
        self.check_validation()
        for folder in (self.folder, Path("loss") / f"loss_{self.opt.name}"):
            self.check_place(folder)
        with self.noting_a_problem():
            refuse_other_weights(self.opt, self.folder)
        model, progress = self.check_model()
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
        files, references = {}, None
        if self.opt.val_dir:
            with self.noting_a_problem():
                files, references, notices = find_validation(self.opt)
                self.warnings += notices
        for path in files.values():
            with self.noting_a_problem():
                size = open_rgb(path).size
                if references:
                    references.open(path, size)

    def check_place(self, folder):
        """Whether files could be written to a folder that need not exist: an unnamed file is tried and is gone."""
        existing = _nearest_existing(folder)
        with self.noting_a_problem():
            try:
                tempfile.TemporaryFile(dir=existing).close()
            except OSError as error:
                reason = f"{existing}: {reason_of(error)}"
                raise WorkError(f"{folder}: cannot be written to ({reason}); choose another place") from error

    def check_model(self):
        """Build the model with all that is there without a download, and load what a run goes on from.

        Returns:
            The model, without its text term where CLIP is missing, or None; and where the run starts.
        """
        opt, model, progress = self.opt, None, {"epoch": self.opt.epoch_count, "seen": 0, "pictures": 0}
        for changes in (self.without_downloads(), {"no_text": True}):
            with self.noting_a_problem():
                model = create_model(argparse.Namespace(**{**vars(opt), **changes}))
                break
        if model:
            with self.noting_a_problem():
                progress.update(model.setup(opt) or {})
        last = opt.n_epochs + opt.n_epochs_decay
        if progress["epoch"] > last:
            self.warnings.append(f"all {last} epochs are done: nothing is left to train (--n_epochs, --n_epochs_decay)")
        return model, progress

    def without_downloads(self):
        """Changes of the options, {flag: value}, with which the text term needs no download; warns of each download."""
        opt = self.opt
        if opt.no_text:
            return {}
        weights = {} if opt.clip_path else missing_weights(CLIP_NAME)
        vocabulary = missing_vocabulary([*opt.prompt_low, *opt.prompt_high], opt.clip_path)
        for path, address in {**weights, **vocabulary}.items():
            self.warnings.append(f"{path} is not there: training would first download {address}")
        if weights:
            return {"no_text": True}
        low, high = PROMPT_TOKENS
        return {"prompt_low": [low], "prompt_high": [high]} if vocabulary else {}

    def print_plan(self, model, progress, images):
        """Print what would happen, and add a warning if the disk is too small for it."""
        opt = self.opt
        data = create_dataset(argparse.Namespace(**{**vars(opt), "cache": False}))
        rows = {**summary(opt, data, model, self.folder, progress), **images.rows(), **course(opt, data, progress)}
        weights, state, in_all = disk_needed(opt, data, model, progress, images.pixels())
        free = shutil.disk_usage(_nearest_existing(self.folder)).free
        rows["disk"] = (
            f"up to {amount(weights + state)} per save (networks {amount(weights)}, train state {amount(state)}), "
            f"{amount(in_all)} for all that is kept; {amount(free)} free"
        )
        rows["memory"] = memory_needed(model)
        if in_all > free:
            self.warnings.append(f"the disk of {self.folder} is too small for all saves: keep fewer with --keep_last")
        print_rows(rows)


def _nearest_existing(folder):
    """The folder itself or, where there is none, what exists above it."""
    folder = Path(folder).absolute()
    return next(path for path in (folder, *folder.parents) if os.path.lexists(path))
