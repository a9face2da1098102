"""What a training run is about to do, on one screen."""

from util import distributed
from util.device import device_name


def print_summary(opt, data, model, folder, progress):
    """Print device, data, networks, recipe and places before the first step.

    Args:
        opt: the options of training.
        data: ``TrainingData``.
        model: a set-up model.
        folder: the run's folder.
        progress: {"epoch", "seen", "pictures"} at which the run starts or goes on.
    """
    millions = {name: sum(p.numel() for p in network.parameters()) / 1e6 for name, network in model.networks().items()}
    dataset = data.dataset
    start = f"epoch {progress['epoch']} of {opt.n_epochs + opt.n_epochs_decay}"
    if progress["pictures"]:
        start += f", going on after {progress['pictures']} pictures"
    rows = {
        "run": f"{opt.name}: {start}, seed {opt.seed}",
        "device": _device_name(model.device),
        "precision": ", ".join(_switches(opt)),
        "data": f"{len(dataset.a_paths)} low-light and {len(dataset.b_paths)} normal-light pictures in {opt.dataroot}",
        "sizing": f"{opt.preprocess}, load {opt.load_size}, crop {opt.crop_size}, batch {opt.batch_size}",
        "networks": ", ".join(f"{name} {count:.2f} M" for name, count in millions.items()),
        "": f"{sum(millions.values()):.2f} M parameters; {opt.netG}, {opt.netD}, {opt.norm} norm, ngf {opt.ngf}",
        "recipe": f"{opt.recipe}: nrn_coords {opt.nrn_coords}, edge_adversary {opt.edge_adversary}, "
        f"edge_projection {opt.edge_projection}, text_gradient {opt.text_gradient}, clip_input {opt.clip_input}",
        "text": "none: training runs without the text term" if opt.no_text else _prompts(opt),
        "ablated": ", ".join(opt.ablate) or "nothing",
        "writes": f"{folder} (weights, loss_log.txt, web/index.html), loss/loss_{opt.name} (curves)",
    }
    print("\n".join(f"{title:>9}  {text}" for title, text in rows.items()))


def _switches(opt):
    """The switches of hardware use that are on."""
    names = ("channels_last", "compile", "checkpoint_activations", "deterministic")
    averaging = [f"averaging with decay {opt.ema}"] if opt.ema else []
    return [f"amp {opt.amp}", *(name for name in names if getattr(opt, name)), *averaging]


def _prompts(opt):
    return f"CLIP tells {' / '.join(opt.prompt_low)!r} from {' / '.join(opt.prompt_high)!r}"


def _device_name(device):
    name, processes = device_name(device), distributed.world_size()
    return name if processes == 1 else f"{processes} processes, the first on: {name}"
