"""Processes that do one command together, as threads of a test."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from kpdetect.training.processes import Peers

PATIENCE = 60.0


@dataclass(frozen=True, kw_only=True)
class ThreadPeers(Peers):
    """One of several threads; they meet at a barrier."""

    barrier: threading.Barrier
    values: list[Any] = field(default_factory=list)

    def gathered(self, value: Any) -> list[Any]:
        self.values[self.rank] = value
        self.barrier.wait(PATIENCE)
        found = list(self.values)
        self.barrier.wait(PATIENCE)
        return found


@dataclass(frozen=True, kw_only=True)
class AbsentPeers(Peers):
    """One of several processes, whose others are elsewhere."""

    def gathered(self, value: Any) -> list[Any]:
        return [value] * self.world


def together(world: int, work: Callable[[Peers], Any]) -> list[Any]:
    """What each of `world` threads returns; a thread that fails ends the others."""
    barrier, values = threading.Barrier(world), [None] * world

    def run(rank: int) -> Any:
        try:
            return work(ThreadPeers(rank=rank, world=world, barrier=barrier, values=values))
        except BaseException:
            barrier.abort()
            raise

    with ThreadPoolExecutor(world) as pool:
        futures = [pool.submit(run, rank) for rank in range(world)]
    errors = [error for future in futures if (error := future.exception())]
    if causes := [error for error in errors if not isinstance(error, threading.BrokenBarrierError)]:
        raise causes[0]
    return [future.result() for future in futures]
