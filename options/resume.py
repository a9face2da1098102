"""What a run takes from the options of the weights that it goes on from or starts from."""

from pathlib import Path

from models.enhancer import ARCHITECTURE, NETWORKS
from models.inference.released import architecture_of
from models.networks.generators import KEEPING
from options.base_options import check_architecture
from util.checkpoint import OPTIONS_JSON, net_file, newest, read_options, read_state_dict
from util.errors import WorkError

# Flags about this call rather than about the run.
OF_THE_CALL = {
    *("name", "suffix", "checkpoints_dir", "dataroot", "continue_train", "epoch", "load_iter"),
    *("gpu_ids", "num_threads", "verbose", "compile", "dry_run"),
}
DISCRIMINATOR_FLAGS = ("ndf", "netD", "n_layers_D")  # what shapes the discriminators


def adopt_stored_options(opt, parser):
    """Give the flags that were not typed the values stored beside the weights; without ``latest``, find others.

    A folder without stored options is the authors' own: its architecture is read off the weights, and it goes on
    as the ``released`` recipe.

    Args:
        opt: the options of training with ``--continue_train``; changed in place.
        parser: the command's; stored values pass its checks as typed ones do.

    Raises:
        UsageError: a typed flag contradicts the weights.
        WorkError: there are no weights, or they or their options cannot be read.
    """
    folder = Path(opt.checkpoints_dir) / opt.name
    if folder.is_dir() and not any(folder.rglob("*_net_*.pth")):
        raise WorkError(f"{folder}: nothing was saved in it yet; start without --continue_train")
    if "epoch" not in opt.given and not opt.load_iter:
        opt.epoch = newest(folder)
    stored = _stored_options(folder, opt.epoch, parser)
    shape = {flag: stored[flag] for flag in (*ARCHITECTURE, *DISCRIMINATOR_FLAGS) if flag in stored}
    check_architecture(opt, shape, opt.name)
    _adopt(opt, stored)


def adopt_architecture(opt, parser):
    """Give the flags that shape networks, where they were not typed, the values of the weights to start from.

    Which parts there are (``--ablate``) is the new run's own affair, and whether generators keep parts of their input.

    Args:
        opt: the options of training with ``--init_from``; changed in place.
        parser: the command's.

    Raises:
        UsageError, WorkError: as ``adopt_stored_options``.
    """
    folder = Path(opt.init_from)
    if not folder.is_dir():
        raise WorkError(f"{folder}: no such folder; check --init_from")
    stored = _stored_options(folder, "latest", parser)
    shaping = {*ARCHITECTURE} - {"ablate"}
    if opt.netG == KEEPING and stored.get("netG") == "resnet_9blocks":
        shaping.remove("netG")  # it takes those weights and adds to them
    if any(folder.glob(net_file("latest", "D_*"))):
        shaping |= {*DISCRIMINATOR_FLAGS}
    shape = {flag: value for flag, value in stored.items() if flag in shaping}
    check_architecture(opt, shape, opt.init_from)
    _adopt(opt, shape)


def _stored_options(folder, epoch, parser):
    stored = read_options(folder)
    if stored is None:
        states = {net: read_state_dict(folder, epoch, net) for net in NETWORKS}
        return {**architecture_of(states, folder), "recipe": "released"}
    of_the_run = {flag: value for flag, value in stored.items() if flag not in OF_THE_CALL}
    return parser.check_stored(of_the_run, folder / OPTIONS_JSON)


def _adopt(opt, values):
    for flag, value in values.items():
        if flag not in opt.given:
            setattr(opt, flag, value)
