"""Training in several processes that torchrun starts, one per GPU (or per share of a CPU).

Every process computes its part of each batch, and the gradients are averaged, so all processes keep equal parameters. Only the
first process writes, measures and decides when to stop. On CUDA, batch normalisation uses the statistics of the whole batch. On
a CPU torch does not support this, so each process uses the statistics of its part.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TypeVar

import torch
from torch import distributed, nn

from kpdetect.errors import ConfigError
from kpdetect.training.processes import Peers, joined, world_size
from kpdetect.training.runtime import DeviceName, Precision, Runtime, resolve_runtime

Module = TypeVar("Module", bound=nn.Module)


@contextmanager
def joined_runtime(
    device: DeviceName = "auto", precision: Precision = "auto", *, compiled: bool = False, events: bool = False
) -> Iterator[Runtime]:
    """Make the runtime of this process, and connect the processes that torchrun started in the `with` block.

    If the processes were connected before the block, they stay connected after it (`kpdetect.training.processes.joined`).

    Raises:
        InputError: CUDA or TensorBoard is requested and not available. Or `joined` raises it.
        PeerError: `joined` raises it.
    """
    runtime = resolve_runtime(device, precision, compiled=compiled, events=events)
    gpu = runtime.device.type == "cuda"
    if gpu and world_size() > 1:
        torch.cuda.set_device(runtime.device)
    with joined(gpu=gpu) as peers:
        yield replace(runtime, rank=peers.rank, world=peers.world)


def require_divisible(batch: int, runtime: Runtime, setting: str = "batch") -> None:
    """Check that the processes can share a batch evenly. `setting` is the name of the setting that holds the batch.

    Raises:
        ConfigError: the batch is not a multiple of the number of processes.
    """
    if batch % runtime.world:
        raise ConfigError(
            f"`overrides={setting}={batch}`: {runtime.world} processes cannot share it; give a multiple of {runtime.world}"
        )


@contextmanager
def main_first(runtime: Runtime) -> Iterator[None]:
    """Run the `with` block in the first process, and after that in the other processes.

    Raises:
        SystemExit: in the other processes, if the first one fails. Only the first one reports the error.
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


def by_the_first(runtime: Runtime, action: Callable[[], object]) -> None:
    """Call `action` in the first process, while the other processes wait."""
    with main_first(runtime):
        if runtime.is_main:
            action()


def peers_of(runtime: Runtime) -> Peers:
    """Return the processes that a runtime belongs to."""
    return Peers(rank=runtime.rank, world=runtime.world)


def synchronised(module: Module, runtime: Runtime) -> Module:
    """Make the batch normalisation of a module use the whole batch of all processes, if several processes use CUDA."""
    if runtime.world == 1 or runtime.device.type != "cuda":
        return module
    converted: Module = nn.SyncBatchNorm.convert_sync_batchnorm(module)
    return converted


@torch.no_grad()
def average_gradients(parameters: Iterable[nn.Parameter], runtime: Runtime) -> None:
    """Replace every gradient by its mean over the processes. All gradients are exchanged at once."""
    if runtime.world == 1:
        return
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    flat = torch.cat([gradient.reshape(-1) for gradient in gradients])
    distributed.all_reduce(flat)
    flat /= runtime.world
    for gradient, part in zip(gradients, flat.split([gradient.numel() for gradient in gradients]), strict=True):
        gradient.copy_(part.view_as(gradient))


def agreed(decision: bool, runtime: Runtime) -> bool:
    """Return the decision of the first process, in every process."""
    if runtime.world == 1:
        return decision
    message = torch.tensor([float(decision)], device=runtime.device)
    distributed.broadcast(message, src=0)
    return bool(message.item())


def anywhere(happened: bool, runtime: Runtime) -> bool:
    """Tell every process whether `happened` is true in any of them."""
    if runtime.world == 1:
        return happened
    message = torch.tensor([float(happened)], device=runtime.device)
    distributed.all_reduce(message, op=distributed.ReduceOp.MAX)
    return bool(message.item())
