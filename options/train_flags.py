"""The flags that train.py alone has, group by group."""

from models.ablation import PARTS
from models.losses.edges import EDGE_FILTERS
from models.losses.gan import GAN_MODES
from models.networks.nrn import COORDS
from models.optim.schedules import POLICIES
from options.argument_types import momentum, not_negative, positive, rate, weight
from options.command_line import add_yes_no
from options.recipes import parts


def add_run_of_training(group):
    """Add what a training run starts from."""
    group.add_argument(
        "--continue_train",
        action="store_true",
        help="go on with the run NAME where the weights --epoch were saved, with its options",
    )
    group.add_argument(
        "--init_from",
        metavar="DIR",
        help="start a new run from the networks whose latest weights this folder holds (default: all start at random)",
    )
    group.add_argument(
        "--dry_run",
        action="store_true",
        help="check options, data and weights, print the plan, and stop; nothing is written or downloaded",
    )
    group.add_argument(
        "--seed",
        type=not_negative,
        default=0,
        metavar="N",
        help="whole number from which weights, order, crops, flips and pools are drawn",
    )
    group.add_argument(
        "--deterministic", action="store_true", help="on a GPU, too, equal runs give equal weights; slower"
    )


def add_schedule(group):
    """Add how long training takes, and its learning rate."""
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
    group.add_argument("--beta1", type=momentum, default=0.5, metavar="X", help="first momentum of Adam, below 1")
    group.add_argument("--lr_policy", choices=POLICIES, default="linear", help="how the learning rate falls")
    group.add_argument(
        "--lr_decay_iters",
        type=positive,
        default=50,
        metavar="N",
        help="epochs after which --lr_policy step divides the learning rate by 10",
    )


def add_objective(group):
    """Add what the networks are trained for."""
    group.add_argument("--gan_mode", choices=GAN_MODES, default="lsgan", help="adversarial objective")
    group.add_argument(
        "--lambda_gp",
        type=weight,
        default=0.0,
        metavar="X",
        help="weight of the gradient penalty of --gan_mode wgangp, whose authors took 10; 0: none",
    )
    group.add_argument(
        "--pool_size",
        type=not_negative,
        default=50,
        metavar="N",
        help="former fakes that each pool keeps to show to the discriminators, images",
    )
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
    group.add_argument(
        "--lambda_simulation",
        type=weight,
        default=0.0,
        metavar="X",
        help="weight of B against what the enhancer makes of it after simulated darkening (not in the paper); 0: none",
    )
    group.add_argument(
        "--simulation_epochs",
        type=not_negative,
        default=0,
        metavar="N",
        help="first epochs, in which the enhancer learns from simulated low light alone, several times as fast",
    )
    group.add_argument(
        "--freeze_norm_epoch",
        type=not_negative,
        default=0,
        metavar="N",
        help="number of the first epoch in which the generators' batch norms keep their statistics; 0: none",
    )
    group.add_argument(
        "--edge_filter", choices=EDGE_FILTERS, default="gradient", help="high-pass filter of the edge discriminators"
    )
    group.add_argument(
        "--ablate",
        type=parts,
        default=[],
        metavar="PARTS",
        help="leave out parts, joined by commas: "
        + "; ".join(f"{part} ({then})" for part, then in PARTS.items())
        + " (default: all parts are there)",
    )


def add_text(group):
    """Add what CLIP is asked."""
    group.add_argument("--no_text", action="store_true", help="train without CLIP and the text term")
    group.add_argument(
        "--clip_path",
        metavar="PATH",
        help="CLIP's RN50.pt or its folder (default: the cache folder, into which it is downloaded if need be)",
    )
    group.add_argument(
        "--prompt_low", nargs="+", default=["low light image"], metavar="TEXT", help="what low light looks like"
    )
    group.add_argument(
        "--prompt_high", nargs="+", default=["high light image"], metavar="TEXT", help="what normal light looks like"
    )


def add_recipe(group):
    """Add the paper, the released code, and each of their differences."""
    group.add_argument("--recipe", choices=["paper", "released"], default="paper", help="which of the two")
    group.add_argument(
        "--nrn_coords",
        choices=COORDS,
        help="pixel coordinates of the NRN (default: the recipe's; paper: absolute, released: cancelled)",
    )
    add_yes_no(
        group,
        "text_gradient",
        "the text term trains the generators, or its images pass through pools, which detach them "
        "(default: the recipe's; paper: yes, released: no)",
    )
    group.add_argument(
        "--clip_input",
        choices=["normalized", "raw"],
        help="what CLIP sees: values with its mean and deviation, or [-1, 1] ones "
        "(default: the recipe's; paper: normalized, released: raw)",
    )
    group.add_argument(
        "--edge_adversary",
        choices=["edges", "image"],
        help="what the edge discriminators judge in the generators' step "
        "(default: the recipe's; paper: edges, released: image)",
    )
    group.add_argument(
        "--edge_projection",
        choices=["fixed", "random"],
        help="how an edge map becomes three channels (default: the recipe's; paper: fixed, released: random)",
    )


def add_memory(group):
    """Add what trades memory for time."""
    group.add_argument(
        "--cache", action="store_true", help="keep decoded images in memory, as many as fit into half of what is free"
    )
    group.add_argument(
        "--checkpoint_activations",
        action="store_true",
        help="compute the networks' insides again in the backward pass: less memory, more time",
    )
