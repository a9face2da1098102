"""The two ways a command can end badly, and the one line that it then prints."""

import sys
import traceback


class UsageError(Exception):
    """The command line, an option or a name on it is wrong: exit status 2."""

    exit_status = 2


class WorkError(Exception):
    """The command was understood and the work failed (a file, a checkpoint, a device): exit status 1."""

    exit_status = 1


def run_command(main, verbose):
    """Call ``main()`` and return the exit status of the process.

    Args:
        main: the command, called without arguments; returns an exit status or None (success).
        verbose: whether an error's traceback is printed in front of its line.

    Returns:
        0 for success, 1 for failed work, 2 for wrong usage, 130 when interrupted from the keyboard.
    """
    try:
        return main() or 0
    except (UsageError, WorkError) as error:
        if verbose:
            traceback.print_exc()
        print(f"error: {error}", file=sys.stderr)
        return error.exit_status
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
