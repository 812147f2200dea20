"""Ctrl-C and termination that let long work finish its step and save."""

from __future__ import annotations

import signal
import threading
import time
from types import FrameType, TracebackType
from typing import Any

SAME_SECONDS = 1.0
"""Signals this close to the first are the same request: torchrun hands on a Ctrl-C that the terminal has sent already."""


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
