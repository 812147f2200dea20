"""Averaged weights: the copy that is evaluated and given away. (The paper does not mention one.)"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import TypeVar

import torch
from torch import nn

from generator.latents import Latents

Module = TypeVar("Module", bound=nn.Module)


def averaged_copy(module: Module) -> Module:
    """A frozen copy in evaluation mode, to be kept up to date by `update_average`."""
    return copy.deepcopy(module).eval().requires_grad_(False)


@torch.no_grad()
def update_average(average: nn.Module, module: nn.Module, decay: float, step: int) -> None:
    """Move `average` towards `module`; the decay is ramped up over the first steps, buffers are copied."""
    decay = min(decay, (1 + step) / (10 + step))
    mine, theirs = list(average.parameters()), list(module.parameters())
    torch._foreach_lerp_(mine, theirs, 1 - decay)
    for kept, current in zip(average.buffers(), module.buffers(), strict=True):
        kept.copy_(current)


@torch.no_grad()
def recalibrate(average: nn.Module, latents: Callable[[int], Latents], batches: int = 16) -> None:
    """Measure the batch-norm statistics of averaged weights afresh, as the mean over `batches` batches of latents."""
    norms = [layer for layer in average.modules() if isinstance(layer, nn.BatchNorm2d)]
    device = next(average.parameters()).device
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # a plain average
        norm.train()
    for index in range(batches):
        average(latents(index).to(device))
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
        norm.eval()
