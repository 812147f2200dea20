"""Averaged weights: the copy of a network that is evaluated and given away."""

from __future__ import annotations

import copy
from typing import TypeVar

import torch
from torch import nn

Module = TypeVar("Module", bound=nn.Module)


def averaged_copy(module: Module) -> Module:
    """A frozen copy in evaluation mode, to be kept up to date by `update_average`."""
    return copy.deepcopy(module).eval().requires_grad_(False)


@torch.no_grad()
def update_average(average: nn.Module, module: nn.Module, decay: float, step: int) -> None:
    """Move `average` towards `module`; the decay is ramped up over the first steps, buffers are copied."""
    decay = min(decay, (1 + step) / (10 + step))
    torch._foreach_lerp_(list(average.parameters()), list(module.parameters()), 1 - decay)
    for kind in {buffer.dtype for buffer in average.buffers()}:  # of one type copied at once
        kept, current = ([each for each in network.buffers() if each.dtype == kind] for network in (average, module))
        torch._foreach_copy_(kept, current)
