"""Every field of the model's and the optimiser's configuration changes what it says, and nothing else is claimed of it."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from generator.architectures import architecture
from generator.config import GeneratorConfig, ModelConfig, OptimiserConfig
from generator.keypoints import latents_of, spread_evenly
from generator.layers import AdaIn, LearnedStart, Spade
from generator.model import Drawing, Generator
from generator.synthesis import ResidualBlock
from generator.training.train import GeneratorTrainer
from kpdetect.config import apply_overrides
from kpdetect.data.folder import ImageCache, build_cache
from kpdetect.heatmaps import grid_axis
from kpdetect.training.run_folder import RunFolder
from tests.builders.blobs import write_blobs
from tests.builders.generators import CONFIG
from tests.builders.runtimes import CPU
from tests.builders.states import states_equal

pytestmark = pytest.mark.slow

BASE = architecture(CONFIG, "base")
WHOLE = architecture(CONFIG, "no-background")
THREE = ("widths=[8,6,4]", "background_widths=[4,4,4]")
"""One resolution more."""
GROWN = apply_overrides(BASE, ["model.size=128", "model.widths=[8,8,8,6,4,4]"])


def network(config: GeneratorConfig, *overrides: str) -> Generator:
    torch.manual_seed(3)
    return Generator(apply_overrides(config, [f"model.{each}" for each in overrides]).model).eval()


def drawn(made: Generator) -> Drawing:
    with torch.no_grad():
        return made(latents_of(0, 0, 2, made.config.noise_width))


def first_block(made: Generator) -> Any:
    return made.foreground.blocks[0]


def output_widths(made: Generator) -> list[int]:
    return [block.conv.out_channels for block in made.foreground.blocks]


def logits_of_keypoints(made: Generator) -> Tensor:
    return drawn(made).keypoints.atanh()


MODEL: dict[str, tuple[GeneratorConfig, tuple[str, ...], Callable[[Generator], object], object, object]] = {
    "size": (CONFIG, ("size=64", *THREE), lambda it: drawn(it).image.shape[2:], (32, 32), (64, 64)),
    "keypoints": (CONFIG, ("keypoints=5",), lambda it: drawn(it).keypoints.shape[1:], (3, 2), (5, 2)),
    "noise_width": (CONFIG, ("noise_width=7",), lambda it: it.parts.pose[0].in_features, 8, 7),
    "embedding_width": (CONFIG, ("embedding_width=6",), lambda it: drawn(it).embeddings.shape[1:], (3, 4), (3, 6)),
    "mlp_width": (CONFIG, ("mlp_width=9",), lambda it: it.parts.pose[0].out_features, 8, 9),
    "start_size": (CONFIG, ("start_size=8", *THREE), lambda it: it.foreground.start.size, 16, 8),
    "start_blocks": (CONFIG, ("start_blocks=4",), lambda it: [block.side for block in it.foreground.blocks].count(16), 2, 4),
    "widths": (CONFIG, ("widths=[10,6]",), lambda it: first_block(it).conv.in_channels, 8, 10),
    "margin": (CONFIG, ("margin=3",), lambda it: it.foreground.start(torch.zeros(1, 3, 2)).shape[2], 16 + 2 * 2, 16 + 2 * 3),
    "spade_width": (CONFIG, ("spade_width=5",), lambda it: len(first_block(it).spade.style.bias), 4, 5),
    "background_widths": (CONFIG, ("background_widths=[6,4]",), lambda it: it.background.convs[0].in_channels, 4, 6),
    "start": (CONFIG, ("start=learned",), lambda it: isinstance(it.foreground.start, LearnedStart), False, True),
    "separate_background": (CONFIG, ("separate_background=false",), lambda it: drawn(it).background is not None, True, False),
    "background_part": (WHOLE, ("background_part=false",), lambda it: first_block(it).spade.style.has_background, True, False),
    "block": (CONFIG, ("block=resnet",), lambda it: isinstance(first_block(it), ResidualBlock), False, True),
    "narrow_early": (CONFIG, ("narrow_early=false",), output_widths, [8, 6, 6], [8, 8, 6]),
    "style": (CONFIG, ("style=adain",), lambda it: type(first_block(it).spade), Spade, AdaIn),
    "embedding": (CONFIG, ("embedding=constant",), lambda it: torch.equal(*drawn(it).embeddings), False, True),
    "channels": (CONFIG, ("channels=1",), lambda it: drawn(it).image.shape[1], 3, 1),
    "progressive": (GROWN, ("progressive=false",), lambda it: list(it.foreground.to_smaller), ["64"], []),
}  # fmt: skip
"""Of each field: a configuration, what to override in it, what is looked at, and what is there before and after."""
CLOSER = {"pose_divisor": ("pose_divisor=40", 1 / 2), "pose_scale": ("pose_scale=0.05", 1 / 20)}
"""Of each field: an override, and how much closer to the middle keypoints are before their tanh."""
Trained = dict[str, dict[str, Tensor]]
EVERYTHING = {"generator", "discriminator", "average"}
OPTIMISER: dict[str, tuple[tuple[str, ...], tuple[str, ...], set[str]]] = {
    "batch": ((), ("batch=8",), EVERYTHING),
    "rate_generator": ((), ("rate_generator=1e-5",), EVERYTHING),
    "rate_discriminator": ((), ("rate_discriminator=1e-5",), EVERYTHING),
    "betas": ((), ("betas=[0.0,0.9]",), EVERYTHING),
    "r1_weight": ((), ("r1_weight=1",), EVERYTHING),
    "r1_every": ((), ("r1_every=1",), EVERYTHING),
    "diffaugment": ((), ("diffaugment=[cutout]",), EVERYTHING),
    "ema_decay": ((), ("ema_decay=0.1",), {"average"}),
    "discriminator_widths": ((), ("discriminator_widths=[4,6,10]",), EVERYTHING),
    "discriminator_residual": ((), ("discriminator_residual=true",), EVERYTHING),
    "loss": ((), ("loss=hinge",), EVERYTHING),
    "spectral_norm": ((), ("spectral_norm=true",), EVERYTHING),
    "background_weight": ((), ("background_weight=100",), EVERYTHING),
    "contrastive_weight": ((), ("contrastive_weight=1",), EVERYTHING),
    "contrastive_temperature": (("contrastive_weight=1",), ("contrastive_temperature=0.5",), EVERYTHING),
    "pose_rate": ((), ("pose_rate=0.05",), EVERYTHING),
}
"""Of each field: what is overridden in any case, what is changed, and which networks are others after three steps."""
FEATURES = {"features", "feature_network", "feature_weight", "feature_width", "feature_betas"}
HEADINGS = {"orientation", "mask_prior", "mask_tau"}
ELSEWHERE = {"tau", "pose_spread", "rest_when_adapting"} | FEATURES | HEADINGS
"""Below, and in test_growing.py, test_features.py and test_headings.py."""


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> ImageCache:
    folder = tmp_path_factory.mktemp("switches")
    return build_cache(write_blobs(folder / "blobs"), folder, 40, "centre", set())


@pytest.fixture(scope="module")
def plain(cache: ImageCache, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """Of the plain configuration."""
    return trained(cache, tmp_path_factory.mktemp("plain"), ())


def trained(cache: ImageCache, folder: Path, overrides: tuple[str, ...]) -> Trained:
    """Weights after three steps."""
    config = apply_overrides(CONFIG, [f"optimiser.{each}" for each in overrides])
    trainer = GeneratorTrainer(RunFolder(folder, config), cache, config, CPU)
    for _ in range(3):
        trainer.train_step()
        trainer.step += 1
    trainer.batches.close()
    return {name: trainer.stateful()[name].state_dict() for name in EVERYTHING}


def test_no_field_is_forgotten() -> None:
    covered = MODEL.keys() | CLOSER.keys() | OPTIMISER.keys() | ELSEWHERE
    assert covered == ModelConfig.model_fields.keys() | OptimiserConfig.model_fields.keys()


@pytest.mark.parametrize("field", MODEL)
def test_a_field_of_the_model_changes_what_it_says(field: str) -> None:
    config, overrides, look, before, after = MODEL[field]
    assert look(network(config)) == before
    assert look(network(config, *overrides)) == after


@pytest.mark.parametrize("field", CLOSER)
def test_a_field_brings_keypoints_closer_to_the_middle(field: str) -> None:
    override, factor = CLOSER[field]
    plain, changed = logits_of_keypoints(network(CONFIG)), logits_of_keypoints(network(CONFIG, override))
    torch.testing.assert_close(changed, factor * plain, atol=1e-5, rtol=1e-4)


def test_keypoints_begin_spread_over_a_disc() -> None:
    spread = spread_evenly(3, 0.5)
    turn = math.radians(137.50776)  # the golden angle, from one to the next; radii that give each a third of the area
    places = [
        (0.5 * ((i + 0.5) / 3) ** 0.5 * math.cos(i * turn), 0.5 * ((i + 0.5) / 3) ** 0.5 * math.sin(i * turn)) for i in range(3)
    ]
    torch.testing.assert_close(spread, torch.tensor(places) - torch.tensor(places).mean(dim=0), atol=1e-4, rtol=0)
    assert spread_evenly(1, 0.5).tolist() == [[0, 0]]
    everywhere = torch.pdist(spread_evenly(10, 0.6))
    assert everywhere.min() > 0.2  # ten places in a disc of 0.6: 0.34 at best between neighbours, as in a honeycomb
    moved = logits_of_keypoints(network(CONFIG, "pose_spread=0.5")) - logits_of_keypoints(network(CONFIG))
    torch.testing.assert_close(moved, spread.atanh().expand_as(moved), atol=1e-5, rtol=1e-4)


def test_tau_is_the_width_of_the_heatmaps() -> None:
    for tau in (0.05, 0.2):  # the mask of a model without separate background is exp(-distance^2 / tau)
        drawing, place = drawn(network(WHOLE, f"tau={tau}")), torch.tensor([grid_axis(32)[17], grid_axis(32)[14]])
        squared = ((drawing.keypoints - place) ** 2).sum(dim=-1).amin(dim=1)
        torch.testing.assert_close(-tau * drawing.mask[:, 0, 14, 17].log(), squared, atol=1e-4, rtol=1e-3)


def test_the_same_settings_learn_the_same(cache: ImageCache, tmp_path: Path, plain: Trained) -> None:
    assert states_equal(plain, trained(cache, tmp_path, ()))


@pytest.mark.parametrize("field", OPTIMISER)
def test_a_field_of_the_optimiser_changes_what_is_learned(
    cache: ImageCache, tmp_path: Path, plain: Trained, field: str
) -> None:
    always, changes, expected = OPTIMISER[field]
    before = trained(cache, tmp_path / "before", always) if always else plain
    after = trained(cache, tmp_path / "after", (*always, *changes))
    assert {name for name in EVERYTHING if not states_equal(before[name], after[name])} == expected
