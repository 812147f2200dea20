"""Commands that write into a folder: one at a time."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

STAGES = ("generator", "pairs", "detector", "refined", "predictions")
"""Folders of a project that commands may be asked to write into by hand."""


def alone(command: Callable[..., None]) -> Callable[..., None]:
    """A command that refuses to write into its `out` while another process does.

    A command on a stage's folder is refused while its project runs, and a project while a command writes into a stage of it.
    """

    @wraps(command)
    def run(*args: Any, **kwargs: Any) -> None:
        from kpdetect.files.lock import require_unlocked, writing_into

        out = kwargs.get("out")
        if not isinstance(out, Path):
            command(*args, **kwargs)
            return
        for folder in (out.parent,) if out.name in STAGES else [out / stage for stage in STAGES]:
            require_unlocked(folder)
        with writing_into(out):
            command(*args, **kwargs)

    return run
