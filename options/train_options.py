"""The flags of train.py."""

from data.transforms import PREPROCESS
from options.base_options import BaseOptions
from options.output_flags import add_saving, add_showing, add_validation
from options.recipes import RECIPES
from options.resume import adopt_architecture, adopt_stored_options
from options.shared_flags import add_data, add_kept, add_networks, add_run, add_speed
from options.train_flags import add_memory, add_objective, add_recipe, add_run_of_training, add_schedule, add_text
from util.errors import UsageError


class TrainOptions(BaseOptions):
    """Training on DATAROOT/trainA and trainB."""

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
    is_train = True
    dataroot_required = True
    dataroot_help = "folder that holds trainA (low light) and trainB (normal light)"
    phase = "train"
    phase_help = "the images lie in DATAROOT/{PHASE}A and {PHASE}B"
    preprocess = PREPROCESS[0]
    batch_size_help = "images of each kind per step, and per process with torchrun"
    serial_batches_help = "take images in order, not at random"
    no_flip_help = "do not mirror images at random"
    num_threads_help = "worker processes that load images, at most one per core; 0: the main process loads"

    def complete(self, opt):
        if opt.continue_train:
            adopt_stored_options(opt)
        elif opt.init_from:
            adopt_architecture(opt)
        for flag, values in RECIPES.items():
            # What a run was started with outlives --continue_train, unless a recipe is typed anew.
            if flag not in opt.given and (getattr(opt, flag) is None or "recipe" in opt.given):
                setattr(opt, flag, values[opt.recipe == "released"])
        opt.no_text = opt.no_text or "text" in opt.ablate

    def check(self, opt):
        super().check(opt)
        if opt.continue_train and "init_from" in opt.given:
            raise UsageError("--init_from starts a new run, --continue_train goes on with one: leave one of them out")
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
            raise UsageError("--lambda_gp compares images of one size: choose a --preprocess that crops")
        if opt.checkpoint_activations and opt.norm == "batch":
            raise UsageError("--checkpoint_activations would count batch statistics twice: not with --norm batch")
        if opt.freeze_norm_epoch and opt.norm != "batch":
            raise UsageError("--freeze_norm_epoch is about batch norms: add --norm batch, or leave it out")
        if opt.simulation_epochs and not opt.lambda_simulation:
            raise UsageError("--simulation_epochs has nothing else to train with: give --lambda_simulation a weight")
        if opt.simulation_epochs and opt.lr_policy == "plateau":
            raise UsageError("--lr_policy plateau compares epochs, which have two objectives with --simulation_epochs")
        if opt.val_ref and not opt.val_dir:
            raise UsageError("--val_ref holds references for the images of --val_dir: add that")
        last = opt.n_epochs + opt.n_epochs_decay
        if opt.epoch_count > last:
            raise UsageError(f"--epoch_count {opt.epoch_count}: training ends with epoch {last} (--n_epochs)")

    def add_flags(self, parser):
        def group(title, description=None):
            return parser.add_argument_group(title, description)

        run = group("run")
        add_run(run)
        add_run_of_training(run)
        add_data(group("data"), self)
        add_schedule(group("schedule"))
        add_saving(group("saving", "Counted in images of one kind and in epochs, not in steps."))
        add_showing(group("showing", "Counted in images of one kind, not in steps."))
        add_validation(group("validation and averaging"))
        hardware = group("hardware")
        add_speed(hardware)
        add_memory(hardware)
        add_networks(group("networks"))
        add_objective(group("objective"))
        add_recipe(
            group(
                "recipe", "Where the released code departs from the paper. --recipe sets all; a flag of its own wins."
            )
        )
        add_text(group("text term"))
        kept = group("kept from the released code", "Its commands go on working; each has one value left.")
        add_kept(kept)
        kept.add_argument("--dataset_mode", choices=["unaligned"], default="unaligned", help="unpaired images")
