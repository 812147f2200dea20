"""Forecast the time, memory and disk that training a detector on real images needs.

Some steps are run and measured on a sample of the images. Nothing is written.
"""

from __future__ import annotations

from pathlib import Path

from kpdetect.data.sample import Sample, read_sample
from kpdetect.data.shard_folder import ShardFolder
from kpdetect.detector.learned import open_pairs
from kpdetect.images.image_files import require_apart
from kpdetect.pairs import PairSource
from kpdetect.refinement.anchor import FirstStage
from kpdetect.refinement.config import RefineConfig
from kpdetect.refinement.train import RefineTrainer
from kpdetect.training.loop import BUDGETS
from kpdetect.training.price import MOST_SECONDS, Price, price_of, unwritten
from kpdetect.training.run_folder import RunFolder
from kpdetect.training.runtime import Runtime


def refine_price(
    images: Path,
    out: Path,
    config: RefineConfig,
    runtime: Runtime,
    *,
    model: Path | None = None,
    pairs: Path | None = None,
    minutes: float | None = None,
    exclude: frozenset[str] = frozenset(),
    strict: bool = False,
) -> Price:
    """Forecast the time, memory and disk that `refine_detector` needs with the same arguments.

    Raises:
        InputError, ConfigError, ShardError, CheckpointError: `refine_detector` would raise the same error.
    """
    require_apart(images, out)
    start = None if model is None else FirstStage.load(model)
    config = config if start is None else start.apply(config)
    RunFolder(out, config, exempt=BUDGETS, writes=False)
    folder = None if pairs is None or not config.anchor_weight else open_pairs(pairs, config.keypoints)
    sample = read_sample(images, out, config.side, config.crop, exclude, strict=strict)
    return sampled_refine_price(sample, out, config, runtime, minutes, start, folder)


def sampled_refine_price(
    sample: Sample,
    out: Path,
    config: RefineConfig,
    runtime: Runtime,
    minutes: float | None,
    start: FirstStage | None = None,
    pairs: ShardFolder | PairSource | None = None,
    seconds: float = MOST_SECONDS,
    fresh: bool = False,
) -> Price:
    """Forecast the time, memory and disk that training needs on all images of the folder from which `sample` was taken.

    The measurement takes at most `seconds`.
    """

    def trial() -> RefineTrainer:
        return RefineTrainer(unwritten(config), sample, config, runtime, start, pairs)

    return price_of(trial, out, config.steps, minutes, images=sample.folder_bytes, seconds=seconds, fresh=fresh)
