"""The flags that training and testing share, and how a command line is read."""

import argparse
import sys

from data.transforms import PREPROCESS
from models.discriminators import DISCRIMINATORS, smallest_input
from models.generators import GENERATORS, size_multiple, smallest_side
from models.layers import INIT_TYPES, NORMS
from options.argument_types import count_or_all, gpu_list, not_negative, positive, rate
from util.distributed import launched
from util.errors import UsageError
from util.precision import AMP


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one line, raised as UsageError (exit status 2)."""

    def error(self, message):
        raise UsageError(f"{message} (see python {self.prog} --help)")


def yes_no(group, name, help):
    """Add a pair of flags --NAME / --no-NAME, of which neither given means None."""
    group.add_argument(f"--{name}", action=argparse.BooleanOptionalAction, default=None, help=help)


def add_speed_flags(group):
    """Add the switches of how networks are computed, which change speed and rounding alone."""
    group.add_argument(
        "--amp", choices=list(AMP), default="off", help="mixed precision: convolutions and products in 16 bits"
    )
    group.add_argument("--channels_last", action="store_true", help="store pictures pixel by pixel")
    group.add_argument("--compile", action="store_true", help="compile the networks (needs a C++ compiler)")


_NOT_TYPED = object()


class BaseOptions:
    """Parses a command line into a namespace; the subclasses add the flags of their command."""

    program = description = None
    is_train = None
    dataroot_required = True

    def parse(self, args=None):
        """Read and check the flags.

        Args:
            args: a list of strings; None reads ``sys.argv``.

        Returns:
            A namespace with a value for every flag, plus ``isTrain``, ``size_multiple`` and ``smallest_side`` (what
            the sides of the networks' inputs are multiples of, and at least; pixels) and ``given``: the flags that
            were typed, {name: value}.

        Raises:
            UsageError: a flag or a combination of flags that cannot work.
        """
        args = sys.argv[1:] if args is None else list(args)
        parser = Parser(prog=self.program, description=self.description, formatter_class=_HelpFormatter)
        self.add_flags(parser)
        opt = parser.parse_args(args)
        # Parsed again over a mark that defaults do not replace, what is not the mark was typed.
        typed = parser.parse_args(args, argparse.Namespace(**dict.fromkeys(vars(opt), _NOT_TYPED)))
        opt.given = {flag: value for flag, value in vars(typed).items() if value is not _NOT_TYPED}
        self._finish(opt)
        self.check(opt)
        return opt

    def _finish(self, opt):
        opt.isTrain = self.is_train
        if opt.suffix:
            try:
                opt.name = f"{opt.name}_{opt.suffix.format(**vars(opt))}"
            except (KeyError, IndexError, ValueError) as error:
                raise UsageError(f"--suffix {opt.suffix}: {error} is not the name of a flag") from None
        if opt.load_iter:
            opt.epoch = f"iter_{opt.load_iter}"
        self.complete(opt)
        opt.size_multiple = size_multiple(opt.netG)
        least = max(smallest_side(opt.netG), smallest_input(opt.netD, opt.n_layers_D))
        opt.smallest_side = -(-least // opt.size_multiple) * opt.size_multiple

    def complete(self, opt):
        """Give values to flags that follow from others; subclasses do that for their own."""

    def check(self, opt):
        """Refuse what no command can do; subclasses add their own refusals."""
        if len(opt.gpu_ids) > 1 and not launched():
            gpus = ",".join(map(str, opt.gpu_ids))
            raise UsageError(
                f"--gpu_ids {gpus}: one process drives one GPU; for training on {len(opt.gpu_ids)} type "
                f"torchrun --nproc_per_node={len(opt.gpu_ids)} train.py --gpu_ids {gpus} ..."
            )
        if opt.model.lower() != "nerco":
            raise UsageError(f"--model {opt.model}: there is no such model; the choice is NeRCo")
        if (opt.input_nc, opt.output_nc) != (3, 3):
            raise UsageError("--input_nc and --output_nc: only 3 works, the method is made for colour pictures")
        if opt.ngf < 16:
            raise UsageError(f"--ngf {opt.ngf}: must be 16 or more, the mask extractor squeezes ngf to ngf / 16 values")
        if opt.dropout and opt.no_dropout:
            raise UsageError("--dropout and --no_dropout contradict each other: leave one out")

    def add_flags(self, parser):
        """Declare the flags, in groups."""
        group = parser.add_argument_group("data")
        group.add_argument("--dataroot", required=self.dataroot_required, metavar="DIR", help=self.dataroot_help)
        group.add_argument(
            "--direction",
            choices=["AtoB", "BtoA"],
            default="AtoB",
            help="which letter stands for low light: A (AtoB) or B (BtoA)",
        )
        group.add_argument(
            "--max_dataset_size", type=count_or_all, metavar="N", help="use the first N pictures of a folder (inf: all)"
        )
        group.add_argument(
            "--preprocess", choices=PREPROCESS, default=self.default_preprocess, help="how pictures are sized"
        )
        group.add_argument(
            "--load_size", type=positive, default=512, metavar="PIXELS", help="size that --preprocess resizes to"
        )
        group.add_argument(
            "--crop_size", type=positive, default=512, metavar="PIXELS", help="side of the square that is cut out"
        )
        group.add_argument("--num_threads", type=not_negative, default=4, metavar="N", help=self.num_threads_help)

        group = parser.add_argument_group("run")
        group.add_argument("--name", required=True, help="name of the run: its weights lie in CHECKPOINTS_DIR/NAME")
        group.add_argument("--suffix", default="", help="added to the name; {flag} becomes the flag's value, as {netG}")
        group.add_argument("--checkpoints_dir", default="./saves", metavar="DIR", help="where the runs' weights lie")
        group.add_argument("--epoch", default="latest", help="weights to load: latest, an epoch's number, or iter_N")
        group.add_argument(
            "--load_iter", type=not_negative, default=0, metavar="N", help="load the weights iter_N; 0 heeds --epoch"
        )
        group.add_argument(
            "--gpu_ids", type=gpu_list, default="0", metavar="ID", help="GPU to use; -1: CPU, as where there is no GPU"
        )
        group.add_argument("--verbose", action="store_true", help="print the networks, and tracebacks of errors")
        group.add_argument(
            "--display_winsize", type=positive, default=512, metavar="PIXELS", help="width of pictures on web pages"
        )

        group = parser.add_argument_group("networks", self.networks_help)
        group.add_argument("--model", default="NeRCo", help="the model; in any letter case")
        group.add_argument("--input_nc", type=positive, default=3, metavar="N", help="input channels: 3")
        group.add_argument("--output_nc", type=positive, default=3, metavar="N", help="output channels: 3")
        group.add_argument("--ngf", type=positive, default=64, metavar="N", help="width of the generators, from 16 up")
        group.add_argument("--ndf", type=positive, default=64, metavar="N", help="width of the discriminators")
        group.add_argument("--netG", choices=GENERATORS, default=GENERATORS[0], help="enhancer and degrader")
        group.add_argument(
            "--netH",
            choices=["resnet_9blocks"],
            default="resnet_9blocks",
            help="mask extractor; a name from the past, it has three blocks",
        )
        group.add_argument("--netD", choices=DISCRIMINATORS, default="basic", help="discriminators")
        group.add_argument(
            "--n_layers_D", type=positive, default=3, metavar="N", help="layers of --netD n_layers (basic has 3)"
        )
        group.add_argument("--norm", choices=NORMS, default="instance", help="normalisation")
        group.add_argument("--init_type", choices=INIT_TYPES, default="normal", help="initial weights")
        group.add_argument("--init_gain", type=rate, default=0.02, metavar="X", help="scale of the initial weights")
        group.add_argument("--dropout", action="store_true", help="dropout of one half in the generators")
        group.add_argument("--no_dropout", action="store_true", help="no dropout: the default")

        group = parser.add_argument_group("batches", self.batches_help)
        group.add_argument("--batch_size", type=positive, default=1, metavar="N", help=self.batch_size_help)
        group.add_argument("--serial_batches", action="store_true", help="take pictures in order, not at random")
        group.add_argument("--no_flip", action="store_true", help="do not mirror pictures at random")


def check_architecture(opt, built):
    """Refuse flags that contradict the weights.

    Args:
        opt: parsed options.
        built: {flag: value} of the networks that the weights belong to.

    Raises:
        UsageError: names the flag and the weights' value.
    """
    for flag, value in built.items():
        typed = opt.given.get(flag, value)
        if typed != value:
            raise UsageError(f"--{flag} {typed}: the weights in {opt.name} have {value}; leave this flag out")


class _HelpFormatter(argparse.ArgumentDefaultsHelpFormatter):
    """Adds the default to a help line, unless it says nothing (None, or a switch that is off)."""

    def _get_help_string(self, action):
        if action.default is None or action.default is False or action.default in ("", []):
            return action.help
        return super()._get_help_string(action)
