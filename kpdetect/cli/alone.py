"""Commands that write into a folder: one at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import Any

STAGES = ("generator", "pairs", "detector", "refined", "predictions")
"""Folders of a project that commands may be asked to write into by hand; rounds of self-training (taught-N) are others."""
ROUND = "taught-"


def alone(command: Callable[..., None]) -> Callable[..., None]:
    """A command that refuses to write into its `out` while another process does."""

    @wraps(command)
    def run(*args: Any, **kwargs: Any) -> None:
        out = kwargs.get("out")
        if not isinstance(out, Path):
            command(*args, **kwargs)
            return
        with writing_alone(out):
            command(*args, **kwargs)

    return run


@contextmanager
def writing_alone(out: Path) -> Iterator[None]:
    """Be the only process that writes into a folder.

    A stage's folder is refused while its project runs, and a project while a command writes into a stage of it.

    Raises:
        OutputError: another process writes there.
    """
    from kpdetect.files.lock import require_unlocked, writing_into

    is_stage = out.name in STAGES or out.name.startswith(ROUND)
    for folder in (out.parent,) if is_stage else [*(out / stage for stage in STAGES), *sorted(out.glob(f"{ROUND}*"))]:
        require_unlocked(folder)
    with writing_into(out):
        yield
