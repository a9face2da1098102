"""Which parts NeRCo consists of, and what is left of it when some are removed (``--ablate``)."""

from models.networks.discriminators import build_discriminator
from models.networks.generators import KEEPING, build_generator, with_little_kept, with_one_copy
from models.networks.layers import init_weights
from models.networks.mask_extractor import MaskExtractor
from models.networks.nrn import NRN
from util.stages import PARTS

GENERATIVE = ("Pre", "G_A", "G_B", "H")  # the networks that make images; the others are discriminators


def parts_of(opt):
    """Which parts a training run has, {part: bool}; ``simulation``, which the paper lacks, is one more."""
    parts = {part: part not in opt.ablate for part in PARTS}
    return parts | {"text": not opt.no_text, "simulation": opt.lambda_simulation > 0}


def networks_of(has):
    """Names of the networks of a run, those that make images first; a discriminator without fakes is left out, too.

    Args:
        has: what ``parts_of`` gives.
    """
    needed = {
        "Pre": has["nrn"],
        "G_A": True,
        "G_B": True,
        "H": has["mask"],
        "D_A": has["color"],
        "D_B": has["color"] and (has["dual_loop"] or has["nrn"]),
        "D_A_edge": has["edge"],
        "D_B_edge": has["edge"] and has["dual_loop"],
    }
    return [name for name, wanted in needed.items() if wanted]


def adapted(name, state, wanted, stored):
    """The state dict of another run's network, for a run that is built in another way, as it can go on from there.

    Without normalisation the enhancer was given the image twice. It goes on as if once, so that what a new network
    makes of the image has no say at first. A generator that keeps parts of its input hardly does so at first.

    Args:
        name: of the network.
        state: its state dict.
        wanted, stored: the options {flag: value} of this run, and those that are known of the other.
    """
    if name == "G_A" and "nrn" in stored.get("ablate", ()) and "nrn" not in wanted["ablate"]:
        state = with_one_copy(state)
    if name in ("G_A", "G_B") and wanted["netG"] == KEEPING:
        state = with_little_kept(state)
    return state


def build_part(name, opt):
    """The network called ``name`` in a checkpoint, initialised as the options say."""
    shape = {"ngf": opt.ngf, "norm": opt.norm, "dropout": opt.dropout}
    if name == "Pre":
        network = NRN(coords=opt.nrn_coords, **shape)
    elif name == "H":
        network = MaskExtractor(**shape)
    elif name in GENERATIVE:
        network = build_generator(opt.netG, 6 if name == "G_A" else 3, **shape)
    else:
        network = build_discriminator(opt.netD, 3, opt.ndf, opt.n_layers_D, opt.norm)
    return init_weights(network, opt.init_type, opt.init_gain)
