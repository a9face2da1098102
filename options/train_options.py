"""The flags of train.py."""

from data.transforms import PREPROCESS
from models.edges import EDGE_FILTERS
from models.losses import GAN_MODES
from models.nrn import COORDS
from models.parts import PARTS
from models.schedules import POLICIES
from options.argument_types import momentum, not_negative, positive, rate, weight
from options.base_options import BaseOptions, add_speed_flags, yes_no
from options.recipes import RECIPES, parts
from options.resume import adopt_stored_options
from util.errors import UsageError


class TrainOptions(BaseOptions):
    """Training on DATAROOT/trainA and trainB."""

    program = "train.py"
    description = "Train NeRCo on unpaired low-light and normal-light pictures."
    is_train = True
    dataroot_help = "folder that holds trainA (low light) and trainB (normal light)"
    default_preprocess = PREPROCESS[0]
    num_threads_help = "worker processes that load pictures, at most one per core; 0: the main process loads"
    networks_help = None
    batches_help = None
    batch_size_help = "pictures per step"

    def complete(self, opt):
        if opt.continue_train:
            adopt_stored_options(opt)
        for flag, values in RECIPES.items():
            # What a run was started with outlives --continue_train, unless a recipe is typed anew.
            if flag not in opt.given and (getattr(opt, flag) is None or "recipe" in opt.given):
                setattr(opt, flag, values[opt.recipe == "released"])
        opt.no_text = opt.no_text or "text" in opt.ablate

    def check(self, opt):
        super().check(opt)
        fixed_size = opt.preprocess.endswith("crop")
        if opt.preprocess == "resize_and_crop" and opt.crop_size > opt.load_size:
            raise UsageError(
                f"--crop_size {opt.crop_size} is larger than --load_size {opt.load_size}: raise --load_size"
            )
        if fixed_size and opt.crop_size % opt.size_multiple:
            raise UsageError(
                f"--crop_size {opt.crop_size}: must be a multiple of {opt.size_multiple} for --netG {opt.netG}"
            )
        if fixed_size and opt.crop_size < opt.smallest_side:
            raise UsageError(f"--crop_size {opt.crop_size}: must be at least {opt.smallest_side} for --netG and --netD")
        if opt.gan_mode != "wgangp" and opt.lambda_gp:
            raise UsageError("--lambda_gp weighs the gradient penalty of --gan_mode wgangp: add that, or leave it out")
        if opt.lambda_gp and not fixed_size:
            raise UsageError("--lambda_gp compares pictures of one size: choose a --preprocess that crops")
        if opt.checkpoint_activations and opt.norm == "batch":
            raise UsageError("--checkpoint_activations would count batch statistics twice: not with --norm batch")
        if opt.val_ref and not opt.val_dir:
            raise UsageError("--val_ref holds references for the pictures of --val_dir: add that")
        last = opt.n_epochs + opt.n_epochs_decay
        if opt.epoch_count > last:
            raise UsageError(f"--epoch_count {opt.epoch_count}: training ends with epoch {last} (--n_epochs)")

    def add_flags(self, parser):
        super().add_flags(parser)
        self._add_schedule(parser.add_argument_group("schedule"))
        self._add_objective(parser.add_argument_group("objective"))
        self._add_recipe(
            parser.add_argument_group(
                "recipe", "Where the released code departs from the paper. --recipe sets all; a flag of its own wins."
            )
        )
        self._add_text(parser.add_argument_group("text term"))
        self._add_hardware(parser.add_argument_group("hardware"))
        self._add_validation(parser.add_argument_group("validation and averaging"))
        self._add_saving(parser.add_argument_group("saving and showing (counted in pictures, not in steps)"))

    def _add_schedule(self, group):
        group.add_argument(
            "--n_epochs", type=positive, default=100, metavar="N", help="epochs at the initial learning rate"
        )
        group.add_argument(
            "--n_epochs_decay",
            type=not_negative,
            default=200,
            metavar="N",
            help="epochs after those, over which the learning rate falls",
        )
        group.add_argument(
            "--epoch_count", type=positive, default=1, metavar="N", help="number of the first epoch of a new run"
        )
        group.add_argument("--lr", type=rate, default=2e-4, metavar="X", help="initial learning rate of Adam")
        group.add_argument("--beta1", type=momentum, default=0.5, metavar="X", help="first momentum of Adam")
        group.add_argument("--lr_policy", choices=POLICIES, default="linear", help="how the learning rate falls")
        group.add_argument(
            "--lr_decay_iters", type=positive, default=50, metavar="N", help="epochs between the falls of step"
        )
        group.add_argument(
            "--continue_train", action="store_true", help="go on with the run where its weights --epoch were saved"
        )
        group.add_argument(
            "--seed", type=not_negative, default=0, metavar="N", help="of weights, order, crops, flips and pools"
        )
        group.add_argument("--phase", default="train", help="the pictures lie in DATAROOT/{PHASE}A and {PHASE}B")
        group.add_argument("--dataset_mode", choices=["unaligned"], default="unaligned", help="unpaired pictures")

    def _add_objective(self, group):
        group.add_argument("--gan_mode", choices=GAN_MODES, default="lsgan", help="adversarial objective")
        group.add_argument(
            "--lambda_gp",
            type=weight,
            default=0.0,
            metavar="X",
            help="weight of wgangp's gradient penalty; its authors took 10",
        )
        group.add_argument("--pool_size", type=not_negative, default=50, metavar="N", help="fakes kept per pool")
        group.add_argument(
            "--lambda_A", type=weight, default=10.0, metavar="X", help="weight of the cycle from A and of pre_A near A"
        )
        group.add_argument("--lambda_B", type=weight, default=10.0, metavar="X", help="weight of the cycle from B")
        group.add_argument(
            "--lambda_identity",
            type=weight,
            default=0.5,
            metavar="X",
            help="weight of the identity terms, relative to the cycles'",
        )
        group.add_argument("--edge_filter", choices=EDGE_FILTERS, default="gradient", help="the high-pass filter")
        group.add_argument(
            "--ablate",
            type=parts,
            default=[],
            metavar="PARTS",
            help="leave out parts, joined by commas: " + "; ".join(f"{part} ({then})" for part, then in PARTS.items()),
        )

    def _add_text(self, group):
        group.add_argument("--no_text", action="store_true", help="train without CLIP and the text term")
        group.add_argument(
            "--clip_path", metavar="PATH", help="CLIP's RN50.pt or its folder (else: the cache folder, else a download)"
        )
        group.add_argument(
            "--prompt_low", nargs="+", default=["low light image"], metavar="TEXT", help="what low light looks like"
        )
        group.add_argument(
            "--prompt_high",
            nargs="+",
            default=["high light image"],
            metavar="TEXT",
            help="what normal light looks like",
        )

    def _add_recipe(self, group):
        group.add_argument("--recipe", choices=["paper", "released"], default="paper", help="which of the two")
        group.add_argument("--nrn_coords", choices=COORDS, help="pixel coordinates of the NRN (paper: absolute)")
        yes_no(
            group,
            "text_gradient",
            "the text term trains the generators (paper), or its pictures pass through pools, which detach them",
        )
        group.add_argument(
            "--clip_input",
            choices=["normalized", "raw"],
            help="what CLIP sees: values with its mean and deviation, or [-1, 1] ones (paper: normalized)",
        )
        group.add_argument(
            "--edge_adversary",
            choices=["edges", "image"],
            help="what the edge discriminators judge in the generators' step (paper: edges)",
        )
        group.add_argument(
            "--edge_projection",
            choices=["fixed", "random"],
            help="how an edge map becomes three channels (paper: fixed)",
        )

    def _add_hardware(self, group):
        add_speed_flags(group)
        group.add_argument(
            "--cache", action="store_true", help="keep decoded pictures in memory, as many as fit into half of it"
        )
        group.add_argument(
            "--checkpoint_activations",
            action="store_true",
            help="compute the networks' insides again in the backward pass: less memory, more time",
        )
        group.add_argument(
            "--deterministic", action="store_true", help="on a GPU, too, equal runs give equal weights; slower"
        )

    def _add_validation(self, group):
        group.add_argument("--val_dir", metavar="DIR", help="low-light pictures to enhance while training (8 at most)")
        group.add_argument("--val_ref", metavar="DIR", help="the same in normal light: PSNR and SSIM are logged")
        group.add_argument("--val_freq", type=positive, default=1000, metavar="N", help="pictures between validations")
        group.add_argument(
            "--ema",
            type=momentum,
            default=0.0,
            metavar="DECAY",
            help="keep averaged weights, too, with this decay (0.999, say); 0: none",
        )

    def _add_saving(self, group):
        group.add_argument(
            "--save_latest_freq", type=positive, default=5000, metavar="N", help="pictures between weights 'latest'"
        )
        group.add_argument(
            "--save_epoch_freq", type=positive, default=5, metavar="N", help="epochs between numbered weights"
        )
        group.add_argument("--save_by_iter", action="store_true", help="keep those as iter_N, too")
        group.add_argument(
            "--keep_last", type=positive, metavar="N", help="numbered weights to keep, of each kind (default: all)"
        )
        group.add_argument("--print_freq", type=positive, default=100, metavar="N", help="pictures between log lines")
        group.add_argument(
            "--update_html_freq",
            type=positive,
            default=1000,
            metavar="N",
            help="pictures between updates of web/index.html and of the curves in loss/",
        )
        group.add_argument("--no_html", action="store_true", help="write no web/index.html")
        group.add_argument(
            "--display_freq",
            type=positive,
            default=400,
            metavar="N",
            help="pictures between updates of visdom's pictures (the released code's 59456 shows nothing for hours)",
        )
        group.add_argument(
            "--display_id", type=not_negative, default=1, metavar="N", help="first visdom window; 0: no visdom"
        )
        group.add_argument(
            "--display_ncols", type=positive, default=4, metavar="N", help="pictures in a row of visdom's window"
        )
        group.add_argument(
            "--display_server", default="http://localhost", metavar="URL", help="address of the visdom server"
        )
        group.add_argument("--display_port", type=positive, default=8097, metavar="PORT", help="and its port")
        group.add_argument("--display_env", default="main", metavar="NAME", help="visdom environment to show in")
