"""Reading off the weights what the authors' own folders do not say: how their networks were built."""

from models.networks.generators import KEEPING
from util.errors import WorkError


def architecture_of(states, folder):
    """The options under which a folder's weights must have been trained, {flag: value}.

    Args:
        states: {"Pre", "H", "G_A": state dict}.
        folder: for the error.

    Returns:
        ngf, netG, norm, dropout; ``nrn_coords`` as in the released code; an empty ``ablate``.

    Raises:
        WorkError: the weights are not those of a NeRCo.
    """
    pre = states["Pre"]
    if "model.1.weight" not in pre or "mlp.imnet.layers.0.weight" not in pre:
        raise WorkError(f"{folder}: these weights are not NeRCo's (no model.1.weight or mlp.imnet in *_net_Pre.pth)")
    if "model.2.weight" in pre:  # the scale of a batch norm
        norm = "batch"
    elif "model.2.layer_gain" in pre:
        norm = "layer_instance"
    else:
        norm = "instance" if "model.1.bias" in pre else "none"
    return {
        "ngf": pre["model.1.weight"].shape[0],
        "netG": _generator_name(states["G_A"]),
        "norm": norm,
        # Dropout stands in front of a block's second convolution and moves it one place on, from 5.
        "dropout": "model.10.conv_block.5.weight" not in pre,
        "nrn_coords": "cancelled",
        "ablate": [],
    }


def _generator_name(state):
    if "model.model.0.weight" in state:
        deepest = max(key.count("model.3") for key in state)
        return "unet_256" if deepest == 7 else "unet_128"
    blocks = {key.split(".")[1] for key in state if ".conv_block." in key}
    if len(blocks) == 6:
        return "resnet_6blocks"
    outputs = [weight.shape[0] for weight in state.values() if weight.dim() == 4][-1]
    return KEEPING if outputs == 4 else "resnet_9blocks"
