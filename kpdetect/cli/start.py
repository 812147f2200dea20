"""The start of the command `kpdetect`. Ctrl-C ends the command without a traceback, even while packages are loaded."""

from __future__ import annotations

import sys

try:
    from kpdetect.training.interrupts import INTERRUPTED, STOPPED, interrupts_end_imports
except KeyboardInterrupt:  # the names are not there yet
    sys.stderr.write("stopped; finished work is saved; run the same command again to continue\n")
    sys.exit(130)


def main() -> None:
    """Load the command line and run it."""
    with interrupts_end_imports():
        try:
            from kpdetect.cli.main import main as command
        except KeyboardInterrupt:
            print(STOPPED, file=sys.stderr)
            sys.exit(INTERRUPTED)
        command()


if __name__ == "__main__":
    main()
