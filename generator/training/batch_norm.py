"""Batch-norm statistics for the averaged weights. They are measured anew, because those of training belong to other weights."""

from __future__ import annotations

import torch
from torch import nn

from generator.keypoints import latents_of
from generator.model import Generator

BATCH, BATCHES = 64, 16
"""Number of images of a batch, and of batches over which statistics are measured."""


@torch.no_grad()
def recalibrate(generator: Generator, seed: int) -> None:
    """Set the batch-norm statistics of `generator` to the mean over `BATCHES` batches, and switch to evaluation mode."""
    norms = [layer for layer in generator.modules() if isinstance(layer, nn.BatchNorm2d)]
    device = next(generator.parameters()).device
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # a plain mean over the batches
        norm.train()
    for start in range(0, BATCHES * BATCH, BATCH):
        generator(latents_of(seed, start, start + BATCH, generator.config.noise_width).to(device))
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
        norm.eval()
