"""What a training run is about to do, on one screen."""

from util import distributed
from util.device import device_name
from util.memory import free_memory


def print_summary(opt, data, model, folder, progress):
    """Print device, data, networks, recipe and places before the first step; see ``summary``."""
    print_rows(summary(opt, data, model, folder, progress))


def print_rows(rows):
    """Print {title: text}, the titles below each other."""
    print("\n".join(f"{title:>9}  {text}" for title, text in rows.items()))


def summary(opt, data, model, folder, progress):
    """What a run is made of, rows {title: text}.

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
        start += f", going on after {progress['pictures']} images"
    elif opt.init_from:
        start += f", starting from the weights in {opt.init_from}"
    if opt.simulation_epochs:
        start += f", up to epoch {opt.simulation_epochs} on simulated low light alone"
    return {
        "run": f"{opt.name}: {start}, seed {opt.seed}",
        "device": _device_name(model.device),
        "precision": ", ".join(_switches(opt)),
        "data": f"{len(dataset.a_paths)} low-light and {len(dataset.b_paths)} normal-light images in {opt.dataroot}",
        "sizing": f"{opt.preprocess}, load {opt.load_size}, crop {opt.crop_size}, batch {opt.batch_size}",
        "networks": ", ".join(f"{name} {count:.2f} M" for name, count in millions.items()),
        "": f"{sum(millions.values()):.2f} M parameters; {opt.netG}, {opt.netD}, {opt.norm} norm, ngf {opt.ngf}",
        "recipe": f"{opt.recipe}: nrn_coords {opt.nrn_coords}, edge_adversary {opt.edge_adversary}, "
        f"edge_projection {opt.edge_projection}, text_gradient {opt.text_gradient}, clip_input {opt.clip_input}",
        "text": "none: training runs without the text term" if opt.no_text else _prompts(opt),
        "ablated": ", ".join(opt.ablate) or "nothing",
        "writes": f"{folder} (weights, loss_log.txt, web/index.html), loss/loss_{opt.name} (curves)",
    }


def course(opt, data, progress):
    """When a run does what, rows {title: text}; arguments as for ``summary``."""
    first, last = progress["epoch"], opt.n_epochs + opt.n_epochs_decay
    data.start_epoch(first, progress["seen"])
    begun = len(data.sampler)
    data.start_epoch(first)
    whole = len(data.sampler)
    steps = begun + whole * (last - first) if first <= last else 0
    processes = distributed.world_size()
    validated = f"the images of {opt.val_dir} every {opt.val_freq} images" + (
        f", against {opt.val_ref}" if opt.val_ref else ", without references"
    )
    kept = f", the newest {opt.keep_last} are kept" if opt.keep_last else ""
    visdom = f"visdom at {opt.display_server}:{opt.display_port} every {opt.display_freq}"
    return {
        "steps": f"{whole} per epoch, {steps} to come, epochs {first} to {last}; "
        f"{opt.batch_size * processes} of each kind per step",
        "saves": f"latest every {opt.save_latest_freq} images{', also as iter_N' if opt.save_by_iter else ''}; "
        f"numbered every {opt.save_epoch_freq} epochs ({len(_saved_epochs(opt, progress))} to come){kept}",
        "validates": validated if opt.val_dir else "nothing: there is no --val_dir",
        "shows": f"losses every {opt.print_freq} images, {'curves' if opt.no_html else 'page and curves'} every "
        f"{opt.update_html_freq}, {visdom if opt.display_id else 'no visdom'}",
    }


def disk_needed(opt, data, model, progress, pixels):
    """The most bytes that a run takes on the disk: networks of a save, train state of a save, all that is kept.

    Args:
        opt, data, model, progress: as for ``summary``.
        pixels: of an image that training sees: the pools' images are stored with the train state.
    """
    networks = list(model.networks().values())
    averages = list(model.average.networks.values()) if model.average else []
    weights = sum(t.nbytes for network in networks + averages for t in network.state_dict().values())
    moments = 2 * sum(p.nbytes for network in networks for p in network.parameters())  # of Adam
    filled = [name for name in model.pools if not (name.startswith("text") and opt.text_gradient)]
    images = min(opt.pool_size, len(data) * (opt.n_epochs + opt.n_epochs_decay))
    state = moments + len(filled) * images * 3 * 4 * pixels * distributed.world_size()

    most = opt.keep_last or float("inf")
    last = opt.n_epochs + opt.n_epochs_decay
    numbered = len(_saved_epochs(opt, progress))
    left = len(data) * (last - progress["epoch"] + 1) - progress["seen"]
    latest = (progress["pictures"] + left) // opt.save_latest_freq - progress["pictures"] // opt.save_latest_freq
    saves = 1 + min(numbered, most) + (min(latest, most) if opt.save_by_iter else 0)
    return weights, state, saves * (weights + state) + (weights if opt.val_ref else 0)


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


def _saved_epochs(opt, progress):
    """The epochs after which numbered weights will be saved."""
    last = opt.n_epochs + opt.n_epochs_decay
    return [epoch for epoch in range(progress["epoch"], last + 1) if epoch % opt.save_epoch_freq == 0 or epoch == last]


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
