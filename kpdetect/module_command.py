"""The command lines of modules, `python -m MODULE`: their parser, their error line and their exit code.

The verbs of the command `kpdetect` are in `kpdetect.cli`.
"""

from __future__ import annotations

from argparse import ArgumentParser, RawTextHelpFormatter
from collections.abc import Callable

from kpdetect.console import console, show_error
from kpdetect.errors import KpdetectError
from kpdetect.training.interrupts import INTERRUPTED


def module_parser(module: str, document: str | None) -> ArgumentParser:
    """Make the parser of `python -m MODULE`. Its help shows the docstring `document` as it is written."""
    return ArgumentParser(prog=f"python -m {module}", description=document, formatter_class=RawTextHelpFormatter)


def exit_code(work: Callable[[], int | None]) -> int:
    """Do the work of a command, with messages and progress on standard error.

    An error that a user can cause is printed as one line.

    Returns:
        What `work` returns, 0 for None; 2 after an error that a user can cause, and 130 after Ctrl-C.
    """
    try:
        with console():
            return work() or 0
    except KpdetectError as error:
        show_error(error)
        return error.exit_code
    except KeyboardInterrupt:
        return INTERRUPTED
