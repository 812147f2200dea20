"""The price of training a detector on pairs, measured with real steps; nothing is written."""

from __future__ import annotations

import time
from pathlib import Path

import torch

from kpdetect.data.reader import ShardFolder
from kpdetect.detector.batches import open_pairs
from kpdetect.detector.config import DetectorConfig, DetectorModelConfig
from kpdetect.detector.held_out import find_keypoints
from kpdetect.detector.model import build_detector
from kpdetect.detector.train import DetectorTrainer, learn_from
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
    """Say what `train_detector` would do and need; with a source of pairs, what `train_detector_live` would.

    Raises:
        InputError, ConfigError, ShardError, CheckpointError: as these would.
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
    """Say what training on pairs would do and need, measured for at most so many seconds.

    Args:
        fresh: whether the run is begun anew whatever is in `out`.
    """

    def trial() -> DetectorTrainer:
        batches, learned = learn_from(pairs, Path(), config)
        return DetectorTrainer(unwritten(config), batches, learned, config, runtime)

    return price_of(trial, out, config.steps, minutes, seconds=seconds, fresh=fresh)


@torch.no_grad()
def finding_rate(config: DetectorModelConfig, keypoints: int, runtime: Runtime, batch: int = 32) -> float:
    """Images per second in which an untrained detector finds keypoints."""
    with unchanged_randomness():
        network = build_detector(config, keypoints, initialise=False).eval().to(runtime.device)
    images = torch.zeros(batch, 3, config.input_size, config.input_size)
    find_keypoints(network, images[:2], runtime)
    began = time.perf_counter()
    find_keypoints(network, images, runtime)
    return batch / max(time.perf_counter() - began, 1e-9)
