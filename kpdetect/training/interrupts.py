"""Ctrl-C and termination that let long work finish its step and save."""

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
"""Signals this close to the first are the same request: torchrun hands on a Ctrl-C that the terminal has sent already."""
INTERRUPTED = 130
"""Exit code of a command stopped by Ctrl-C; typer makes it from KeyboardInterrupt."""
STOPPED = "stopped; what was finished is saved, run the same command again to continue"


@contextmanager
def interrupts_end_imports() -> Iterator[None]:
    """While active, SIGINT during an import ends the process in one line; at other times it raises KeyboardInterrupt as usual.

    Packages in C turn KeyboardInterrupt inside of their imports into other errors, or lose it. Where SIGINT is ignored, or has
    another handler, it stays so.
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
    """While active, the first SIGINT or SIGTERM sets `requested`; a later SIGINT interrupts at once."""

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
