"""Where the command begins: Ctrl-C ends it without a traceback from here on, while packages are loaded too."""

from __future__ import annotations

import sys

from kpdetect.training.interrupts import INTERRUPTED, STOPPED, interrupts_end_imports


def main() -> None:
    """Load the command line, which takes a moment, and run it."""
    with interrupts_end_imports():
        try:
            from kpdetect.cli.main import main as command
        except KeyboardInterrupt:
            print(STOPPED, file=sys.stderr)
            sys.exit(INTERRUPTED)
        command()


if __name__ == "__main__":
    main()
