"""What a run that goes on takes from the options it was started with."""

from pathlib import Path

from models.enhancer import ARCHITECTURE, NETWORKS
from models.released import architecture_of
from options.base_options import check_architecture
from util.checkpoint import read_options, read_state_dict

# Flags about this call rather than about the run.
OF_THE_CALL = {
    *("name", "suffix", "checkpoints_dir", "dataroot", "continue_train", "epoch", "load_iter"),
    *("gpu_ids", "num_threads", "verbose", "compile", "dry_run"),
}
FIXED = (*ARCHITECTURE, "ndf", "netD", "n_layers_D")  # what the stored weights were built for


def adopt_stored_options(opt):
    """Give the flags that were not typed the values stored beside the weights.

    A folder without stored options is the authors' own: its architecture is read off the weights, and it goes on
    as the ``released`` recipe.

    Args:
        opt: the options of training with ``--continue_train``; changed in place.

    Raises:
        UsageError: a typed flag contradicts the weights.
        WorkError: there are no weights, or they cannot be read.
    """
    folder = Path(opt.checkpoints_dir) / opt.name
    stored = read_options(folder)
    if stored is None:
        states = {net: read_state_dict(folder, opt.epoch, net) for net in NETWORKS}
        stored = {**architecture_of(states, folder), "recipe": "released"}
    check_architecture(opt, {flag: stored[flag] for flag in FIXED if flag in stored})
    for flag, value in stored.items():
        if flag in vars(opt) and flag not in opt.given and flag not in OF_THE_CALL:
            setattr(opt, flag, value)
