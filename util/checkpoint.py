"""The folder of a run, saves/NAME: weights, and the options that travel with them (docs/method.md, section 1)."""

import json
import pickle
import re
import zipfile
from pathlib import Path

import torch
from torch import nn

from util import distributed
from util.errors import UsageError, WorkError
from util.files import current_file, make_folder, write_text

OPTIONS_JSON, OPTIONS_TXT = "train_opt.json", "train_opt.txt"


def open_run_folder(opt):
    """Make the run's folder and store the options in it; return it as a Path.

    Raises:
        UsageError: as ``refuse_other_weights``.
        WorkError: the folder cannot be written to.
    """
    folder = Path(opt.checkpoints_dir) / opt.name
    refuse_other_weights(opt, folder)
    if distributed.is_main():
        make_folder(folder)
        save_options(folder, opt)
    distributed.wait_for_all()
    return folder


def refuse_other_weights(opt, folder):
    """Raise UsageError if a new run would overwrite the weights in its folder (a Path)."""
    if not opt.continue_train and any(folder.glob("*_net_*.pth")):
        raise UsageError(
            f"{folder} already holds weights: add --continue_train to go on with them, or choose another --name"
        )


def net_file(epoch, net):
    """The released code's name for the weights of a network: ``latest_net_G_A.pth``."""
    return f"{epoch}_net_{net}.pth"


def read_tensors(path):
    """What ``torch.save`` wrote: tensors in plain containers, on the CPU. No code in the file is run.

    Raises:
        WorkError: the file is missing, damaged, or holds anything else.
    """
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise WorkError(f"{path}: no such file; {_what_is_there(Path(path))}") from None
    except (OSError, RuntimeError, EOFError, KeyError, ValueError, zipfile.BadZipFile, pickle.UnpicklingError) as error:
        raise WorkError(f"{path}: not a file of PyTorch weights, or damaged; fetch or train it again") from error


def _what_is_there(path):
    if not path.parent.is_dir():
        return f"there is no folder {path.parent}: check --name and --checkpoints_dir"
    net = path.stem.partition("_net_")[2]
    epochs = sorted(file.name.partition("_net_")[0] for file in path.parent.glob(f"*_net_{net}.pth"))
    if epochs:
        return f"--epoch can be {', '.join(epochs)}"
    if any(path.parent.glob("*_net_G_A.pth")):
        return "this folder has none of this network: it is for enhancing alone"
    return "this folder holds no weights (*_net_*.pth)"


def read_state_dict(folder, epoch, net):
    """The state dict of one network, {key: tensor}, without a ``module.`` in front of the keys.

    Raises:
        WorkError: as ``read_tensors``, or the file holds no state dict.
    """
    path = current_file(folder, net_file(epoch, net))
    state = read_tensors(path)
    if not isinstance(state, dict) or not all(isinstance(value, torch.Tensor) for value in state.values()):
        raise WorkError(f"{path}: does not hold a state dict, but {type(state).__name__}; this is not a weights file")
    return {key.removeprefix("module."): value for key, value in state.items()}


def load_network(network, state, source):
    """Load a state dict into a network; keys and shapes must agree.

    Instance norms of old PyTorch versions stored running statistics that were never used: those are left out.

    Args:
        network: the module to fill, in place.
        state: {key: tensor}.
        source: the file's name, for the error.

    Raises:
        WorkError: lists the keys that are missing or foreign and the shapes that differ.
    """
    if hasattr(network, "take_shape"):
        network.take_shape(state)
    instance_norms = {name for name, module in network.named_modules() if isinstance(module, nn.InstanceNorm2d)}
    state = {key: value for key, value in state.items() if key.rpartition(".")[0] not in instance_norms}
    expected = {key: tuple(value.shape) for key, value in network.state_dict().items()}
    found = {key: tuple(value.shape) for key, value in state.items()}
    differences = [f"{key} is missing" for key in expected if key not in found]
    differences += [f"{key} {found[key]} is not of this network" for key in found if key not in expected]
    changed = [key for key in expected if found.get(key, expected[key]) != expected[key]]
    differences += [f"{key} is {found[key]}, not {expected[key]}" for key in changed]
    if differences:
        shown = "; ".join(differences[:4]) + (f"; and {len(differences) - 4} more" if len(differences) > 4 else "")
        raise WorkError(f"{source}: does not fit this network: {shown}")
    network.load_state_dict(state)


def drop_old(folder, keep):
    """Delete all but the newest ``keep`` of the numbered epochs, and of the iter_N; never latest or best."""
    folder = Path(folder)
    for prefix in ("", "iter_"):
        numbered = re.compile(rf"{prefix}(\d+)_(?:net_.*|train_state)\.pth")
        numbers = {int(found[1]) for file in folder.iterdir() if (found := numbered.fullmatch(file.name))}
        for number in sorted(numbers)[:-keep]:
            tag = f"{prefix}{number}"
            for file in [*folder.glob(f"{tag}_net_*.pth"), *folder.glob(f"{tag}_train_state.pth")]:
                file.unlink()


def cpu_state_dict(network):
    """The state dict of a network with its tensors copied to the CPU, so that any machine can read the file."""
    return {key: value.detach().cpu() for key, value in network.state_dict().items()}


def save_options(folder, opt):
    """Write the options beside the weights: ``train_opt.json`` for programs, ``train_opt.txt`` for people."""
    values = {flag: value for flag, value in sorted(vars(opt).items()) if flag != "given"}
    write_text(Path(folder) / OPTIONS_JSON, json.dumps(values, indent=1) + "\n")
    lines = [f"{flag} = {value}" + ("    (given)" if flag in opt.given else "") for flag, value in values.items()]
    write_text(Path(folder) / OPTIONS_TXT, "\n".join(lines) + "\n")


def read_options(folder):
    """The options stored beside weights, {flag: value}, or None where there are none: the authors' own folder.

    Raises:
        WorkError: the file is damaged.
    """
    path = Path(folder) / OPTIONS_JSON
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        advice = "restore it, or remove it to go by the weights alone"
        raise WorkError(f"{path}: cannot be read ({error}); {advice}") from error
    if not isinstance(values, dict):
        raise WorkError(f"{path}: must hold an object of flags and values")
    return values
