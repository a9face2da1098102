"""The flags that training and testing share, group by group."""

from data.transforms import PREPROCESS
from models.networks.discriminators import DISCRIMINATORS
from models.networks.generators import GENERATORS
from models.networks.layers import INIT_TYPES, NORMS
from options.argument_types import count_or_all, gpu_list, not_negative, positive, rate
from util.precision import AMP


def add_run(group):
    """Add what names a run, its weights and the device."""
    group.add_argument(
        "--name", required=True, metavar="NAME", help="name of the run: its weights lie in CHECKPOINTS_DIR/NAME"
    )
    group.add_argument(
        "--suffix",
        default="",
        metavar="TEXT",
        help="added to the name after a _; {flag} becomes the flag's value, as in {netG} (default: nothing)",
    )
    group.add_argument("--checkpoints_dir", default="./saves", metavar="DIR", help="where the runs' folders lie")
    group.add_argument(
        "--epoch", default="latest", metavar="EPOCH", help="weights to load: latest, best, iter_N, or an epoch's number"
    )
    group.add_argument(
        "--load_iter",
        type=not_negative,
        default=0,
        metavar="N",
        help="load the weights iter_N, saved after N images; 0: those of --epoch",
    )
    group.add_argument(
        "--gpu_ids",
        type=gpu_list,
        default="0",
        metavar="ID",
        help="number of the GPU to compute on; -1: the CPU, as where there is no GPU",
    )
    group.add_argument("--verbose", action="store_true", help="print the networks, and tracebacks of errors")


def add_data(group, command):
    """Add what says where images come from and how they are prepared.

    Args:
        command: the ``BaseOptions`` whose words and defaults are used.
    """
    group.add_argument("--dataroot", required=command.dataroot_required, metavar="DIR", help=command.dataroot_help)
    group.add_argument("--phase", default=command.phase, metavar="PHASE", help=command.phase_help)
    group.add_argument(
        "--direction",
        choices=["AtoB", "BtoA"],
        default="AtoB",
        help="which letter stands for low light: A (AtoB) or B (BtoA)",
    )
    group.add_argument(
        "--max_dataset_size",
        type=count_or_all,
        metavar="N",
        help="use the first N images of a folder; inf: all of them (default: all)",
    )
    group.add_argument(
        "--preprocess",
        choices=PREPROCESS,
        default=command.preprocess,
        help="how images are sized: resize to a square of --load_size, scale to that width, crop a square of "
        "--crop_size, or none of it",
    )
    group.add_argument(
        "--load_size", type=positive, default=512, metavar="PIXELS", help="size that --preprocess resizes to, pixels"
    )
    group.add_argument(
        "--crop_size", type=positive, default=512, metavar="PIXELS", help="side of the square that is cut out, pixels"
    )
    group.add_argument("--batch_size", type=positive, default=1, metavar="N", help=command.batch_size_help)
    group.add_argument("--serial_batches", action="store_true", help=command.serial_batches_help)
    group.add_argument("--no_flip", action="store_true", help=command.no_flip_help)
    group.add_argument("--num_threads", type=not_negative, default=4, metavar="N", help=command.num_threads_help)


def add_networks(group):
    """Add the shape of the networks."""
    group.add_argument(
        "--ngf", type=positive, default=64, metavar="N", help="width of the generators, channels; 16 or more"
    )
    group.add_argument("--ndf", type=positive, default=64, metavar="N", help="width of the discriminators, channels")
    group.add_argument(
        "--netG", choices=GENERATORS, default="resnet_9blocks", help="generators: the enhancer and the degrader"
    )
    group.add_argument("--netD", choices=DISCRIMINATORS, default="basic", help="discriminators")
    group.add_argument(
        "--n_layers_D",
        type=positive,
        default=3,
        metavar="N",
        help="layers of the discriminators with --netD n_layers; basic always has 3",
    )
    group.add_argument("--norm", choices=NORMS, default="instance", help="normalisation in the networks")
    group.add_argument(
        "--init_type", choices=INIT_TYPES, default="normal", help="how initial weights are drawn in a new run"
    )
    group.add_argument("--init_gain", type=rate, default=0.02, metavar="X", help="scale of the initial weights")
    group.add_argument("--dropout", action="store_true", help="drop half of the values in the generators' blocks")


def add_speed(group):
    """Add the switches of how networks are computed, which change speed and rounding alone."""
    group.add_argument(
        "--amp", choices=list(AMP), default="off", help="mixed precision: convolutions and products in 16 bits"
    )
    group.add_argument(
        "--channels_last",
        action="store_true",
        help="store all channels of a pixel together, in place of planes; on a CPU, images always are",
    )
    group.add_argument("--compile", action="store_true", help="compile the networks (needs a C++ compiler)")


def add_kept(group):
    """Add flags of the released code that have a single value left."""
    group.add_argument("--model", default="NeRCo", metavar="NAME", help="the model, in any letter case")
    group.add_argument("--input_nc", type=positive, default=3, metavar="N", help="channels of the input; 3 alone works")
    group.add_argument(
        "--output_nc", type=positive, default=3, metavar="N", help="channels of the output; 3 alone works"
    )
    group.add_argument(
        "--netH",
        choices=["resnet_9blocks"],
        default="resnet_9blocks",
        help="mask extractor; a name from the past, it has three blocks",
    )
    group.add_argument("--no_dropout", action="store_true", help="no dropout, as without this flag")
