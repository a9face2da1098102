"""What a training run is about to do: the rows printed before its first step, and those that --dry_run adds.

Arguments are the same throughout: ``opt``, the options of training; ``data``, a ``TrainingData``; ``model``, a
set-up model; ``progress``, {"epoch", "seen", "pictures"} at which the run starts or goes on.
"""

import math

from util import distributed
from util.device import device_name
from util.memory import free_memory
from util.precision import AMP, precision_name


def print_summary(opt, data, model, folder, progress):
    """Print device, data, networks, recipe and places before the first step; see ``summary``."""
    print_rows(summary(opt, data, model, folder, progress))


def print_rows(rows):
    """Print {title: text}, the titles below each other."""
    print("\n".join(f"{title:>9}  {text}" for title, text in rows.items()))


def summary(opt, data, model, folder, progress):
    """What a run is made of, rows {title: text}; ``folder``: the run's."""
    start = f"epoch {progress['epoch']} of {_last_epoch(opt)}"
    if progress["pictures"]:
        start += f", going on after {progress['pictures']} images"
    elif opt.init_from:
        start += f", starting from the weights in {opt.init_from}"
    if opt.simulation_epochs:
        start += f", up to epoch {opt.simulation_epochs} on simulated low light alone"
    processes = distributed.world_size()
    device = f"{processes} processes, the first on: " if processes > 1 else ""
    switches = ("channels_last", "compile", "checkpoint_activations", "cuda_graph", "deterministic")
    amp = next(name for name, dtype in AMP.items() if dtype is model.amp)
    precision = [precision_name(amp, model.device), *(name for name in switches if getattr(opt, name))]
    if opt.ema:
        precision.append(f"averaging with decay {opt.ema}")
    low, normal = len(data.dataset.a_paths), len(data.dataset.b_paths)
    millions = {name: sum(p.numel() for p in network.parameters()) / 1e6 for name, network in model.networks().items()}
    prompts = f"CLIP tells {' / '.join(opt.prompt_low)!r} from {' / '.join(opt.prompt_high)!r}"
    return {
        "run": f"{opt.name}: {start}, seed {opt.seed}",
        "device": device + device_name(model.device),
        "precision": ", ".join(precision),
        "data": f"{low} low-light and {normal} normal-light images in {opt.dataroot}",
        "sizing": f"{opt.preprocess}, load {opt.load_size}, crop {opt.crop_size}, batch {opt.batch_size}",
        "networks": ", ".join(f"{name} {count:.2f} M" for name, count in millions.items()),
        "": f"{sum(millions.values()):.2f} M parameters; {opt.netG}, {opt.netD}, {opt.norm} norm, ngf {opt.ngf}",
        "recipe": f"{opt.recipe}: nrn_coords {opt.nrn_coords}, edge_adversary {opt.edge_adversary}, "
        f"edge_projection {opt.edge_projection}, text_gradient {opt.text_gradient}, clip_input {opt.clip_input}",
        "text": "none: training runs without the text term" if opt.no_text else prompts,
        "ablated": ", ".join(opt.ablate) or "nothing",
        "writes": f"{folder} (weights, loss_log.txt, web/index.html), loss/loss_{opt.name} (curves)",
    }


def course(opt, data, progress):
    """When a run does what, rows {title: text}."""
    first, last = progress["epoch"], _last_epoch(opt)
    per_step = opt.batch_size * distributed.world_size()
    per_epoch = math.ceil(len(data) / per_step)
    steps = math.ceil((len(data) - progress["seen"]) / per_step) + per_epoch * (last - first) if first <= last else 0
    by_iter = ", also as iter_N" if opt.save_by_iter else ""
    kept = f", the newest {opt.keep_last} are kept" if opt.keep_last else ""
    against = f"against {opt.val_ref}" if opt.val_ref else "without references"
    validated = f"the images of {opt.val_dir} every {opt.val_freq} images, {against}"
    page = "curves" if opt.no_html else "page and curves"
    visdom = f"visdom at {opt.display_server}:{opt.display_port} every {opt.display_freq}"
    return {
        "steps": f"{per_epoch} per epoch, {steps} to come, epochs {first} to {last}; {per_step} of each kind per step",
        "saves": f"latest every {opt.save_latest_freq} images{by_iter}; "
        f"numbered every {opt.save_epoch_freq} epochs ({_numbered_saves(opt, progress)} to come){kept}",
        "validates": validated if opt.val_dir else "nothing: there is no --val_dir",
        "shows": f"losses every {opt.print_freq} images, {page} every {opt.update_html_freq}, "
        f"{visdom if opt.display_id else 'no visdom'}",
    }


def disk_needed(opt, data, model, progress, pixels):
    """The most bytes that a run takes on the disk: networks of a save, train state of a save, all that is kept.

    Args:
        pixels: of an image that training sees: the pools' images are stored with the train state.
    """
    networks = list(model.networks().values())
    averages = list(model.average.networks.values()) if model.average else []
    weights = sum(t.nbytes for network in networks + averages for t in network.state_dict().values())

    moments = 2 * sum(p.nbytes for network in networks for p in network.parameters())  # of Adam
    used_pools = [name for name in model.pools if not (name.startswith("text") and opt.text_gradient)]
    pooled = min(opt.pool_size, len(data) * _last_epoch(opt)) * len(used_pools) * distributed.world_size()
    state = moments + pooled * 3 * 4 * pixels

    seen, most = progress["pictures"], opt.keep_last or math.inf
    in_the_end = seen + len(data) * (_last_epoch(opt) - progress["epoch"] + 1) - progress["seen"]
    by_iter = in_the_end // opt.save_latest_freq - seen // opt.save_latest_freq if opt.save_by_iter else 0
    saves = 1 + min(_numbered_saves(opt, progress), most) + min(by_iter, most)  # latest, epochs, iter_N
    best = weights if opt.val_ref else 0
    return weights, state, saves * (weights + state) + best


def memory_needed(model):
    """A row's text: what the networks alone take while they are trained, and what is free beside them."""
    parameters = sum(p.nbytes for network in model.networks().values() for p in network.parameters())
    return (
        f"{amount(4 * parameters)} for weights, gradients and Adam, and more for images; "
        f"{amount(free_memory(model.device))} free"
    )


def amount(size):
    """A number of bytes in words."""
    return f"{size / 2**30:.1f} GiB" if size >= 2**30 else f"{size / 2**20:.1f} MiB"


def _last_epoch(opt):
    return opt.n_epochs + opt.n_epochs_decay


def _numbered_saves(opt, progress):
    """After how many of the epochs to come the weights are saved under its number."""
    last = _last_epoch(opt)
    return sum(epoch % opt.save_epoch_freq == 0 or epoch == last for epoch in range(progress["epoch"], last + 1))
