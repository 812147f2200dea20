"""A process that does not outlive the one that started it, however that one ends: training that nobody waits for would go on
in a folder in which the repeated command trains too."""

from __future__ import annotations

import os
import signal
import sys
import threading

ATTENDED = "--attended"
"""Argument of a process whose standard input is a pipe that the other one holds open."""


def end_with_parent() -> None:
    """From now on terminate this process, as `kill` would, once its standard input is closed."""
    threading.Thread(target=_wait, daemon=True).start()


def _wait() -> None:
    while os.read(sys.stdin.fileno(), 1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
