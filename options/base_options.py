"""The flags that training and testing share, and how a command line becomes options."""

import argparse
import os
import re
import shutil
import sys
from pathlib import Path
from unicodedata import category

from data.transforms import PREPROCESS
from models.networks.discriminators import DISCRIMINATORS, smallest_input
from models.networks.generators import GENERATORS, size_multiple, smallest_side
from models.networks.layers import INIT_TYPES, NORMS
from options.command_line import (
    Parser,
    batch,
    channels,
    count_or_all,
    gpu_list,
    layers,
    not_negative,
    pixels,
    positive,
    rate,
    threads,
)
from util.distributed import launched, processes_here
from util.errors import UsageError
from util.precision import AMP

LONGEST_NAME = 200  # bytes; file systems take 255, and files of a run add to it
_NOT_TYPED = object()


class BaseOptions:
    """Parses a command line into a namespace; ``TrainOptions`` and ``TestOptions`` add the flags of their command.

    A subclass sets ``is_train``, what its help says (``program``, ``usage``, ``description``, ``examples``,
    ``other``: see ``Parser``), and the ``groups`` of its flags in the order of the help: pairs (title, words below
    it or None).
    """

    is_train = other = None
    program = usage = description = None
    examples = groups = ()

    def parser(self):
        """The command's argument parser, with all its flags."""
        parser = Parser(self.program, self.usage, self.description, self.examples, self.other)
        self.add_flags({title: parser.add_argument_group(title, words) for title, words in self.groups})
        return parser

    def add_flags(self, groups):
        """Declare the flags of both commands; a subclass adds its own.

        Args:
            groups: {title: argparse's group}.
        """

        def by_command(train, test):
            return train if self.is_train else test

        # A table, one flag a row.
        # fmt: off
        add = groups["run"].add_argument
        add("--name", required=True, help="name of the run: its weights lie in CHECKPOINTS_DIR/NAME")
        add("--suffix", default="", metavar="TEXT",
            help="added to the name after a _; {flag} becomes the flag's value, as in {netG} (default: nothing)")
        add("--checkpoints_dir", default="./saves", metavar="DIR", help="where the runs' folders lie")
        add("--epoch", default="latest", help="weights to load: latest, best, iter_N, or an epoch's number")
        add("--load_iter", type=not_negative, default=0,
            help="load the weights iter_N, saved after N images; 0: those of --epoch")
        add("--gpu_ids", type=gpu_list, default=[0],
            help="number of the GPU to compute on; mps: Apple's; -1: the CPU, which is also used where there is no GPU")
        add("--verbose", action="store_true", help="print the networks, and tracebacks of errors")

        add = groups["data"].add_argument
        add("--dataroot", required=self.is_train, metavar="DIR", help=by_command(
            train="folder that holds trainA (low light) and trainB (normal light)",
            test="an image, a video, a folder of images (subfolders, too), or a folder that holds testA; needed unless "
            "--export is given"))
        add("--phase", default=by_command(train="train", test="test"), help=by_command(
            train="the images lie in DATAROOT/{PHASE}A and {PHASE}B",
            test="look for the images in DATAROOT/{PHASE}A first; results are named after it"))
        add("--direction", choices=("AtoB", "BtoA"), default="AtoB",
            help="which letter stands for low light: A (AtoB) or B (BtoA)")
        add("--max_dataset_size", type=count_or_all,
            help="use the first N images of a folder; inf: all of them (default: all)")
        add("--preprocess", choices=PREPROCESS, default=by_command(train="resize_and_crop", test="none"),
            help="how images are sized: resize to a square of --load_size, scale to that width, crop a square of "
            "--crop_size, or none of it")
        add("--load_size", type=pixels, default=512, help="size that --preprocess resizes to, pixels")
        add("--crop_size", type=pixels, default=512, help="side of the square that is cut out, pixels")
        add("--batch_size", type=batch, default=1, help=by_command(
            train="images of each kind per step, and per process with torchrun",
            test="images that are enhanced together if they follow each other and have one size"))
        add("--serial_batches", action="store_true", help=by_command(
            train="take images in order, not at random",
            test="no effect: images are always taken in the order of their paths"))
        add("--no_flip", action="store_true", help=by_command(
            train="do not mirror images at random",
            test="no effect: images are never mirrored"))
        add("--num_threads", type=threads, default=by_command(train=4, test=None), help=by_command(
            train="worker processes that load images, at most one per core; 0: the main process loads",
            test="images decoded ahead, and results written at a time; 0 counts as 1 (default: one per core)"))

        add = groups["hardware"].add_argument
        add("--amp", choices=AMP, default="off", help="mixed precision: convolutions and products in 16 bits; "
            "fp32 on a CPU that has no such arithmetic")
        add("--force_amp", action="store_true", help="--amp on such a CPU, too: slower, with half of the memory")
        add("--channels_last", action="store_true",
            help="store the channels of a pixel side by side, not in planes; on a CPU, images always are")
        add("--compile", action="store_true", help="compile the networks (needs a C++ compiler)")

        add = groups["networks"].add_argument
        add("--ngf", type=channels, default=64, help="width of the generators, channels")
        add("--ndf", type=channels, default=64, help="width of the discriminators, channels")
        add("--netG", choices=GENERATORS, default="resnet_9blocks", help="generators: the enhancer and the degrader")
        add("--netD", choices=DISCRIMINATORS, default="basic", help="discriminators")
        add("--n_layers_D", type=layers, default=3,
            help="layers of the discriminators with --netD n_layers; basic always has 3")
        add("--norm", choices=NORMS, default="instance", help="normalisation in the networks")
        add("--init_type", choices=INIT_TYPES, default="normal", help="how initial weights are drawn in a new run")
        add("--init_gain", type=rate, default=0.02, help="scale of the initial weights")
        add("--dropout", action="store_true", help="drop half of the values in the generators' blocks")

        add = groups["kept from the released code"].add_argument
        add("--model", default="NeRCo", metavar="NAME", help="the model, in any letter case")
        add("--input_nc", type=positive, default=3, help="channels of the input; only 3 works")
        add("--output_nc", type=positive, default=3, help="channels of the output; only 3 works")
        add("--netH", choices=("resnet_9blocks",), default="resnet_9blocks",
            help="mask extractor; despite its name it has three blocks")
        add("--no_dropout", action="store_true", help="no dropout, as without this flag")
        # fmt: on

    def parse(self, args=None):
        """Read and check the flags.

        Args:
            args: a list of strings; None reads ``sys.argv``.

        Returns:
            A namespace with a value for every flag, plus ``isTrain``; ``size_multiple`` and ``smallest_side`` (pixels:
            what the sides of the networks' inputs are multiples of, and at least); and ``given``: the flags that were
            typed, {name: value}.

        Raises:
            UsageError: a flag or a combination of flags that cannot work.
            WorkError: options or weights that the run goes on from cannot be read.
        """
        args = sys.argv[1:] if args is None else list(args)
        parser = self.parser()
        opt = parser.parse_args(args)
        # Parsed again over marks, which defaults do not replace: what is no longer the mark was typed.
        typed = parser.parse_args(args, argparse.Namespace(**dict.fromkeys(vars(opt), _NOT_TYPED)))
        opt.given = {flag: value for flag, value in vars(typed).items() if value is not _NOT_TYPED}
        opt.isTrain = self.is_train
        if opt.suffix:
            opt.name = f"{opt.name}_{filled(opt.suffix, vars(opt))}"
        if opt.load_iter:
            opt.epoch = f"iter_{opt.load_iter}"
        self.complete(opt)
        opt.size_multiple = size_multiple(opt.netG)
        least = max(smallest_side(opt.netG), smallest_input(opt.netD, opt.n_layers_D))
        opt.smallest_side = -(-least // opt.size_multiple) * opt.size_multiple  # rounded up to a multiple
        self.check(opt)
        return opt

    def complete(self, opt):
        """Give values to flags that follow from others; subclasses do that for their own."""

    def check(self, opt):
        """Refuse what no command can do; subclasses add their own refusals."""
        for flag, place in (("name", "--checkpoints_dir"), ("epoch", "--checkpoints_dir"), ("phase", "--dataroot")):
            value = getattr(opt, flag)
            if not is_one_name(value):
                raise UsageError(
                    f"--{flag} {value!r}: must be one name, without slashes and control characters, of at most "
                    f"{LONGEST_NAME} bytes; a folder to look in is named by {place}"
                )
        typed, processes = opt.given.get("gpu_ids") or [], processes_here()
        if (len(typed) > 1 or launched()) and len(typed) not in (0, processes):
            gpus = ",".join(map(str, typed))
            raise UsageError(
                f"--gpu_ids {gpus}: one process drives one GPU, and this machine runs {processes}; type "
                f"torchrun --nproc_per_node={len(typed)} {self.program} --gpu_ids {gpus} ..."
            )
        compilers = (os.environ.get("CXX"), "g++", "clang++", "cl")
        if opt.compile and not any(name and shutil.which(name) for name in compilers):
            raise UsageError("--compile: no C++ compiler found; install g++, name one in CXX, or leave this flag out")
        if opt.model.lower() != "nerco":
            raise UsageError(f"--model {opt.model}: there is no such model; the choice is NeRCo")
        if (opt.input_nc, opt.output_nc) != (3, 3):
            raise UsageError("--input_nc and --output_nc: only 3 works, the method is made for colour images")
        if opt.dropout and opt.no_dropout:
            raise UsageError("--dropout and --no_dropout contradict each other: leave one out")


def filled(suffix, values):
    """A suffix in which each {flag} is replaced by the flag's value.

    Raises:
        UsageError: braces that do not hold the name of a flag.
    """

    def value(match):
        if match[1] not in values:
            raise UsageError(f"--suffix {suffix}: {match[0]} is not the name of a flag in braces")
        return str(values[match[1]])

    return re.sub(r"\{([^{}]*)\}|[{}]", value, suffix)


def is_one_name(text):
    """Whether a text can be the name of one folder, and a part of the names of files: no path leads out of it."""
    one = Path(text).name == text and text != ".." and "\\" not in text
    return (
        one and text.strip() != "" and all(category(c) != "Cc" for c in text) and len(os.fsencode(text)) <= LONGEST_NAME
    )


def check_architecture(opt, built, where):
    """Refuse flags that contradict the weights.

    Args:
        opt: parsed options.
        built: {flag: value} of the networks that the weights belong to.
        where: the weights' folder or name, for the error.

    Raises:
        UsageError: names the flag and the weights' value.
    """
    for flag, value in built.items():
        typed = opt.given.get(flag, value)
        if typed != value:
            raise UsageError(f"--{flag} {typed}: the weights in {where} have {value}; leave this flag out")
