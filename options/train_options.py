"""The flags of train.py, the two recipes, and which combinations cannot work."""

from argparse import ArgumentTypeError, BooleanOptionalAction
from importlib.util import find_spec

from models.losses.edges import EDGE_FILTERS
from models.losses.gan import GAN_MODES
from models.losses.text_prior import clip_file
from models.optim.schedules import POLICIES
from options.base_options import BaseOptions
from options.command_line import (
    epochs,
    epochs_or_none,
    momentum,
    not_negative,
    pixels,
    port,
    positive,
    rate,
    seed,
    weight,
    window,
)
from options.resume import adopt_architecture, adopt_stored_options
from util.distributed import launched
from util.errors import UsageError
from util.stages import PARTS

# Where the released code departs from the paper (docs/method.md, section 7): flag -> (paper's value, released value).
RECIPES = {
    "nrn_coords": ("absolute", "cancelled"),
    "text_gradient": (True, False),
    "clip_input": ("normalized", "raw"),
    "edge_adversary": ("edges", "image"),
    "edge_projection": ("fixed", "random"),
}


class TrainOptions(BaseOptions):
    """Training on DATAROOT/trainA and trainB."""

    is_train = True
    other = "options.test_options:TestOptions"
    program = "train.py"
    usage = "--dataroot DIR --name NAME"
    description = "Train NeRCo on unpaired low-light and normal-light images."
    examples = (
        (
            "train on ./dataset/trainA and trainB, write to ./saves/my_run",
            "python train.py --dataroot ./dataset --name my_run",
        ),
        ("only check everything and print the plan", "python train.py --dataroot ./dataset --name my_run --dry_run"),
        ("go on with a run that was stopped", "python train.py --dataroot ./dataset --name my_run --continue_train"),
        ("on four GPUs", "torchrun --nproc_per_node=4 train.py --dataroot ./dataset --name my_run"),
    )
    groups = (
        ("run", None),
        ("data", None),
        ("schedule", None),
        ("saving", "Counted in images of one kind and in epochs, not in steps."),
        ("showing", "Counted in images of one kind, not in steps."),
        ("validation and averaging", None),
        ("hardware", None),
        ("networks", None),
        ("objective", None),
        (
            "recipe",
            "Where the released code departs from the paper. --recipe sets all; a flag of its own wins. Of two values "
            "the first is the paper's, the second the released code's.",
        ),
        ("text term", None),
        ("kept from the released code", "Its commands go on working; each has one value left."),
    )

    def add_flags(self, groups):
        super().add_flags(groups)
        # A table, one flag a row.
        # fmt: off
        add = groups["run"].add_argument
        add("--continue_train", action="store_true",
            help="go on with the run NAME where the weights --epoch were saved, with its options")
        add("--init_from", metavar="DIR",
            help="start a new run from the latest weights of the networks in this folder (default: random weights)")
        add("--dry_run", action="store_true",
            help="check options, data and weights, print the plan, and stop; nothing is written or downloaded")
        add("--seed", type=seed, default=0,
            help="whole number from which weights, order, crops, flips and pools are drawn")
        add("--deterministic", action="store_true", help="equal runs give equal weights on a GPU, too; slower")

        add = groups["schedule"].add_argument
        add("--n_epochs", type=epochs, default=100, help="epochs at the initial learning rate")
        add("--n_epochs_decay", type=epochs_or_none, default=200,
            help="epochs after those, over which the learning rate falls")
        add("--epoch_count", type=epochs, default=1, help="number of the first epoch of a new run")
        add("--lr", type=rate, default=2e-4, help="initial learning rate of Adam")
        add("--beta1", type=momentum, default=0.5, help="first momentum of Adam, below 1")
        add("--lr_policy", choices=POLICIES, default="linear", help="how the learning rate falls")
        add("--lr_decay_iters", type=epochs, default=50,
            help="epochs after which --lr_policy step divides the learning rate by 10")

        add = groups["saving"].add_argument
        add("--save_latest_freq", type=positive, default=5000, help="images between saves of 'latest'")
        add("--save_epoch_freq", type=epochs, default=5, help="epochs between numbered weights")
        add("--save_by_iter", action="store_true", help="keep each 'latest' as iter_N, too; N counts the images seen")
        add("--keep_last", type=positive,
            help="keep only the newest N numbered weights of each kind (default: all are kept)")

        add = groups["showing"].add_argument
        add("--print_freq", type=positive, default=100, help="images between log lines")
        add("--update_html_freq", type=positive, default=1000,
            help="images between updates of web/index.html and of the curves in loss/")
        add("--no_html", action="store_true", help="write no web/index.html")
        add("--display_winsize", type=pixels, default=512,
            help="width of images on the web page and in visdom, pixels")
        add("--display_freq", type=positive, default=400,
            help="images between updates of the live images; the released code's 59456 shows nothing for hours")
        add("--display_id", type=window, default=1, help="number of the first visdom window; 0 or -1: no visdom")
        add("--display_ncols", type=positive, default=4, help="images in a row of visdom's window")
        add("--display_server", default="http://localhost", metavar="URL", help="address of the visdom server")
        add("--display_port", type=port, default=8097, metavar="PORT", help="port of the visdom server")
        add("--display_env", default="main", metavar="NAME", help="visdom environment to show in")
        add("--tensorboard", action="store_true",
            help="also write losses and images to CHECKPOINTS_DIR/NAME/tensorboard (pip install -r "
            "requirements-tensorboard.txt)")

        add = groups["validation and averaging"].add_argument
        add("--val_dir", metavar="DIR",
            help="folder of low-light images; the first 8 are enhanced while training (default: no validation)")
        add("--val_ref", metavar="DIR",
            help="the same images in normal light: PSNR (dB) and SSIM are logged, and the weights with the best PSNR "
            "are kept as best (default: images are shown, not measured)")
        add("--val_freq", type=positive, default=1000, help="images between validations")
        add("--ema", type=momentum, default=0.0, metavar="DECAY",
            help="also keep averaged weights, with this decay per step (such as 0.999); 0: none")

        add = groups["hardware"].add_argument
        add("--cache", action="store_true",
            help="keep decoded images in memory, as many as fit into half of what is free")
        add("--checkpoint_activations", action="store_true",
            help="compute the networks' insides again in the backward pass: less memory, more time")
        add("--cuda_graph", action="store_true",
            help="record a step on a GPU once and launch it as a whole, for images of one size: takes less than half "
            "of the time")

        add = groups["objective"].add_argument
        add("--gan_mode", choices=GAN_MODES, default="lsgan", help="adversarial objective")
        add("--lambda_gp", type=weight, default=0.0,
            help="weight of the gradient penalty of --gan_mode wgangp, whose authors took 10; 0: none")
        add("--pool_size", type=not_negative, default=50,
            help="former fakes that each pool keeps to show to the discriminators, images")
        add("--lambda_A", type=weight, default=10.0, help="weight of the cycle from A and of pre_A near A")
        add("--lambda_B", type=weight, default=10.0, help="weight of the cycle from B")
        add("--lambda_identity", type=weight, default=0.5, help="weight of the identity terms, relative to the cycles'")
        add("--lambda_simulation", type=weight, default=0.0,
            help="weight of the distance between B and its enhanced version after simulated darkening (not in the "
            "paper); 0: none")
        add("--simulation_epochs", type=epochs_or_none, default=0,
            help="first epochs, in which the enhancer learns from simulated low light alone, several times as fast")
        add("--freeze_norm_epoch", type=epochs_or_none, default=0,
            help="number of the first epoch in which the generators' batch norms keep their statistics; 0: none")
        add("--edge_filter", choices=EDGE_FILTERS, default="gradient",
            help="high-pass filter of the edge discriminators")
        add("--ablate", type=parts, default=[], metavar="PARTS",
            help="leave out parts, joined by commas: "
            + "; ".join(f"{part} ({result})" for part, result in PARTS.items()) + " (default: nothing is left out)")

        add = groups["recipe"].add_argument
        add("--recipe", choices=("paper", "released"), default="paper", help="which of the two")
        add("--nrn_coords", choices=RECIPES["nrn_coords"],
            help="pixel coordinates of the NRN (default: the recipe's)")
        add("--text_gradient", action=BooleanOptionalAction,
            help="the text term trains the generators; if not, its images pass through pools, which detach them "
            "(default: the recipe's)")
        add("--clip_input", choices=RECIPES["clip_input"],
            help="what CLIP sees: values with its mean and deviation, or values in [-1, 1] (default: the recipe's)")
        add("--edge_adversary", choices=RECIPES["edge_adversary"],
            help="what the edge discriminators judge in the generators' step (default: the recipe's)")
        add("--edge_projection", choices=RECIPES["edge_projection"],
            help="how an edge map becomes three channels (default: the recipe's)")

        add = groups["text term"].add_argument
        add("--no_text", action="store_true", help="train without CLIP and the text term")
        add("--clip_path", metavar="PATH",
            help="CLIP's RN50.pt or its folder (default: the cache folder, into which it is downloaded if need be)")
        add("--prompt_low", nargs="+", default=["low light image"], metavar="TEXT", help="what low light looks like")
        add("--prompt_high", nargs="+", default=["high light image"], metavar="TEXT",
            help="what normal light looks like")

        add = groups["kept from the released code"].add_argument
        add("--dataset_mode", choices=("unaligned",), default="unaligned", help="unpaired images")
        # fmt: on

    def complete(self, opt):
        if opt.continue_train:
            adopt_stored_options(opt, self.parser())
        elif opt.init_from:
            adopt_architecture(opt, self.parser())
        for flag, (paper, released) in RECIPES.items():
            # What a run was started with outlives --continue_train, unless a recipe is typed anew.
            if flag not in opt.given and (getattr(opt, flag) is None or "recipe" in opt.given):
                setattr(opt, flag, paper if opt.recipe == "paper" else released)
        opt.no_text = opt.no_text or "text" in opt.ablate

    def check(self, opt):
        super().check(opt)
        if opt.clip_path and not (opt.no_text or opt.dry_run):  # --dry_run lists it among all problems
            clip_file(opt.clip_path)
        if opt.continue_train and "init_from" in opt.given:
            raise UsageError("--init_from starts a new run, --continue_train goes on with one: leave one of them out")
        crop, crops = f"--crop_size {opt.crop_size}", opt.preprocess.endswith("crop")
        if opt.preprocess == "resize_and_crop" and opt.crop_size > opt.load_size:
            raise UsageError(f"{crop} is larger than --load_size {opt.load_size}: raise --load_size")
        if crops and opt.crop_size % opt.size_multiple:
            raise UsageError(f"{crop}: must be a multiple of {opt.size_multiple} for --netG {opt.netG}")
        if crops and opt.crop_size < opt.smallest_side:
            raise UsageError(f"{crop}: must be at least {opt.smallest_side} for --netG and --netD")
        if opt.gan_mode != "wgangp" and opt.lambda_gp:
            raise UsageError("--lambda_gp weighs the gradient penalty of --gan_mode wgangp: add that, or leave it out")
        if opt.lambda_gp and not crops:
            raise UsageError("--lambda_gp compares images of one size: choose a --preprocess that crops")
        if opt.checkpoint_activations and opt.norm == "batch":
            raise UsageError("--checkpoint_activations would count batch statistics twice: not with --norm batch")
        if opt.freeze_norm_epoch and opt.norm != "batch":
            raise UsageError("--freeze_norm_epoch is about batch norms: add --norm batch, or leave it out")
        if opt.simulation_epochs and not opt.lambda_simulation:
            raise UsageError("--simulation_epochs has nothing else to train with: give --lambda_simulation a weight")
        if opt.simulation_epochs and opt.lr_policy == "plateau":
            raise UsageError("--lr_policy plateau compares epochs, which have two objectives with --simulation_epochs")
        if opt.tensorboard and find_spec("tensorboard") is None:
            raise UsageError("--tensorboard: it is not installed; pip install -r requirements-tensorboard.txt")
        if opt.cuda_graph:
            self.check_cuda_graph(opt)
        if opt.val_ref and not opt.val_dir:
            raise UsageError("--val_ref holds references for the images of --val_dir: add that")
        last = opt.n_epochs + opt.n_epochs_decay
        if opt.epoch_count > last:
            raise UsageError(f"--epoch_count {opt.epoch_count}: training ends with epoch {last} (--n_epochs)")

    @staticmethod
    def check_cuda_graph(opt):
        """Refuse what would change from step to step, or what recording does not allow."""
        cannot = {
            "a CPU (--gpu_ids -1)": not opt.gpu_ids,
            "--amp fp16, whose scale changes: take bf16": opt.amp == "fp16",
            "torchrun": launched(),
            "--checkpoint_activations": opt.checkpoint_activations,
            "text without gradient (--recipe released), which goes through pools": not (
                opt.no_text or opt.text_gradient
            ),
        }
        for what, refused in cannot.items():
            if refused:
                raise UsageError(f"--cuda_graph: not with {what}")


def parts(text):
    """A type of ``add_argument``: parts of the method, "nrn,mask", as a sorted list."""
    names = sorted(set(text.split(",")))
    unknown = [name for name in names if name not in PARTS]
    if unknown:
        raise ArgumentTypeError(f"{unknown[0]!r} is not a part; the parts are {', '.join(PARTS)}")
    return names
