"""How a command line becomes options: what training and testing have in common."""

import argparse
import os
import shutil
import sys

from models.networks.discriminators import smallest_input
from models.networks.generators import size_multiple, smallest_side
from options.command_line import Parser
from util.distributed import launched
from util.errors import UsageError

_NOT_TYPED = object()


class BaseOptions:
    """Parses a command line into a namespace; the subclasses say which flags their command has."""

    program = usage = description = None
    examples = ()
    is_train = None

    def parser(self):
        """The command's argument parser, with all its flags."""
        parser = Parser(self.program, self.usage, self.description, self.examples)
        self.add_flags(parser)
        return parser

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
        parser = self.parser()
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

    def add_flags(self, parser):
        """Declare the flags of the command, in groups."""
        raise NotImplementedError

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
        compilers = (os.environ.get("CXX"), "g++", "clang++", "cl")
        if opt.compile and not any(name and shutil.which(name) for name in compilers):
            raise UsageError(
                "--compile: no C++ compiler is there; install g++, name one in CXX, or leave this flag out"
            )
        if opt.model.lower() != "nerco":
            raise UsageError(f"--model {opt.model}: there is no such model; the choice is NeRCo")
        if (opt.input_nc, opt.output_nc) != (3, 3):
            raise UsageError("--input_nc and --output_nc: only 3 works, the method is made for colour images")
        if opt.ngf < 16:
            raise UsageError(f"--ngf {opt.ngf}: must be 16 or more, the mask extractor squeezes ngf to ngf / 16 values")
        if opt.dropout and opt.no_dropout:
            raise UsageError("--dropout and --no_dropout contradict each other: leave one out")


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
