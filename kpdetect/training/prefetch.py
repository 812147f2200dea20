"""Prepare batches in threads while earlier batches are used."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Batch = TypeVar("Batch")


def prepared(make: Callable[[int], Batch], step: int, *, ahead: int, workers: int) -> Generator[Batch, None, None]:
    """Yield `make(step)`, `make(step + 1)` and so on, in order. Close the iterator to end the threads.

    Args:
        make: function that makes the batch of a step. If there are several workers, they call it at the same time.
        step: the first step.
        ahead: number of batches that are prepared at the same time. Every worker prepares at least one.
        workers: number of threads.
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
