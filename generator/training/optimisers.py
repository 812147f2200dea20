"""Learning rates of the generator's parts (LatentKeypointGAN, He et al. 2021, section 3.1 and appendix E)."""

from __future__ import annotations

from typing import Any

import torch

from generator.config import GeneratorConfig
from generator.growing import Stage
from generator.model import Generator


def parameter_groups(generator: Generator, config: GeneratorConfig) -> list[dict[str, Any]]:
    """Group the generator's parameters by learning rate.

    If the rates differ, the groups are the pose MLP, the rest of the keypoint generator, and all others.
    """
    if config.optimiser.pose_rate == 1 and not config.model.progressive:
        return [{"params": list(generator.parameters())}]
    placing = list(generator.parts.pose.parameters())
    parts = [each for name, each in generator.parts.named_parameters() if not name.startswith("pose.")]
    others = [each for name, each in generator.named_parameters() if not name.startswith("parts.")]
    return [{"params": placing}, {"params": parts}, {"params": others}]


def set_rates(adam: torch.optim.Optimizer, config: GeneratorConfig, stage: Stage) -> None:
    """Set the rates of `parameter_groups`; while a size is faded in, the keypoint generator's rate is 0 (appendix E)."""
    groups, optimiser = adam.param_groups, config.optimiser
    if len(groups) > 1:
        working = 0.0 if stage.adapting and optimiser.rest_when_adapting else 1.0
        for group, factor in zip(groups, (working * optimiser.pose_rate, working, 1.0), strict=True):
            group["lr"] = optimiser.rate_generator * factor
