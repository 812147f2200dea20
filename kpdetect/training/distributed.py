"""Training in several processes started by torchrun, one per GPU (or per share of a CPU).

Every process computes on its part of each batch and the gradients are averaged, so that parameters stay equal everywhere. The
first process alone writes, measures and decides when to stop. On CUDA batch normalisation is synchronised; torch cannot do that
on a CPU, where each process normalises its own part.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TypeVar

import torch
from torch import distributed, nn

from kpdetect.errors import ConfigError
from kpdetect.training.peers import joined, world_size
from kpdetect.training.runtime import DeviceName, Precision, Runtime, resolve_runtime

Module = TypeVar("Module", bound=nn.Module)


@contextmanager
def joined_runtime(
    device: DeviceName = "auto", precision: Precision = "auto", *, compiled: bool = False, events: bool = False
) -> Iterator[Runtime]:
    """The runtime of this process, joined with its peers if torchrun started several; parted from them at the end, unless it
    was joined before (`kpdetect.training.peers.joined`).

    Raises:
        InputError: CUDA or TensorBoard was asked for and is not available; or see `joined`.
        PeerError: see `joined`.
    """
    runtime = resolve_runtime(device, precision, compiled=compiled, events=events)
    gpu = runtime.device.type == "cuda"
    if gpu and world_size() > 1:
        torch.cuda.set_device(runtime.device)
    with joined(gpu=gpu) as peers:
        yield replace(runtime, rank=peers.rank, world=peers.world)


def require_divisible(batch: int, runtime: Runtime) -> None:
    """Refuse a batch that the processes cannot share evenly.

    Raises:
        ConfigError: naming both numbers.
    """
    if batch % runtime.world:
        raise ConfigError(
            f"batch {batch}: {runtime.world} processes cannot share it evenly; take a multiple of {runtime.world}"
        )


@contextmanager
def main_first(runtime: Runtime) -> Iterator[None]:
    """The first process does the work of the block before any other begins with it.

    Raises:
        SystemExit: in the others, where the first fails; it alone says why.
    """
    if not runtime.is_main and not agreed(False, runtime):
        raise SystemExit(2)
    try:
        yield
    except BaseException:
        if runtime.is_main:
            agreed(False, runtime)
        raise
    if runtime.is_main:
        agreed(True, runtime)


def synchronised(module: Module, runtime: Runtime) -> Module:
    """The module with synchronised batch normalisation, where there are several processes on CUDA."""
    if runtime.world == 1 or runtime.device.type != "cuda":
        return module
    converted: Module = nn.SyncBatchNorm.convert_sync_batchnorm(module)
    return converted


@torch.no_grad()
def average_gradients(parameters: Iterable[nn.Parameter], runtime: Runtime) -> None:
    """Replace every gradient by its mean over the processes, in one message."""
    if runtime.world == 1:
        return
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    flat = torch.cat([gradient.reshape(-1) for gradient in gradients])
    distributed.all_reduce(flat)
    flat /= runtime.world
    for gradient, part in zip(gradients, flat.split([gradient.numel() for gradient in gradients]), strict=True):
        gradient.copy_(part.view_as(gradient))


def agreed(decision: bool, runtime: Runtime) -> bool:
    """The first process's decision, in every process."""
    if runtime.world == 1:
        return decision
    told = torch.tensor([float(decision)], device=runtime.device)
    distributed.broadcast(told, src=0)
    return bool(told.item())


def anywhere(happened: bool, runtime: Runtime) -> bool:
    """Whether something has happened in any process, known in all of them."""
    if runtime.world == 1:
        return happened
    told = torch.tensor([float(happened)], device=runtime.device)
    distributed.all_reduce(told, op=distributed.ReduceOp.MAX)
    return bool(told.item())
