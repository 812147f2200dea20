"""Reading, the network, drawing and writing at the same time, with a bounded number of items in memory.

On a CPU each thread reads a few images and computes the network for them alone. Threads that share the layers of one network
wait for each other after every layer; on a busy machine that takes many times as long.
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
"""Images of one batch on a CPU: larger batches are not faster there, and smaller ones spread few images over all threads."""


def batch_of(runtime: Runtime) -> int:
    """Images that are predicted together."""
    return SMALL_BATCH if runtime.device.type == "cpu" else BATCH


def workers_of(runtime: Runtime) -> int:
    """Threads that read and predict: as many as torch may use on a CPU, and two at least, one to read while the other computes;
    for a GPU as many as there are cores. Processes of torchrun share the cores."""
    beside = int(os.environ.get("LOCAL_WORLD_SIZE", 1))
    threads = torch.get_num_threads() if runtime.device.type == "cpu" else available_cores() // beside
    return max(1 if beside > 1 else 2, min(MOST_WORKERS, threads))


@contextmanager
def predicting_threads(runtime: Runtime) -> Iterator[ThreadPoolExecutor]:
    """Threads for `in_order`, which divide torch's threads among them. What has not begun when the block ends is given up."""
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
        call: the function; an error of it is raised when its turn comes.
        items: are taken one after the other, in the thread of the caller.
        ahead: calls that are under way or waiting while one result is used.
    """
    waiting = deque[Future[Result]]()
    for item in items:
        waiting.append(pool.submit(call, item))
        if len(waiting) > ahead:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


class Background:
    """Calls in threads of their own that nobody waits for, save when too many are unfinished.

    Args:
        threads: how many; with one, calls keep their order.
        most: unfinished calls.
    """

    def __init__(self, threads: int, most: int) -> None:
        self.pool, self.most, self.waiting = ThreadPoolExecutor(threads), most, deque[Future[None]]()

    def submit(self, call: Callable[[], None]) -> None:
        """Make a call soon.

        Raises:
            Exception: an earlier call failed; what it raised.
        """
        self.waiting.append(self.pool.submit(call))
        while len(self.waiting) > self.most or (self.waiting and self.waiting[0].done()):
            self.waiting.popleft().result()

    def finish(self) -> None:
        """Wait for all calls.

        Raises:
            Exception: a call failed; what it raised.
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
        """End the threads; calls that have not begun are given up."""
        self.pool.shutdown(wait=True, cancel_futures=True)
