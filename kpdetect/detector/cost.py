"""Forecast the time, memory and disk that the training of a detector needs.

Some steps of the training are run and measured. Nothing is written.
"""

from __future__ import annotations

import time
from pathlib import Path

import torch

from kpdetect.data.shard_folder import ShardFolder
from kpdetect.detector.config import DetectorConfig, DetectorModelConfig
from kpdetect.detector.held_out import find_keypoints
from kpdetect.detector.learned import learn_from, open_pairs
from kpdetect.detector.model import build_detector
from kpdetect.detector.train import DetectorTrainer
from kpdetect.pairs import PairSource
from kpdetect.training.initial_weights import InitialWeights
from kpdetect.training.loop import BUDGETS
from kpdetect.training.price import MOST_SECONDS, Price, price_of, unchanged_randomness, unwritten
from kpdetect.training.run_folder import RunFolder
from kpdetect.training.runtime import Runtime


def detector_price(
    pairs: Path | PairSource,
    out: Path,
    config: DetectorConfig,
    runtime: Runtime,
    *,
    minutes: float | None = None,
    initial: Path | None = None,
) -> Price:
    """Forecast the time, memory and disk that `train_detector` needs. For a source of pairs, forecast `train_detector_live`.

    Raises:
        InputError, ConfigError, ShardError, CheckpointError: the training would raise the same error.
    """
    RunFolder(out, config, exempt=BUDGETS, writes=False)
    if initial is not None:
        InitialWeights.read(initial, "detector")

    return pairs_price(open_pairs(pairs) if isinstance(pairs, Path) else pairs, out, config, runtime, minutes)


def pairs_price(
    pairs: ShardFolder | PairSource,
    out: Path,
    config: DetectorConfig,
    runtime: Runtime,
    minutes: float | None,
    *,
    seconds: float = MOST_SECONDS,
    fresh: bool = False,
) -> Price:
    """Forecast the time, memory and disk that a training on pairs needs.

    Args:
        pairs: folder of pairs, or source that draws them during the training.
        out: run folder of the training.
        config: settings of the training.
        runtime: device and precision.
        minutes: training time; None if only `config.steps` ends the run.
        seconds: longest time of the measurement.
        fresh: forecast a new run, even if `out` holds a run that the training would continue.
    """

    def trial() -> DetectorTrainer:
        batches, learned = learn_from(pairs, Path(), config)
        return DetectorTrainer(unwritten(config), batches, learned, config, runtime)

    return price_of(trial, out, config.steps, minutes, seconds=seconds, fresh=fresh)


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
