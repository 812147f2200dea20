"""Forecast the time, memory and disk that training a detector on real images needs.

Some steps are run and measured on a sample of the images. Nothing is written.
"""

from __future__ import annotations

from dataclasses import replace

from kpdetect.data.sample import Sample
from kpdetect.data.shard_folder import ShardFolder
from kpdetect.pairs import PairSource
from kpdetect.refinement.anchor import FirstStage
from kpdetect.refinement.job import RefineJob
from kpdetect.refinement.train import RefineTrainer, opened
from kpdetect.training.loop import BUDGETS
from kpdetect.training.price import MOST_SECONDS, Price, price_of, unwritten
from kpdetect.training.run_folder import RunFolder


def refine_price(job: RefineJob) -> Price:
    """Forecast the time, memory and disk that `run_refine_job` needs for the same job.

    Raises:
        InputError, ConfigError, ShardError, CheckpointError: `run_refine_job` would raise the same error.
    """
    start, config, pairs = opened(job)
    RunFolder(job.out, config, exempt=BUDGETS, writes=False)
    sample = job.images.sample(job.out, config.side, config.crop)
    return sampled_refine_price(replace(job, config=config), sample, start, pairs)


def sampled_refine_price(
    job: RefineJob,
    sample: Sample,
    start: FirstStage | None = None,
    pairs: ShardFolder | PairSource | None = None,
    seconds: float = MOST_SECONDS,
    fresh: bool = False,
) -> Price:
    """Forecast a job from a sample of its images, with the given detector and pairs in place of the job's.

    The measurement takes at most `seconds`.
    """
    config = job.config

    def trial() -> RefineTrainer:
        return RefineTrainer(unwritten(config), sample, config, job.runtime, start, pairs)

    return price_of(trial, job.out, job.budget(config.steps), images=sample.folder_bytes, seconds=seconds, fresh=fresh)
