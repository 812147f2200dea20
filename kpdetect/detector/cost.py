"""Forecast the time, memory and disk that the training of a detector needs.

Some steps of the training are run and measured. Nothing is written.
"""

from __future__ import annotations

import time

import torch

from kpdetect.detector.config import DetectorModelConfig
from kpdetect.detector.held_out import find_keypoints
from kpdetect.detector.job import DetectorJob
from kpdetect.detector.model import build_detector
from kpdetect.detector.train import DetectorTrainer
from kpdetect.training.initial_weights import InitialWeights
from kpdetect.training.loop import BUDGETS
from kpdetect.training.price import MOST_SECONDS, Price, price_of, unchanged_randomness, unwritten
from kpdetect.training.run_folder import RunFolder
from kpdetect.training.runtime import Runtime


def detector_price(job: DetectorJob) -> Price:
    """Forecast the time, memory and disk that `run_detector_job` needs for the same job.

    Raises:
        InputError, ConfigError, ShardError, CheckpointError: the training would raise the same error.
    """
    RunFolder(job.out, job.config, exempt=BUDGETS, writes=False)
    if job.initial is not None:
        InitialWeights.read(job.initial, "detector")
    return pairs_price(job)


def pairs_price(job: DetectorJob, *, seconds: float = MOST_SECONDS, fresh: bool = False) -> Price:
    """Forecast the time, memory and disk that a job needs, without a look at the run in its folder.

    Args:
        job: the training on pairs.
        seconds: longest time of the measurement.
        fresh: forecast a new run, even if `job.out` holds a run that the training would continue.
    """

    def trial() -> DetectorTrainer:
        return DetectorTrainer(unwritten(job.config), *job.learn(), job.config, job.runtime)

    return price_of(trial, job.out, job.budget(job.config.steps), seconds=seconds, fresh=fresh)


@torch.no_grad()
def finding_rate(config: DetectorModelConfig, keypoints: int, runtime: Runtime, batch: int = 32) -> float:
    """Measure the speed of prediction of an untrained detector, in images per second."""
    with unchanged_randomness():
        network = build_detector(config, keypoints, initialise=False).eval().to(runtime.device)
    images = torch.zeros(batch, 3, config.input_size, config.input_size)
    find_keypoints(network, images[:2], runtime)
    began = time.perf_counter()
    find_keypoints(network, images, runtime)
    return batch / max(time.perf_counter() - began, 1e-9)
