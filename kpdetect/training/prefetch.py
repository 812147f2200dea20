"""Batches prepared by threads while earlier ones are used."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Batch = TypeVar("Batch")


def prepared(make: Callable[[int], Batch], step: int, *, ahead: int, workers: int) -> Generator[Batch, None, None]:
    """`make(step)`, `make(step + 1)` and so on, in order; close the iterator to end the threads.

    Args:
        make: gives the batch of a step; called from several threads at once where there are several workers.
        step: the first one.
        ahead: batches under way, at least; one per worker where that is more.
        workers: threads.
    """
    with ThreadPoolExecutor(workers) as pool:
        waiting: deque[Future[Batch]] = deque(pool.submit(make, step + offset) for offset in range(max(ahead, workers)))
        try:
            while True:
                step += 1
                waiting.append(pool.submit(make, step + len(waiting) - 1))
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
