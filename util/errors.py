"""The two ways a command can end badly, and the one line that it then prints."""

import sys
import traceback

from util.terminal import interruptible, lasting_streams


class UsageError(Exception):
    """The command line, an option or a name on it is wrong: exit status 2."""

    exit_status = 2


class WorkError(Exception):
    """The command was understood and the work failed (a file, a checkpoint, a device): exit status 1."""

    exit_status = 1


def reason_of(error):
    """Why the system refused something (an OSError), in small letters: "no space left on device"."""
    return (error.strerror or str(error)).lower()


def run_command(main, verbose):
    """Call ``main()`` and return the exit status of the process.

    Args:
        main: the command, called without arguments; returns an exit status or None (success).
        verbose: whether an error's traceback is printed in front of its line.

    Returns:
        0 for success, 1 for failed work (or lost output), 2 for wrong usage, 130 when interrupted from the keyboard.
    """
    with lasting_streams() as lost:
        status = _status(main, verbose)
        sys.stdout.flush()
        return status or int(lost())


def _status(main, verbose):
    try:
        with interruptible():
            return main() or 0
    except SystemExit as end:  # argparse's, after --help
        return end.code or 0
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    except (UsageError, WorkError, OSError) as error:
        # What the system refuses in an unexpected place (a full disk, a read-only folder) is no bug, either.
        if isinstance(error, OSError) and error.errno is None:
            raise
        if verbose:
            traceback.print_exc()
        print(f"error: {_line_of(error)}", file=sys.stderr)
        return getattr(error, "exit_status", 1)


def _line_of(error):
    if not isinstance(error, OSError):
        return str(error)
    return ": ".join(str(part) for part in (error.filename, reason_of(error)) if part)
