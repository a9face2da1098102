"""argparse as both commands use it: types of values, one-line errors, grouped help."""

import argparse
import pkgutil
import re
import reprlib
import shutil
import sys
import textwrap

from options.other_names import hint_for
from util.errors import UsageError, WorkError

MOST_COLUMNS = 120  # longer lines are hard to read on a wider terminal, too
HELP_COLUMN = 28  # where the explanations of the flags begin


class Value:
    """What the value of a flag can be, for ``type=`` of ``add_argument``: called with a text, it returns the value.

    Args:
        wanted: what the error says is wanted: "a number above 0".
        read: makes the value from the text; raises ValueError where it cannot.
        allowed: whether a value that could be read is in range.
        metavar: what the help shows in place of a value.
    """

    def __init__(self, wanted, read, allowed, metavar):
        self.wanted, self.read, self.allowed, self.metavar = wanted, read, allowed, metavar

    def __call__(self, text):
        try:
            value = self.read(text)
        except ValueError:
            pass
        else:
            if self.allowed(value):
                return value
        raise argparse.ArgumentTypeError(f"{reprlib.repr(text)} is not {self.wanted}")


def whole(least, most, metavar="N", read=int):
    """A ``Value``: whole numbers of a range. Beyond it lie slips of the keyboard, which hang or fill the memory."""
    return Value(f"a whole number from {least} to {most}", read, lambda n: n is None or least <= n <= most, metavar)


def _gpu_numbers(text):
    if text == "mps":
        return [text]
    numbers = [int(part) for part in text.split(",")]
    return [] if numbers[0] < 0 else numbers


positive = whole(1, 10**9)
not_negative = whole(0, 10**9)
epochs = whole(1, 10**6)
epochs_or_none = whole(0, 10**6)
pixels = whole(1, 16384, "PIXELS")
channels = whole(1, 1024)
layers = whole(1, 10)
batch = whole(1, 4096)
threads = whole(0, 256)
seed = whole(0, 2**63 - 1)
port = whole(1, 65535, "PORT")
percentage = whole(1, 100, "1..100")
count_or_all = whole(1, 10**9, read=lambda text: None if text == "inf" else int(text))  # no limit (inf) is None
# In the CycleGAN family -1 is typed to do without visdom, and 0 here.
window = whole(0, 10**9, read=lambda text: 0 if text == "-1" else int(text))
rate = Value("a number above 0", float, lambda x: 0 < x < float("inf"), "X")
stretch = Value("a number from 0.1 to 10", float, lambda x: 0.1 <= x <= 10, "X")
weight = Value("a number from 0 up", float, lambda x: 0 <= x < float("inf"), "X")
momentum = Value("a number from 0 to below 1", float, lambda x: 0 <= x < 1, "X")
fraction = Value("a number from 0 to 1", float, lambda x: 0 <= x <= 1, "0..1")
# The words auto and off stay text.
tiling = Value(
    "auto, off, or a number of rows from 8 to 16384",
    lambda text: text if text in ("auto", "off") else int(text),
    lambda rows: rows in ("auto", "off") or 8 <= rows <= 16384,
    "auto|off|ROWS",
)
# "0" or "0,1" is a list of numbers, "-1" (no GPU) an empty list, "mps" one of that word.
gpu_list = Value(
    "a GPU number; -1 stands for the CPU, mps for an Apple GPU",
    _gpu_numbers,
    lambda numbers: numbers == ["mps"] or all(number >= 0 for number in numbers),
    "ID",
)


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one line, raised as UsageError (exit status 2).

    Args:
        program: ``train.py`` or ``test.py``.
        usage: the flags that the command cannot do without.
        description: one sentence.
        examples: pairs (what for, command).
        other: the options of the other command, "module:class", whose flags an error can name.
    """

    def __init__(self, program, usage, description, examples, other=None):
        lines = [line for purpose, command in examples for line in (f"  {purpose}:", f"    {command}")]
        super().__init__(
            prog=program,
            usage=f"python %(prog)s {usage} [flags]",
            description=description,
            epilog="\n".join(["examples:", *lines]),
            formatter_class=HelpFormatter,
            allow_abbrev=False,  # what is short today is ambiguous, or something else, when another flag comes
        )
        self.other = other

    def parse_known_args(self, args=None, namespace=None):
        flags = self._option_string_actions
        for word in sys.argv[1:] if args is None else args:
            typed = word.partition("=")[0]
            if word == "--":
                break
            if re.match(r"-[^\d.\s]\S*$", typed) and typed not in flags:
                hint = self._flag_of_the_other(typed) or hint_for(typed, list(flags)) or ""
                self.error(f"{reprlib.repr(typed)[1:-1]}: there is no such flag{hint and '; '}{hint}")
        return super().parse_known_args(args, namespace)

    def _flag_of_the_other(self, typed):
        """A hint if it is a flag of the other command. Loaded only now: neither command needs the other's options."""
        other = pkgutil.resolve_name(self.other)() if self.other else None
        known = other and typed in other.parser()._option_string_actions
        return f"{other.program} has it: leave it out" if known else None

    def error(self, message):
        if message.startswith("unrecognized arguments: "):  # words that no flag comes before: flags are known by now
            words = message.partition(": ")[2]
            message = f"{words}: belongs to no flag; put a value with spaces in it into quotation marks"
        raise UsageError(f"{message} (see python {self.prog} --help)")

    def check_stored(self, values, where):
        """Check stored values as if they had been typed, and return them as argparse would.

        Args:
            values: {flag: value as JSON has it}; what is no flag of this command is left out.
            where: the file that holds them, for the error.

        Returns:
            {flag: value}.

        Raises:
            WorkError: a value that the command line would not take; names file, flag and value.
        """
        flags = {action.dest: action for action in self._actions}
        checked = {}
        for flag, value in values.items():
            if flag in flags:
                try:
                    checked[flag] = self._stored(flags[flag], value)
                except argparse.ArgumentError as error:
                    raise WorkError(f"{where}: {flag}: {error.message}; correct it, or remove this entry") from None
        return checked

    def _stored(self, action, value):
        if value is None and action.default is None:
            return None
        if action.nargs == 0:
            if isinstance(value, bool):
                return value
            raise argparse.ArgumentError(action, f"{value!r} is neither true nor false")
        several = isinstance(value, list)
        if several != isinstance(action.default, list) or (action.nargs == "+" and not value):
            wanted = "a list of values" if isinstance(action.default, list) else "one value"
            raise argparse.ArgumentError(action, f"{value!r} is not {wanted}")
        if action.nargs == "+":
            return [self._stored_text(action, part) for part in value]
        return self._stored_text(action, ",".join(map(str, value)) if several else value) if value != [] else []

    def _stored_text(self, action, value):
        """A value as its text would be read; flags that take any text take nothing else."""
        if action.type is None and not isinstance(value, str):
            raise argparse.ArgumentError(action, f"{value!r} is not a text")
        value = self._get_value(action, str(value))
        self._check_value(action, value)
        return value


class HelpFormatter(argparse.HelpFormatter):
    """Ends each flag's help with its default. Lines of running text that begin with a space are kept as they are.

    A flag without a default, or with an empty one, says in its own words what happens when it is not given.
    """

    def __init__(self, prog, **settings):
        width = min(shutil.get_terminal_size().columns, MOST_COLUMNS) - 2
        super().__init__(prog, **{"max_help_position": HELP_COLUMN, "width": width, **settings})

    def _get_default_metavar_for_optional(self, action):
        return getattr(action.type, "metavar", action.dest.upper())

    def _get_help_string(self, action):
        default = shown_default(action)
        return action.help if default is None else f"{action.help} (default: {default})".replace("%", "%%")

    def _fill_text(self, text, width, indent):
        return "\n".join(
            indent + line
            if line.startswith(" ")
            else textwrap.fill(line, width, initial_indent=indent, subsequent_indent=indent)
            for line in text.splitlines()
        )


def shown_default(action):
    """The default of a flag as it would be typed; None where it is empty, or a switch that is off."""
    default = action.default
    if default is None or default is False or default in ("", [], argparse.SUPPRESS):
        return None
    if isinstance(default, list):
        return " ".join(repr(text) for text in default)
    return f"{default:g}" if isinstance(default, float) else str(default)
