"""The command `kpdetect`. Importing this file loads no large package, so `kpdetect --help` is fast."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Sequence
from typing import Any

import typer

from kpdetect import __version__
from kpdetect.cli.flags import as_flags, options_of
from kpdetect.cli.memory import ADVICE, is_memory_full
from kpdetect.cli.verbs import Verbs
from kpdetect.console import console, show_error
from kpdetect.errors import InputError, KpdetectError
from kpdetect.files.names import is_text, shown
from kpdetect.training.interrupts import INTERRUPTED, STOPPED, interrupts_end_imports

app = typer.Typer(
    name="kpdetect",
    cls=Verbs,
    help="Learn keypoints from images that nobody has labelled, and find them in new images.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def _version(shown: bool) -> None:
    if shown:
        typer.echo(f"kpdetect {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Print the version and exit."),
) -> None:
    pass


UsageError: Any = typer.BadParameter.__base__
"""The class of click, or of the copy of click inside typer."""


REPAIRABLE = (
    errno.ENOSPC, errno.EROFS, errno.EACCES, errno.EPERM, errno.EDQUOT, errno.ENOMEM, errno.ENAMETOOLONG, errno.ELOOP,
)  # fmt: skip
"""Errors of the operating system that a user can repair."""


def main() -> None:
    """Run the command line. Print an error that the user can repair as one line, and exit with 2. Ctrl-C exits with 130."""
    try:
        require_text(sys.argv[1:])
        with interrupts_end_imports(), console(with_flags):
            code = app(prog_name="kpdetect", standalone_mode=False) or 0
    except KeyboardInterrupt:  # before or after the command itself
        code = INTERRUPTED
    except UsageError as error:
        print(_usage_line(error), file=sys.stderr)
        sys.exit(2)
    except KpdetectError as error:
        show_error(with_flags(str(error)))
        sys.exit(error.exit_code)
    except OSError as error:  # a full or locked disk, outside of the code that writes result files
        if error.errno not in REPAIRABLE:
            raise
        advice = "check space and permissions, then run the same command again"
        if error.errno in (errno.ENAMETOOLONG, errno.ELOOP):
            advice = "give another name"
        reason = f"{shown(str(error.filename or 'output'))}: {error.strerror}; {advice}"
        show_error(ADVICE if is_memory_full(error) else reason)
        sys.exit(2)
    except Exception as error:
        if not is_memory_full(error):
            raise
        show_error(ADVICE)
        sys.exit(2)
    if code == INTERRUPTED:
        print(STOPPED, file=sys.stderr)
    sys.exit(code)


def with_flags(text: str) -> str:
    """Replace the parameters that a message of the library names by the options of the current verb."""
    if "`" not in text or len(sys.argv) < 2:
        return text
    group: Any = typer.main.get_command(app)
    return as_flags(text, options_of(group.get_command(None, sys.argv[1])))


def require_text(arguments: Sequence[str]) -> None:
    """Refuse names that are not UTF-8 before anything is written.

    Most libraries cannot open files with such names, and some crash.

    A folder of inputs may have such a name, because its files are opened relative to the folder.

    Raises:
        InputError: an argument is not UTF-8, and it is not a folder of inputs.
    """
    for before, argument in zip(["", *arguments], arguments, strict=False):
        option, value = ("", argument) if not argument.startswith("-") else argument.partition("=")[::2]
        results = before in ("--out", "-o") or option == "--out" or argument.startswith("-o")
        if not is_text(argument) and (results or not os.path.isdir(value)):
            raise InputError(f"{shown(argument)}: the name is not UTF-8; rename it")


def _usage_line(error: Any) -> str:
    """Describe a wrong call in one line. For a call without arguments, return the help."""
    if type(error).__name__ == "NoArgsIsHelpError":
        return str(error.format_message())
    message = " ".join(error.format_message().split()).rstrip(".")
    return f"error: {message}" + (f"; see `{error.ctx.command_path} --help`" if error.ctx else "")


if __name__ == "__main__":
    main()
