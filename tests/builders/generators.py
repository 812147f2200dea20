"""Configurations of tiny generators, their weights, and a stand-in for a trained network."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from generator.architectures import architecture
from generator.config import DataConfig, GeneratorConfig, ModelConfig, OptimiserConfig
from generator.keypoints import Parts
from generator.model import Generator
from kpdetect.config import apply_overrides
from kpdetect.training.checkpoints import save_weights

TEST_MODEL = ModelConfig(
    size=32,
    keypoints=3,
    embedding_width=4,
    noise_width=8,
    mlp_width=8,
    start_size=16,
    widths=(8, 6),
    background_widths=(4, 4),
    spade_width=4,
)


def whole_pixel_shift(parts: Parts, pixels: int, config: ModelConfig) -> Parts:
    step = torch.tensor([2 * pixels / config.start_size, 0.0], dtype=torch.float64)
    return Parts(
        keypoints=parts.keypoints + step, embeddings=parts.embeddings, background=parts.background, centre=parts.centre
    )


CONFIG = GeneratorConfig(
    model=TEST_MODEL,
    optimiser=OptimiserConfig(batch=4, r1_every=2, discriminator_widths=(4, 6, 8)),
    data=DataConfig(crop_share=0.8),
    steps=6, checkpoint_every=2, sample_every=4, log_every=1, seed=3,
)  # fmt: skip


BASE = architecture(CONFIG, "base")


GROWING = apply_overrides(
    BASE,
    [
        "model.size=64",
        "model.widths=[8,8,8,6,4]",
        "optimiser.discriminator_widths=[4,6,8,8]",
        "growth.images_stable=8",
        "growth.images_adapting=8",
    ],
)
"""Images of 64 pixels; `first` below makes 32 the smallest."""


JUDGED = apply_overrides(CONFIG, ["optimiser.features=weights.pth", "optimiser.feature_width=6", "steps=3"])


class Maps(nn.Module):
    """Three maps of random, frozen convolutions."""

    channels = [2, 5, 7]
    hash = "of these maps"

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(5)
        widths = [3, *self.channels]
        pairs = zip(widths, self.channels, strict=False)
        self.layers = nn.ModuleList(nn.Conv2d(before, after, 3, 2, 1) for before, after in pairs).requires_grad_(False)

    def forward(self, images: Tensor) -> list[Tensor]:
        found = [images]
        for layer in self.layers:
            found.append(layer(found[-1]).relu())
        return found[1:]


def write_generator(folder: Path, **changes: object) -> Path:
    """Weights of an untrained generator of 3 keypoints that draws 32-pixel images."""
    torch.manual_seed(2)
    config = CONFIG.model_copy(update={"model": ModelConfig(**(TEST_MODEL.model_dump() | changes))})
    description = {"config": config.model_dump(mode="json"), "images_seen": 0, "training_images": 0, "minutes": 0, "commit": ""}
    save_weights(folder / "model.safetensors", "generator", Generator(config.model).state_dict(), description)
    return folder
