"""Averaged weights: the copy of a network that is evaluated and written as the result."""

from __future__ import annotations

import copy
from typing import TypeVar

import torch
from torch import nn

Module = TypeVar("Module", bound=nn.Module)


def averaged_copy(module: Module) -> Module:
    """Make a frozen copy in evaluation mode, which `update_average` updates."""
    return copy.deepcopy(module).eval().requires_grad_(False)


@torch.no_grad()
def update_average(average: nn.Module, module: nn.Module, decay: float, step: int) -> None:
    """Move `average` towards `module`. The decay rises over the first steps; buffers are copied."""
    decay = min(decay, (1 + step) / (10 + step))
    torch._foreach_lerp_(list(average.parameters()), list(module.parameters()), 1 - decay)
    for kind in {buffer.dtype for buffer in average.buffers()}:  # buffers of one type are copied together
        kept, current = ([buffer for buffer in network.buffers() if buffer.dtype == kind] for network in (average, module))
        torch._foreach_copy_(kept, current)
