"""Run a command in the processes of torchrun. They share the work, and only the first process prints messages."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from functools import wraps
from typing import Any

from kpdetect.errors import InputError
from kpdetect.messages import log
from kpdetect.progress import unheard


def together(command: Callable[..., None]) -> Callable[..., None]:
    """Make the processes of torchrun share a command. Without torchrun the command is not changed."""

    @wraps(command)
    def run(*args: Any, **kwargs: Any) -> None:
        if _processes() == 1:
            command(*args, **kwargs)
            return
        import torch

        from kpdetect.training.processes import joined
        from kpdetect.training.runtime import resolve_runtime

        device = kwargs.get("device")
        place = resolve_runtime(getattr(device, "value", "cpu")).device
        if place.type == "cuda":
            torch.cuda.set_device(place)
        with joined(gpu=place.type == "cuda") as peers, speaking(peers.is_main):
            command(*args, **kwargs)

    return run


def in_one_process(verb: str, command: Callable[..., None]) -> Callable[..., None]:
    """Make a command refuse to run under torchrun with several processes."""

    @wraps(command)
    def run(*args: Any, **kwargs: Any) -> None:
        if (count := _processes()) > 1:
            if int(os.environ.get("RANK", 0)) > 0:
                raise SystemExit(InputError.exit_code)
            raise InputError(
                f"{verb}: this command runs in one process, but torchrun started {count}; start it without torchrun"
            )
        command(*args, **kwargs)

    return run


@contextmanager
def speaking(speaks: bool) -> Iterator[None]:
    """Silence a process inside the block, unless `speaks` is true. A silent process prints only errors."""
    if speaks:
        yield
        return
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        with open(os.devnull, "w", encoding="utf-8") as nowhere, redirect_stdout(nowhere), unheard():
            yield
    finally:
        log.setLevel(level)


def _processes() -> int:
    return int(os.environ.get("WORLD_SIZE", 1))
