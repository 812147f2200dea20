"""Where a computation runs: device and precision, resolved once into a value that is passed on."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Literal, get_args

import torch
from torch import nn

from kpdetect.errors import InputError

DeviceName = Literal["auto", "cpu", "cuda"]
Precision = Literal["auto", "float32", "bfloat16"]
EngineName = Literal["auto", "torch", "onnx", "plain"]
"""What computes a trained detector, see `kpdetect.inference.engine`."""
BACKEND = "inductor"
"""What compiles networks."""
MOST_WORKERS = 8
"""Threads that prepare batches, at most."""
DEVICES: tuple[str, ...] = get_args(DeviceName)


@dataclass(frozen=True, kw_only=True)
class Runtime:
    """Where and how a training runs.

    Attributes:
        device: of networks and batches.
        compute: type that convolutions and matrix products compute in.
        rank: this process among its peers.
        world: number of processes.
        compiled: whether networks are compiled (torch.compile); checkpoints are the same.
        events: whether metrics are written as TensorBoard events too.
    """

    device: torch.device
    compute: torch.dtype
    rank: int = 0
    world: int = 1
    compiled: bool = False
    events: bool = False

    @property
    def is_main(self) -> bool:
        """Whether this process is the one that writes."""
        return self.rank == 0

    @property
    def workers(self) -> int:
        """Threads that prepare batches: on a CPU, which is busy with the last batch, one; for a GPU some of its process's share
        of the cores."""
        beside = int(os.environ.get("LOCAL_WORLD_SIZE", 1))
        return 1 if self.device.type == "cpu" else max(1, min(MOST_WORKERS, available_cores() // beside - 1))

    def autocast(self) -> AbstractContextManager[object]:
        """The context under which networks run; coordinates are kept in float32 by the code that computes them."""
        return torch.autocast(self.device.type, dtype=self.compute, enabled=self.compute != torch.float32)

    def prepare(self, *networks: nn.Module) -> None:
        """Compile networks in place, where that is asked for; names in their state stay as they are."""
        for network in networks if self.compiled else ():
            network.compile(backend=BACKEND)


def available_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def resolve_runtime(
    device: DeviceName = "auto", precision: Precision = "auto", *, compiled: bool = False, events: bool = False
) -> Runtime:
    """Choose a device and precision; `auto` takes CUDA where there is one, and bfloat16 where it is fast. Of several GPUs each
    process that torchrun started gets its own.

    Raises:
        InputError: CUDA or TensorBoard was asked for and is not available.
    """
    if events and find_spec("tensorboard") is None:
        raise InputError('--tensorboard: TensorBoard is not installed; pip install "kpdetect[tensorboard]"')
    if device == "cuda" and not torch.cuda.is_available():
        raise InputError("--device cuda: this installation of torch sees no CUDA device; use --device cpu")
    name: str = ("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device
    if precision == "auto":
        precision = "bfloat16" if name == "cuda" or _cpu_has_bfloat16() else "float32"
    compute = torch.bfloat16 if precision == "bfloat16" else torch.float32
    if name == "cuda" and "LOCAL_RANK" in os.environ:
        name = f"cuda:{os.environ['LOCAL_RANK']}"
    return Runtime(device=torch.device(name), compute=compute, compiled=compiled, events=events)


def _cpu_has_bfloat16() -> bool:
    probe = getattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", None)
    return bool(probe()) if probe is not None else False


def channels_last(module: nn.Module) -> None:
    """Lay convolution weights out for channels-last images, which CPUs and tensor cores are fast with."""
    for layer in module.modules():
        if isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d)):
            layer.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
