"""Where a computation runs: device and precision, resolved once into a value that is passed on."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Literal, get_args

import torch
from torch import nn

from kpdetect.errors import InputError

DeviceName = Literal["auto", "cpu", "cuda"]
Precision = Literal["auto", "float32", "bfloat16"]
DEVICES: tuple[str, ...] = get_args(DeviceName)


@dataclass(frozen=True, kw_only=True)
class Runtime:
    """A device and the type that convolutions and matrix products compute in."""

    device: torch.device
    compute: torch.dtype

    def autocast(self) -> AbstractContextManager[object]:
        """The context under which networks run; coordinates are kept in float32 by the code that computes them."""
        return torch.autocast(self.device.type, dtype=self.compute, enabled=self.compute != torch.float32)


def resolve_runtime(device: DeviceName = "auto", precision: Precision = "auto") -> Runtime:
    """Choose a device and precision; `auto` takes CUDA where there is one, and bfloat16 where it is fast.

    Raises:
        InputError: CUDA was asked for and is not available.
    """
    if device == "cuda" and not torch.cuda.is_available():
        raise InputError("--device cuda: this installation of torch sees no CUDA device; use --device cpu")
    name = ("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device
    if precision == "auto":
        precision = "bfloat16" if name == "cuda" or _cpu_has_bfloat16() else "float32"
    return Runtime(device=torch.device(name), compute=torch.bfloat16 if precision == "bfloat16" else torch.float32)


def _cpu_has_bfloat16() -> bool:
    probe = getattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", None)
    return bool(probe()) if probe is not None else False


def channels_last(module: nn.Module) -> None:
    """Lay convolution weights out for channels-last images, which CPUs and tensor cores are fast with."""
    for layer in module.modules():
        if isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d)):
            layer.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
