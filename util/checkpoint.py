"""The folder of a run, saves/NAME: weights, and the options that travel with them (docs/method.md, section 1)."""

import contextlib
import json
import re
from pathlib import Path

from torch import nn

from util import distributed
from util.errors import UsageError, WorkError
from util.files import current_file, make_folder, read_text, write_text
from util.run_lock import run_lock
from util.tensor_files import NotFinite, first_not_finite, read_tensors, shown, state_dict_in

OPTIONS_JSON, OPTIONS_TXT = "train_opt.json", "train_opt.txt"


@contextlib.contextmanager
def run_folder(opt):
    """Make the run's folder and store the options in it; give it as a Path, and keep it for this run.

    Raises:
        UsageError: as ``refuse_other_weights``, or another training writes to it.
        WorkError: the folder cannot be written to.
    """
    folder = Path(opt.checkpoints_dir) / opt.name
    refuse_other_weights(opt, folder)
    with contextlib.ExitStack() as stack:
        if distributed.is_main():
            stack.enter_context(run_lock(make_folder(folder)))
            save_options(folder, opt)
        distributed.wait_for_all()
        yield folder


def refuse_other_weights(opt, folder):
    """Raise UsageError if a new run would overwrite the weights in its folder (a Path)."""
    if not opt.continue_train and any(folder.glob("*_net_*.pth")):
        raise UsageError(
            f"{folder} already holds weights: add --continue_train to go on with them, or choose another --name"
        )


def state_file(epoch):
    """The name of what a run goes on from beside the weights: optimizers, progress, pools."""
    return f"{epoch}_train_state.pth"


def net_file(epoch, net):
    """The released code's name for the weights of a network: ``latest_net_G_A.pth``."""
    return f"{epoch}_net_{net}.pth"


def _what_is_there(path):
    """What to do where a file of weights is missing."""
    if not path.parent.is_dir():
        return f"there is no folder {path.parent}: check --name and --checkpoints_dir"
    net = path.stem.partition("_net_")[2]
    epochs = sorted(file.name.partition("_net_")[0] for file in path.parent.glob(f"*_net_{net}.pth"))
    if epochs:
        return f"--epoch can be {', '.join(epochs)}"
    if net.endswith("_ema") and any(path.parent.glob(f"*_net_{net.removesuffix('_ema')}.pth")):
        return "nothing was averaged when these weights were trained: leave out --ema"
    if any(path.parent.glob("*_net_G_A.pth")):
        return f"this folder is for enhancing alone, with its {OPTIONS_JSON}; to train from it: --init_from"
    return "this folder holds no weights (*_net_*.pth): nothing was saved in it yet"


def read_state_dict(folder, epoch, net):
    """The state dict of one network, {key: tensor}: see ``state_dict_in``.

    Raises:
        WorkError: the file is missing, damaged, or holds no state dict.
    """
    path = current_file(folder, net_file(epoch, net))
    try:
        return state_dict_in(read_tensors(path), path)
    except FileNotFoundError:
        raise WorkError(f"{path}: no such file; {_what_is_there(path)}") from None


def load_network(network, state, source):
    """Load a state dict into a network; keys, shapes and kinds of numbers must agree.

    Instance norms of old PyTorch versions stored running statistics that were never used: those are left out.

    Args:
        network: the module to fill, in place.
        state: {key: tensor}.
        source: the file's name, for the error.

    Raises:
        NotFinite: names the first key whose values are not finite numbers.
        WorkError: lists the keys that are missing or foreign and the shapes that differ.
    """
    if hasattr(network, "take_shape"):
        network.take_shape(state)
    instance_norms = {name for name, module in network.named_modules() if isinstance(module, nn.InstanceNorm2d)}
    state = {key: value for key, value in state.items() if key.rpartition(".")[0] not in instance_norms}
    own = network.state_dict()
    expected = {key: tuple(value.shape) for key, value in own.items()}
    found = {key: tuple(value.shape) for key, value in state.items()}
    differences = [f"{key} is missing" for key in expected if key not in found]
    differences += [f"{shown(key)} {found[key]} is not of this network" for key in found if key not in expected]
    changed = [key for key in expected if found.get(key, expected[key]) != expected[key]]
    differences += [f"{key} is {found[key]}, not {expected[key]}" for key in changed]
    for key, value in state.items():
        if key in own and value.is_floating_point() != own[key].is_floating_point():
            differences.append(f"{key} is {value.dtype}, not {own[key].dtype}")
    if differences:
        few = "; ".join(differences[:4]) + (f"; and {len(differences) - 4} more" if len(differences) > 4 else "")
        raise WorkError(f"{source}: does not fit this network: {few}")
    # As float32: what is too large for it is infinite in the network, and 8-bit kinds cannot be asked.
    if wrong := first_not_finite({key: value.float() for key, value in state.items()}):
        raise NotFinite(f"{source}: {wrong} holds values that are not finite numbers (NaN or Inf)")
    network.load_state_dict(state)


def advice_on_finite_weights(folder):
    """What to do where weights are not finite: names the numbered ones that are, and were saved last."""
    tag = _last_finite(folder)
    if tag is None:
        return "none of the numbered weights in this folder are finite: train anew, or fetch them again"
    return f"the last finite weights in this folder are those of --epoch {tag}"


def _last_finite(folder):
    for tag in sorted(numbered(folder), key=lambda tag: _state_or_weights(folder, tag).stat().st_mtime, reverse=True):
        with contextlib.suppress(WorkError):
            files = Path(folder).glob(f"{tag}_net_*.pth")
            if not any(first_not_finite(state_dict_in(read_tensors(file), file)) for file in files):
                return tag
    return None


def numbered(folder):
    """The tags of a folder's numbered weights: epochs and iter_N."""
    tags = {file.name.partition("_net_")[0] for file in Path(folder).glob("*_net_*.pth")}
    return {tag for tag in tags if re.fullmatch(r"(iter_)?\d+", tag)}


def newest(folder):
    """The tag from which a run goes on: ``latest``; where a run was killed before it was saved, what there is.

    Weights whose train state was saved with them come first, then those that were written last.
    """
    folder = Path(folder)
    if current_file(folder, net_file("latest", "G_A")).exists():
        return "latest"
    tags = {*numbered(folder), *(["best"] if (folder / net_file("best", "G_A")).exists() else [])}
    with_state = {tag for tag in tags if (folder / state_file(tag)).exists()}
    return max(with_state or tags, key=lambda tag: _state_or_weights(folder, tag).stat().st_mtime, default="latest")


def _state_or_weights(folder, tag):
    """A file that was written with the weights of this tag."""
    return max(Path(folder).glob(f"{tag}_net_*.pth"))


def drop_old(folder, keep):
    """Delete all but the newest ``keep`` of the numbered epochs, and of the iter_N; never latest or best."""
    folder = Path(folder)
    for prefix in ("", "iter_"):
        kept_or_old = re.compile(rf"{prefix}(\d+)_(?:net_.*|train_state)\.pth")
        numbers = {int(found[1]) for file in folder.iterdir() if (found := kept_or_old.fullmatch(file.name))}
        for number in sorted(numbers)[:-keep]:
            tag = f"{prefix}{number}"
            for file in [*folder.glob(f"{tag}_net_*.pth"), folder / state_file(tag)]:
                file.unlink(missing_ok=True)


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
        values = json.loads(read_text(path))
    except FileNotFoundError:
        return None
    except (ValueError, RecursionError) as error:
        advice = "restore it, or remove it to go by the weights alone"
        raise WorkError(f"{path}: cannot be read ({error}); {advice}") from error
    if not isinstance(values, dict):
        raise WorkError(f"{path}: must hold an object of flags and values")
    return values
