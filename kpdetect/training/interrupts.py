"""Handle Ctrl-C and termination: a long computation finishes its current step and saves before it ends."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Any

SAME_SECONDS = 1.0
"""Signals within this time in seconds count as one, because torchrun repeats a Ctrl-C that the terminal has already sent."""
INTERRUPTED = 130
"""Exit code of a command that Ctrl-C has stopped. Typer returns it for KeyboardInterrupt."""
STOPPED = "stopped; finished work is saved; run the same command again to continue"


@contextmanager
def interrupts_end_imports() -> Iterator[None]:
    """Make SIGINT (Ctrl-C) during an import end the process with one line, in the `with` block.

    When nothing is imported, SIGINT raises KeyboardInterrupt as usual. During an import, compiled packages turn
    KeyboardInterrupt into other errors, or lose it. If SIGINT is ignored or has another handler, nothing changes.
    """
    usual = (
        threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGINT) is signal.default_int_handler
    )
    if usual:
        signal.signal(signal.SIGINT, _end_import)
    try:
        yield
    finally:
        if usual:
            signal.signal(signal.SIGINT, signal.default_int_handler)


def _end_import(number: int, frame: FrameType | None) -> None:
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            os.write(2, f"{STOPPED}\n".encode())
            os._exit(INTERRUPTED)
        frame = frame.f_back
    raise KeyboardInterrupt


class StopRequest:
    """A context in which the first SIGINT or SIGTERM sets `requested`. A later SIGINT interrupts at once."""

    def __init__(self) -> None:
        self.requested = False
        self.first = 0.0
        self.previous: dict[int, Any] = {}

    def __enter__(self) -> StopRequest:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self.previous[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for number, handler in self.previous.items():
            signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        now = time.monotonic()
        if self.requested and number == signal.SIGINT and now > self.first + SAME_SECONDS:
            raise KeyboardInterrupt
        if not self.requested:
            self.requested, self.first = True, now
