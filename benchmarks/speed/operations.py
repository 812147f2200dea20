"""Floating-point operations of a call, and the time that its convolutions alone would take."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from benchmarks.speed.timing import median_seconds

CONVOLUTIONS = (torch.ops.aten.convolution, torch.ops.aten.convolution_backward)


@dataclass(frozen=True)
class Like:
    """A description of a tensor without its values: shape, strides, type and device."""

    shape: tuple[int, ...]
    stride: tuple[int, ...]
    dtype: torch.dtype
    device: torch.device

    def made(self) -> Tensor:
        """Create a tensor of this description with normally distributed values."""
        reach = 1 + sum((length - 1) * step for length, step in zip(self.shape, self.stride, strict=True))
        return torch.randn(reach, dtype=self.dtype, device=self.device).as_strided(self.shape, self.stride)


class OperationCounter(TorchDispatchMode):
    """Counter of floating-point operations (by the formulas of torch) and of convolutions (by their arguments).

    Unlike torch's FlopCounterMode, it does not follow modules, because that fails under `autograd.grad`.

    Attributes:
        total: FLOP of convolutions and matrix products.
        convolutions: number of calls of each convolution, by operator and arguments; tensors are given as `Like`.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.total = 0.0
        self.convolutions: Counter[tuple[Any, tuple[Any, ...]]] = Counter()

    def __torch_dispatch__(self, function: Any, types: Any, arguments: Any = (), options: Any = None) -> Any:
        """Run one operator and count it."""
        result = function(*arguments, **(options or {}))
        formula = flop_registry.get(function.overloadpacket)
        if formula is not None:
            self.total += formula(*arguments, **(options or {}), out_val=result)
        if function.overloadpacket in CONVOLUTIONS:
            self.convolutions[function, _described(arguments)] += 1
        return result


def _described(argument: Any) -> Any:
    """Replace tensors in an argument by descriptions that can be compared and created again."""
    if isinstance(argument, Tensor):
        return Like(tuple(argument.shape), argument.stride(), argument.dtype, argument.device)
    return tuple(map(_described, argument)) if isinstance(argument, list | tuple) else argument


def _made(argument: Any) -> Any:
    if isinstance(argument, Like):
        return argument.made()
    return [_made(value) for value in argument] if isinstance(argument, tuple) else argument


def count_flop(call: Callable[[], object]) -> float:
    """Count the floating-point operations of the convolutions and matrix products of a call."""
    with OperationCounter() as counter:
        call()
    return counter.total


def convolution_seconds(call: Callable[[], object], seconds: float = 0.0) -> float:
    """Measure the time that the convolutions of a call take alone, forward and backward.

    Convolutions with equal arguments are measured together, for about `seconds`.
    """
    with OperationCounter() as counter:
        call()
    total = 0.0
    for (function, described), count in counter.convolutions.items():
        arguments = [_made(value) for value in described]
        with torch.no_grad():
            total += count * median_seconds(lambda function=function, given=arguments: function(*given), seconds)  # type: ignore[misc]
    return total
