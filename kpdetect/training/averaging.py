"""Averaged weights: the copy of a network that is evaluated and written as the result."""

from __future__ import annotations

import copy
from typing import TypeVar

import torch
from torch import nn

Module = TypeVar("Module", bound=nn.Module)


def averaged_copy(module: Module) -> Module:
    """Copy a network, for `update_average`. The copy is in evaluation mode, and its weights get no gradients."""
    return copy.deepcopy(module).eval().requires_grad_(False)


@torch.no_grad()
def update_average(average: nn.Module, module: nn.Module, decay: float, step: int) -> None:
    """Move the weights of `average` towards those of `module`, and copy the buffers.

    The share that is kept rises over the first steps to `decay`.
    """
    decay = min(decay, (1 + step) / (10 + step))
    torch._foreach_lerp_(list(average.parameters()), list(module.parameters()), 1 - decay)
    for kind in {buffer.dtype for buffer in average.buffers()}:  # buffers of one type are copied together
        kept, current = ([buffer for buffer in network.buffers() if buffer.dtype == kind] for network in (average, module))
        torch._foreach_copy_(kept, current)
