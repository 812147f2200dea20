"""Read, predict, draw and write at the same time, with a limited number of items in memory.

On a CPU each thread reads a few images and computes the network for them. If the threads shared one batch instead, they would
wait for each other after every layer. On a busy machine this takes many times as long.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

import torch

from kpdetect.inference.predictor import BATCH
from kpdetect.training.runtime import MOST_WORKERS, Runtime, available_cores

Item = TypeVar("Item")
Result = TypeVar("Result")
SMALL_BATCH = 8
"""Number of images in a batch on a CPU. Larger batches are not faster. With small batches, few images still use all threads."""


def batch_of(runtime: Runtime) -> int:
    """Return the number of images that are predicted together."""
    return SMALL_BATCH if runtime.device.type == "cpu" else BATCH


def workers_of(runtime: Runtime) -> int:
    """Return the number of threads that read and predict.

    On a CPU it is the number of torch's threads, and at least two, so that one reads while the other computes. On a GPU it is
    the number of CPU cores, divided among the processes that torchrun started on this machine.
    """
    processes = int(os.environ.get("LOCAL_WORLD_SIZE", 1))
    threads = torch.get_num_threads() if runtime.device.type == "cpu" else available_cores() // processes
    return max(1 if processes > 1 else 2, min(MOST_WORKERS, threads))


@contextmanager
def predicting_threads(runtime: Runtime) -> Iterator[ThreadPoolExecutor]:
    """Start threads for `in_order`, and divide torch's threads among them. Cancel waiting calls at the end of the block."""
    before, count = torch.get_num_threads(), workers_of(runtime)
    pool = ThreadPoolExecutor(count, initializer=torch.set_num_threads, initargs=(max(1, before // count),))
    try:
        yield pool
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
        torch.set_num_threads(before)


def in_order(pool: ThreadPoolExecutor, call: Callable[[Item], Result], items: Iterable[Item], ahead: int) -> Iterator[Result]:
    """Call a function for every item in the threads of a pool; yield the results in the order of the items.

    Args:
        pool: the threads.
        call: the function. If it raises an error for an item, the error is raised when this item's result is due.
        items: the items. They are taken one after the other, in the caller's thread.
        ahead: largest number of running or waiting calls while the caller uses a result.
    """
    waiting = deque[Future[Result]]()
    for item in items:
        waiting.append(pool.submit(call, item))
        if len(waiting) > ahead:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


class Background:
    """A queue of calls for background threads. `submit` waits only if too many calls are unfinished.

    Args:
        threads: number of threads. With one thread, calls keep their order.
        most: largest number of unfinished calls.
    """

    def __init__(self, threads: int, most: int) -> None:
        self.pool, self.most, self.waiting = ThreadPoolExecutor(threads), most, deque[Future[None]]()

    def submit(self, call: Callable[[], None]) -> None:
        """Add a call to the queue.

        Raises:
            Exception: the error of an earlier call.
        """
        self.waiting.append(self.pool.submit(call))
        while len(self.waiting) > self.most or (self.waiting and self.waiting[0].done()):
            self.waiting.popleft().result()

    def finish(self) -> None:
        """Wait for all calls.

        Raises:
            Exception: the error of a call.
        """
        while self.waiting:
            self.waiting.popleft().result()

    def __enter__(self) -> Background:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None:
                self.finish()
        finally:
            self.stop()

    def stop(self) -> None:
        """End the threads. Calls that have not begun are cancelled."""
        self.pool.shutdown(wait=True, cancel_futures=True)
