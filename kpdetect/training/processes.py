"""The processes of one command that torchrun started ("peers"): their communication, and their common end.

Each process does a part of the work, and the first one writes the common files. If a process fails or is killed, or its machine
no longer answers, the others end too. One of them reports this in one line. With torchrun's `--max-restarts` all of them start
again.
"""

from __future__ import annotations

import _thread
import atexit
import json
import os
import shlex
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from importlib.metadata import PackageNotFoundError, version
from itertools import count
from types import FrameType
from typing import Any, TypeVar

import torch
from torch import distributed
from torch.distributed.distributed_c10d import PrefixStore
from torch.distributed.rendezvous import rendezvous

from kpdetect.errors import InputError, KpdetectError, PeerError
from kpdetect.training.interrupts import INTERRUPTED

Value = TypeVar("Value")

PATIENCE = timedelta(days=30)
"""Longest time that a process waits for another running process. Some parts of the work take hours longer than others."""
START = timedelta(minutes=10)
"""Longest time that a process waits for the others to start."""
LOST = timedelta(seconds=120)
"""Time after which a process without an answer counts as lost, for example if its machine has no power."""
BEAT = 0.5
"""Seconds between two checks of the other processes."""
GRACE = 5.0
"""Seconds that a process has to end by itself after another one has failed."""


@dataclass(frozen=True, kw_only=True)
class Peers:
    """One process's view of all processes that run a command together.

    Attributes:
        rank: number of this process, from 0.
        world: number of all processes.
    """

    rank: int = 0
    world: int = 1

    @classmethod
    def here(cls) -> Peers:
        """Return the processes that `joined` connected with this process; without a call of `joined`, this process alone."""
        if not (distributed.is_available() and distributed.is_initialized()):
            return cls()
        return cls(rank=distributed.get_rank(), world=distributed.get_world_size())

    @property
    def is_main(self) -> bool:
        """Whether this process writes the common files."""
        return self.rank == 0

    def share(self, items: Sequence[Value]) -> Sequence[Value]:
        """Select every `world`-th item, starting with number `rank`."""
        return items[self.rank :: self.world]

    def gathered(self, value: Value) -> list[Value]:
        """Return, in every process, the list of all processes' values in the order of their ranks."""
        if self.world == 1:
            return [value]
        values: list[Any] = [None] * self.world
        distributed.all_gather_object(values, value)
        return values

    def agreed(self, value: Value) -> Value:
        """Return, in every process, the value of the first process."""
        return self.gathered(value)[0]

    def merged(self, parts: Sequence[Value]) -> list[Value]:
        """Return, in every process, what all processes made of their items of `share`, in the order of the items."""
        lists = self.gathered(list(parts))
        return [lists[index % self.world][index // self.world] for index in range(sum(map(len, lists)))]

    def wait(self) -> None:
        """Wait until every process has called this function."""
        self.gathered(None)


ALONE = Peers()
_joins = count()


def world_size() -> int:
    """Return the number of processes that torchrun started for this command; 1 without torchrun."""
    return int(os.environ.get("WORLD_SIZE", 1))


def ending() -> str:
    """Say that another process has ended, and whether torchrun or the user starts the command again."""
    done, most = (int(os.environ.get(f"TORCHELASTIC_{name}", 0)) for name in ("RESTART_COUNT", "MAX_RESTARTS"))
    advice = "torchrun starts all of them again" if done < most else "run the same command again to continue"
    return f"another process of this command ended, or torchrun stopped it; {advice}"


def package_version() -> str:
    """Return the version of the installed package."""
    try:
        return version("kpdetect")
    except PackageNotFoundError:
        return "unknown"


@contextmanager
def joined(*, gpu: bool = False) -> Iterator[Peers]:
    """Connect the processes that torchrun started, in the `with` block. It ends when all processes have reached its end.

    Args:
        gpu: whether the processes also exchange tensors between GPUs. Call `torch.cuda.set_device` first.

    Raises:
        InputError: the processes have different arguments, or torchrun did not start them.
        PeerError: another process ended before the work was done. Only one process raises it; the others end silently.
    """
    if world_size() == 1 or distributed.is_initialized():
        yield Peers.here()
        return
    store = _met()
    distributed.init_process_group(
        "cpu:gloo,cuda:nccl" if gpu else "gloo",
        store=PrefixStore("group", store),
        rank=int(os.environ["RANK"]),
        world_size=world_size(),
        timeout=PATIENCE,
    )
    watch = _Watch(store)
    try:
        with _termination():
            yield Peers.here()
            watch.finish()
    except BaseException as error:
        watch.fail()
        raise watch.reported(error) from None
    finally:
        distributed.destroy_process_group()
    atexit.register(_leave)  # not reached after an error


def _met() -> Any:
    """Open torchrun's store, through which the processes communicate. Check that every process runs the same command.

    Raises:
        InputError: torchrun did not start this process, or another process has other arguments.
        PeerError: the other processes have not started in time.
    """
    if missing := [name for name in ("RANK", "MASTER_ADDR", "MASTER_PORT") if name not in os.environ]:
        raise InputError(
            f"WORLD_SIZE is {world_size()} and {missing[0]} is not set; start the command by torchrun, or unset WORLD_SIZE"
        )
    rank, world = int(os.environ["RANK"]), world_size()
    try:
        common, _, _ = next(rendezvous("env://", rank, world, timeout=START))
        attempt = os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")  # a restart keeps the store
        store = PrefixStore(f"kpdetect-{attempt}-{next(_joins)}", common)
        store.set(f"command/{rank}", json.dumps([package_version(), *sys.argv[1:]]))
        commands = [json.loads(store.get(f"command/{other}")) for other in range(world)]
    except distributed.DistError as error:
        raise PeerError(
            f"process {rank}: not all {world} processes started within {START.seconds // 60} minutes; see the others' messages"
        ) from error
    if other := next((number for number, command in enumerate(commands) if command != commands[0]), None):
        if rank:
            raise SystemExit(InputError.exit_code)
        first, second = (
            shlex.join(command[1:])[:200] + f" (version {command[0]})" for command in (commands[0], commands[other])
        )
        raise InputError(f"process 0 has other arguments than process {other}: {first}; {second}; give all the same arguments")
    return store


@contextmanager
def _termination() -> Iterator[None]:
    """Make the first SIGTERM in the `with` block raise PeerError. Torchrun sends it to all processes after one has failed."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    done = False

    def end(number: int, frame: FrameType | None) -> None:
        nonlocal done
        if not done:
            done = True
            raise PeerError(ending())

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        done = True  # do not interrupt the end of the block
    signal.signal(signal.SIGTERM, before)  # not reached after an error


class _Watch:
    """A thread that checks the other processes every `BEAT` seconds, and ends this process if one of them is lost.

    A killed process is detected at once, because its connections close. If a machine is lost, this is detected after `LOST`.
    """

    def __init__(self, store: Any) -> None:
        self.store, self.world = store, distributed.get_world_size()
        self.group = distributed.new_group(backend="gloo", timeout=LOST)
        self.done = self.failed = self.lost = False
        self.changed, self.over = threading.Event(), threading.Event()
        self.thread = threading.Thread(target=self._ask, daemon=True)
        self.thread.start()

    def finish(self) -> None:
        """Wait until every process has finished its work.

        Raises:
            PeerError: a process has failed.
        """
        self.done = True
        self.changed.set()
        self.thread.join()
        if self.lost:
            raise PeerError(ending())

    def fail(self) -> None:
        """Tell the other processes that this one ends before its work is done."""
        self.failed = True
        self.over.set()
        self.changed.set()
        self.thread.join(GRACE)

    def reported(self, error: BaseException) -> BaseException:
        """Choose the error to raise in this process, so that only one of the processes says why the command ends."""
        error = PeerError(ending()) if is_lost_connection(error) else error
        expected = isinstance(error, (KpdetectError, KeyboardInterrupt))
        if not expected or self._is_first():
            self._is_first()
            return error
        return SystemExit(INTERRUPTED if isinstance(error, KeyboardInterrupt) else PeerError.exit_code)

    def _is_first(self) -> bool:
        try:
            return bool(self.store.add("ended", 1) == 1)
        except RuntimeError:  # torchrun has ended
            return True

    def _ask(self) -> None:
        while True:
            state = torch.tensor([int(self.done), int(self.failed)])
            try:
                distributed.all_reduce(state, group=self.group)
                done, failed = state.tolist()
            except RuntimeError:
                done, failed = 0, 1
            if failed:
                self.lost = True
                self._end()
                return
            if done == self.world:
                return
            self.changed.wait(BEAT)

    def _end(self) -> None:
        """End this process: first by SIGTERM, then by force if it has not ended. Do nothing if it is already ending."""
        if self.failed or self.done:
            return
        _thread.interrupt_main(signal.SIGTERM)
        if self.over.wait(GRACE):
            return
        if self._is_first():
            sys.stderr.write(f"error: {ending()}\n")
            sys.stderr.flush()
        os._exit(PeerError.exit_code)


def is_lost_connection(error: BaseException) -> bool:
    """Tell whether an error from torch means that another process does not answer."""
    if isinstance(error, distributed.DistError):
        return True
    return type(error) is RuntimeError and any(word in str(error) for word in ("gloo", "Connection", "NCCL"))


def _leave() -> None:
    """End the process at once, because threads of gloo (torch's communication on CPUs) can crash it while it ends normally."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)
