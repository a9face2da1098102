"""argparse as both commands use it: types of values, one-line errors, grouped help."""

import argparse
import shutil
import textwrap

from util.errors import UsageError

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
        raise argparse.ArgumentTypeError(f"{text!r} is not {self.wanted}")


def _gpu_numbers(text):
    numbers = [int(part) for part in text.split(",")]
    return [] if numbers[0] < 0 else numbers


positive = Value("a whole number from 1 up", int, lambda n: n >= 1, "N")
pixels = Value("a whole number from 1 up", int, lambda n: n >= 1, "PIXELS")
not_negative = Value("a whole number from 0 up", int, lambda n: n >= 0, "N")
percentage = Value("a whole number from 1 to 100", int, lambda n: 1 <= n <= 100, "1..100")
rate = Value("a number above 0", float, lambda x: 0 < x < float("inf"), "X")
weight = Value("a number from 0 up", float, lambda x: 0 <= x < float("inf"), "X")
momentum = Value("a number from 0 to below 1", float, lambda x: 0 <= x < 1, "X")
fraction = Value("a number from 0 to 1", float, lambda x: 0 <= x <= 1, "0..1")
# No limit (inf) is None.
count_or_all = Value(
    "a whole number from 1 up", lambda text: None if text == "inf" else int(text), lambda n: n is None or n >= 1, "N"
)
# The words auto and off stay text.
tiling = Value(
    "auto, off, or a number of rows from 8 up",
    lambda text: text if text in ("auto", "off") else int(text),
    lambda rows: rows in ("auto", "off") or rows >= 8,
    "auto|off|ROWS",
)
# "0" or "0,1" is a list of numbers, "-1" (no GPU) an empty list.
gpu_list = Value("a GPU number; -1 stands for the CPU", _gpu_numbers, lambda numbers: True, "ID")


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one line, raised as UsageError (exit status 2).

    Args:
        program: ``train.py`` or ``test.py``.
        usage: the flags that the command cannot do without.
        description: one sentence.
        examples: pairs (what for, command).
    """

    def __init__(self, program, usage, description, examples):
        lines = [line for purpose, command in examples for line in (f"  {purpose}:", f"    {command}")]
        super().__init__(
            prog=program,
            usage=f"python %(prog)s {usage} [flags]",
            description=description,
            epilog="\n".join(["examples:", *lines]),
            formatter_class=HelpFormatter,
        )

    def error(self, message):
        raise UsageError(f"{message} (see python {self.prog} --help)")


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
