"""The time, memory and disk that training a generator will need, measured on a sample of the images. Nothing is written."""

from __future__ import annotations

import time

import torch

from generator.config import FREE, GeneratorConfig
from generator.keypoints import latents_of
from generator.model import Generator
from generator.training.batches import cached_side
from generator.training.job import GeneratorJob
from generator.training.train import GeneratorTrainer
from kpdetect.data.sample import Sample
from kpdetect.images.image_files import require_apart
from kpdetect.training.initial_weights import InitialWeights
from kpdetect.training.price import MOST_SECONDS, Price, price_of, unwritten
from kpdetect.training.run_folder import RunFolder
from kpdetect.training.runtime import Runtime, channels_last

DRAWN = 64
"""Number of pairs that are drawn to measure the rate. Only an eighth is drawn if that eighth takes `LONG_SECONDS` or longer."""
LONG_SECONDS = 0.5


def generator_price(job: GeneratorJob) -> Price:
    """Forecast the time, memory and disk that `run_generator_job` needs for the same job.

    Raises:
        InputError, ConfigError, CheckpointError: as `run_generator_job` would.
    """
    require_apart(job.images.folder, job.out)
    RunFolder(job.out, job.config, exempt=FREE, writes=False)
    if job.initial is not None:
        InitialWeights.read(job.initial, "generator")
    return sampled_generator_price(job, job.images.sample(job.out, cached_side(job.config.model.size), job.config.data.crop))


def sampled_generator_price(job: GeneratorJob, sample: Sample, seconds: float = MOST_SECONDS) -> Price:
    """Forecast a job from a sample of its images; measure for at most `seconds`."""
    config = job.config

    def trial() -> GeneratorTrainer:
        return GeneratorTrainer(unwritten(config), sample, config, job.runtime, feature_network=job.feature_network)

    return price_of(trial, job.out, job.budget(config.steps), images=sample.folder_bytes, seconds=seconds)


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
