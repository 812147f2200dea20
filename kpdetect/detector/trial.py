"""The price of training a detector on pairs, measured with real steps; nothing is written."""

from __future__ import annotations

from pathlib import Path

from kpdetect.detector.batches import open_pairs
from kpdetect.detector.config import DetectorConfig
from kpdetect.detector.train import DetectorTrainer, learn_from
from kpdetect.pairs import PairSource
from kpdetect.training.initial_weights import InitialWeights
from kpdetect.training.loop import BUDGETS
from kpdetect.training.price import MOST_SECONDS, Price, price_of, unwritten
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
    seconds: float = MOST_SECONDS,
) -> Price:
    """Say what `train_detector` would do and need; with a source of pairs, what `train_detector_live` would.

    Raises:
        InputError, ConfigError, ShardError, CheckpointError: as these would.
    """
    RunFolder(out, config, exempt=BUDGETS, writes=False)
    if initial is not None:
        InitialWeights.read(initial, "detector")

    def trial() -> DetectorTrainer:
        batches, learned = learn_from(open_pairs(pairs) if isinstance(pairs, Path) else pairs, Path(), config)
        return DetectorTrainer(unwritten(config), batches, learned, config, runtime)

    return price_of(trial, out, config.steps, minutes, seconds=seconds)
