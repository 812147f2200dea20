"""Show messages and progress of the library on standard error.

On a terminal, one line of progress is updated in place. Elsewhere, for example in a log file, a new line is written now and
then.
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from kpdetect.messages import log
from kpdetect.progress import Status, listening

TERMINAL_PAUSE = 0.2
"""Seconds between two lines of progress on a terminal."""
PLAIN_PAUSE = 20.0
"""Seconds between two lines of progress elsewhere, for example in a log file."""


class _Messages(logging.Handler):
    """A logging handler that writes to `sys.stderr`, even if it has been replaced."""

    def __init__(self, wording: Callable[[str], str]) -> None:
        super().__init__()
        self.wording = wording

    def emit(self, record: logging.LogRecord) -> None:
        lead = "\r\033[K" if sys.stderr.isatty() else ""
        lead += "warning: " if record.levelno >= logging.WARNING else ""
        print(f"{lead}{self.wording(record.getMessage())}", file=sys.stderr, flush=True)


class ProgressLine:
    """A listener that prints progress to standard error.

    Args:
        pause: seconds between two lines. None: `TERMINAL_PAUSE` if standard error is a terminal, else `PLAIN_PAUSE`.
    """

    def __init__(self, pause: float | None = None) -> None:
        self.live = sys.stderr.isatty()
        self.pause = pause if pause is not None else TERMINAL_PAUSE if self.live else PLAIN_PAUSE
        self.shown: dict[str, float] = {}

    def __call__(self, status: Status) -> None:
        """Print the status, unless the last line was printed less than `pause` seconds ago."""
        now = time.monotonic()
        if not status.ended and now - self.shown.setdefault(status.label, now) < self.pause:
            return
        self.shown[status.label] = now
        if status.ended:
            del self.shown[status.label]
        lead = "\r\033[K" if self.live else ""
        end = "" if self.live and not status.ended else "\n"
        print(lead + line(status), end=end, file=sys.stderr, flush=True)


def line(status: Status) -> str:
    """Format a status as one line: finished items, rate, remaining time and further values."""
    share = f"/{status.total:,}" if status.total is not None else ""
    if status.remaining is None:
        left = "no limit"
    else:
        seconds = round(status.remaining)
        left = f"ETA {seconds // 3600}:{seconds % 3600 // 60:02d}:{seconds % 60:02d}"
    extra = "".join(f"  {name} {value:.3g}" for name, value in status.values.items())
    return f"{status.label}: {status.done:,}{share} {status.unit}  {status.rate:.1f} {status.unit}/s  {left}{extra}"


@contextmanager
def console(wording: Callable[[str], str] = str) -> Iterator[None]:
    """Show messages and progress on standard error in the `with` block.

    Args:
        wording: function that changes each message before it is shown.
    """
    handler = _Messages(wording)
    log.addHandler(handler)
    log.propagate = False
    try:
        with listening(ProgressLine()):
            yield
    finally:
        log.removeHandler(handler)
        log.propagate = True


def show_error(error: Exception | str) -> None:
    """Show an error as one line on standard error."""
    print(f"error: {error}", file=sys.stderr)
