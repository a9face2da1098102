"""How a command line is read, and how its help looks."""

import argparse
import shutil
import textwrap

from util.errors import UsageError

WIDEST = 120  # columns; longer lines are hard to read on a wider terminal, too
FLAGS_UP_TO = 28  # the column from which on flags are explained


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
    """Adds the default to each flag's help, unless there is none to name: what happens then is in the help itself.

    Lines of running text that begin with a space are kept as they are.
    """

    def __init__(self, prog, **settings):
        width = min(shutil.get_terminal_size().columns, WIDEST) - 2
        super().__init__(prog, **{"max_help_position": FLAGS_UP_TO, "width": width, **settings})

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
    """The default of a flag as it would be typed; None where that is nothing, or a switch that is off."""
    default = action.default
    if default is None or default is False or default in ("", [], argparse.SUPPRESS):
        return None
    if isinstance(default, list):
        return " ".join(repr(text) for text in default)
    return f"{default:g}" if isinstance(default, float) else str(default)


def add_yes_no(group, name, help):
    """Add a pair of flags --NAME / --no-NAME, of which neither given means None."""
    group.add_argument(f"--{name}", action=argparse.BooleanOptionalAction, default=None, help=help)
