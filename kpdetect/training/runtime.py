"""The device, precision and processes of a computation. A command chooses them once and passes them to all functions."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Literal, get_args

import torch
from torch import nn

from kpdetect.errors import InputError

DeviceName = Literal["auto", "cpu", "cuda"]
Precision = Literal["auto", "float32", "bfloat16"]
EngineName = Literal["auto", "torch", "onnx", "plain"]
"""Implementations that compute a trained detector, see `kpdetect.inference.engine`."""
BACKEND = "inductor"
"""Name of torch's compiler for networks."""
MOST_WORKERS = 8
"""Largest number of threads that prepare batches."""
AugmentOn = Literal["auto", "cpu", "device"]
"""Where training images are augmented: on the CPU, or on the device of the networks. `auto`: on the device if it is a GPU."""
DEVICES: tuple[str, ...] = get_args(DeviceName)
PRECISIONS: tuple[str, ...] = get_args(Precision)


@dataclass(frozen=True, kw_only=True)
class Runtime:
    """The device, precision and processes of a training.

    Attributes:
        device: device that holds networks and batches.
        compute: number type of convolutions and matrix products.
        rank: number of this process among those of the command, from 0.
        world: number of processes of the command.
        compiled: whether networks are compiled (torch.compile). Checkpoints do not depend on it.
        events: whether metrics are also written as TensorBoard events.
    """

    device: torch.device
    compute: torch.dtype
    rank: int = 0
    world: int = 1
    compiled: bool = False
    events: bool = False

    @property
    def is_main(self) -> bool:
        """Whether this process writes files. Only the first process does."""
        return self.rank == 0

    @property
    def workers(self) -> int:
        """Number of threads that prepare batches.

        On a CPU it is one, because the CPU also computes the network. On a GPU it depends on this process's share of the cores.
        """
        processes = int(os.environ.get("LOCAL_WORLD_SIZE", 1))
        return 1 if self.device.type == "cpu" else max(1, min(MOST_WORKERS, available_cores() // processes - 1))

    def augments(self, where: AugmentOn) -> bool:
        """Tell whether the setting `where` means that batches are augmented on the device of the networks."""
        return where == "device" or (where == "auto" and self.device.type == "cuda")

    @property
    def replays(self) -> bool:
        """Whether steps may be recorded and replayed. This needs a single GPU and networks that are not compiled."""
        return self.device.type == "cuda" and self.world == 1 and not self.compiled

    def autocast(self) -> AbstractContextManager[object]:
        """Make the context in which networks run with this precision. Code that computes coordinates uses float32 in it."""
        return torch.autocast(self.device.type, dtype=self.compute, enabled=self.compute != torch.float32)

    def prepare(self, *networks: nn.Module) -> None:
        """Compile networks in place if `compiled` is set. The names in their states do not change."""
        for network in networks if self.compiled else ():
            network.compile(backend=BACKEND)


@contextmanager
def one_thread() -> Iterator[None]:
    """Let torch compute with one thread in this block, because threads that wait for each other slow many small operations."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def available_cores() -> int:
    """Count the cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def resolve_runtime(
    device: DeviceName = "auto", precision: Precision = "auto", *, compiled: bool = False, events: bool = False
) -> Runtime:
    """Choose the device and the precision of a command.

    The device `auto` is CUDA if there is a CUDA device. The precision `auto` is bfloat16 if the hardware supports it. With
    torchrun, each process gets its own GPU.

    Raises:
        InputError: the device or precision is unknown, or CUDA or TensorBoard is requested and not available.
    """
    for name, value, known in (("device", device, DEVICES), ("precision", precision, PRECISIONS)):
        if value not in known:
            raise InputError(f"`{name}={value}`: expected one of {', '.join(known)}")
    if events and find_spec("tensorboard") is None:
        raise InputError('`tensorboard`: the package tensorboard is not installed; pip install "kpdetect[tensorboard]"')
    if device == "cuda" and not torch.cuda.is_available():
        raise InputError("`device=cuda`: this installation of torch sees no CUDA device; use `device=cpu`")
    place: str = ("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device
    if precision == "auto":
        precision = "bfloat16" if place == "cuda" or _cpu_has_bfloat16() else "float32"
    compute = torch.bfloat16 if precision == "bfloat16" else torch.float32
    if place == "cuda" and "LOCAL_RANK" in os.environ:
        place = f"cuda:{os.environ['LOCAL_RANK']}"
    return Runtime(device=torch.device(place), compute=compute, compiled=compiled, events=events)


def as_runtime(device: DeviceName | Runtime, precision: Precision = "auto") -> Runtime:
    """Return a `Runtime` unchanged, or make one for the name of a device.

    Raises:
        InputError: the device is unknown or missing.
    """
    return device if isinstance(device, Runtime) else resolve_runtime(device, precision)


def _cpu_has_bfloat16() -> bool:
    probe = getattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", None)
    return bool(probe()) if probe is not None else False


def channels_last(module: nn.Module) -> None:
    """Convert convolution weights to the channels-last format, which is fast on CPUs and tensor cores."""
    for layer in module.modules():
        if isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d)):
            layer.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
