"""The time, memory and disk that training a generator will need, measured on a sample of the images. Nothing is written."""

from __future__ import annotations

import time
from pathlib import Path

import torch

from generator.config import FREE, GeneratorConfig
from generator.keypoints import latents_of
from generator.model import Generator
from generator.training.batches import cached_side
from generator.training.features import FeatureNetwork
from generator.training.train import GeneratorTrainer
from kpdetect.data.sample import Sample, read_sample
from kpdetect.images.image_files import require_apart
from kpdetect.training.initial_weights import InitialWeights
from kpdetect.training.price import MOST_SECONDS, Price, price_of, unwritten
from kpdetect.training.run_folder import RunFolder
from kpdetect.training.runtime import Runtime, channels_last

DRAWN = 64
"""Number of pairs that are drawn to measure the rate. Only an eighth is drawn if that eighth takes `LONG_SECONDS` or longer."""
LONG_SECONDS = 0.5


def generator_price(
    images: Path,
    out: Path,
    config: GeneratorConfig,
    runtime: Runtime,
    *,
    minutes: float | None = None,
    exclude: frozenset[str] = frozenset(),
    strict: bool = False,
    initial: Path | None = None,
    feature_network: FeatureNetwork | None = None,
) -> Price:
    """Forecast what `train_generator` would do, and the time, memory and disk it would need, with the same arguments.

    Raises:
        InputError, ConfigError, CheckpointError: as `train_generator` would.
    """
    require_apart(images, out)
    RunFolder(out, config, exempt=FREE, writes=False)
    if initial is not None:
        InitialWeights.read(initial, "generator")
    sample = read_sample(images, out, cached_side(config.model.size), config.data.crop, exclude, strict=strict)
    return sampled_generator_price(sample, out, config, runtime, minutes, feature_network)


def sampled_generator_price(
    sample: Sample,
    out: Path,
    config: GeneratorConfig,
    runtime: Runtime,
    minutes: float | None,
    feature_network: FeatureNetwork | None = None,
    seconds: float = MOST_SECONDS,
) -> Price:
    """Forecast the training of a generator on the folder that a sample comes from; measure for at most `seconds`."""

    def trial() -> GeneratorTrainer:
        return GeneratorTrainer(unwritten(config), sample, config, runtime, feature_network=feature_network)

    return price_of(trial, out, config.steps, minutes, images=sample.folder_bytes, seconds=seconds)


@torch.no_grad()
def drawing_rate(config: GeneratorConfig, runtime: Runtime) -> float:
    """Measure the pairs per second that an untrained generator draws."""
    network = Generator(config.model).eval().to(runtime.device)
    channels_last(network)

    def seconds(count: int) -> float:
        latents = latents_of(0, 0, count, config.model.noise_width).to(runtime.device)
        began = time.perf_counter()
        float(network.draw(network.parts(latents)).image.sum())  # waits for the device
        return max(time.perf_counter() - began, 1e-9)

    seconds(1)
    few = seconds(DRAWN // 8)
    return DRAWN / seconds(DRAWN) if few < LONG_SECONDS else DRAWN / 8 / few
