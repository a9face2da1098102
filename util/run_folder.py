"""The folder of a training run: saves/NAME."""

from pathlib import Path

from util import distributed
from util.checkpoint import save_options
from util.errors import UsageError
from util.files import make_folder


def open_run_folder(opt):
    """Make the run's folder and store the options in it; return it as a Path.

    Raises:
        UsageError: a new run would overwrite the weights of another one.
        WorkError: the folder cannot be written to.
    """
    folder = Path(opt.checkpoints_dir) / opt.name
    spare_other_weights(opt, folder)
    if distributed.is_main():
        make_folder(folder)
        save_options(folder, opt)
    distributed.wait_for_all()
    return folder


def spare_other_weights(opt, folder):
    """Raise UsageError if a new run would overwrite the weights in its folder (a Path)."""
    if not opt.continue_train and any(folder.glob("*_net_*.pth")):
        raise UsageError(
            f"{folder} already holds weights: add --continue_train to go on with them, or choose another --name"
        )
