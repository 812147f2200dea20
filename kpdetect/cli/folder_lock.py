"""A lock: one command at a time writes into a folder."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import Any

STAGES = ("generator", "pairs", "detector", "refined", "predictions")
"""Folders of a project that a command may write into as `--out`, besides the folders `taught-N` of self-training."""
ROUND = "taught-"


def alone(command: Callable[..., None]) -> Callable[..., None]:
    """Make a command refuse to start while another process writes into its `out`. A dry run needs no lock."""

    @wraps(command)
    def run(*args: Any, **kwargs: Any) -> None:
        out = kwargs.get("out")
        if not isinstance(out, Path) or kwargs.get("dry_run"):
            command(*args, **kwargs)
            return
        with writing_alone(out):
            _wait_for_the_lock()
            command(*args, **kwargs)

    return run


def _wait_for_the_lock() -> None:
    """Wait, under torchrun, until the first process has locked the folder for all."""
    if int(os.environ.get("WORLD_SIZE", 1)) > 1:
        from kpdetect.training.processes import Peers

        Peers.here().wait()


@contextmanager
def writing_alone(out: Path) -> Iterator[None]:
    """Lock a folder, so that only this process writes into it.

    A lock on a project folder also locks its stages, such as `generator`. A lock on a stage also locks the project folder.

    Raises:
        OutputError: another process writes into the folder.
    """
    from kpdetect.files.lock import require_unlocked, writing_into

    is_stage = out.name in STAGES or out.name.startswith(ROUND)
    for folder in (out.parent,) if is_stage else [*(out / stage for stage in STAGES), *sorted(out.glob(f"{ROUND}*"))]:
        require_unlocked(folder)
    with writing_into(out):
        yield
