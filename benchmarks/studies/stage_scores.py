"""The choice among a project's detectors by their scores without labels; `stages.json`.

All detectors see the same images and the same changed views of them. The images are resampled (bootstrap), the same ones for
all detectors, so that the noise of a difference between two scores is known. Training helps more often than it harms, so the
latest detector is chosen whose score is not lower than the best one beyond this noise.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.metrics.consistency import affine_distances, mean_of_known
from benchmarks.metrics.keypoint_quality import (
    Points,
    Values,
    keypoint_score,
    motion_percent,
    movements_above_noise,
    noise_shares,
)
from benchmarks.studies.evidence import same_scale
from kpdetect.images.arrays import Image
from kpdetect.inference.labels import Labels
from kpdetect.inference.predictor import Predictor
from kpdetect.training.stage_choice import CERTAIN, StageChoice, StageScore, sentence_start, stage_title

RESAMPLINGS = 200


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What a detector predicts on N images and on a changed view of each.

    Attributes:
        keypoints: [N, K, 2], centred and scaled so that the side of an image is 2.
        distances: [N, K], distance between a keypoint in the changed view and the changed keypoint, in percent of the side; NaN
            where the change moves it out of the image.
    """

    keypoints: Points
    distances: Values

    def score(self, rows: Values | slice = slice(None)) -> float:
        """Compute the score of `benchmarks.studies.verdict` from some of the images."""
        distance, keypoints = np.sqrt(mean_of_known(self.distances[rows] ** 2)), self.keypoints[rows]
        movements = movements_above_noise(keypoints, distance / np.sqrt(2))
        return keypoint_score(movements, noise_shares(distance, motion_percent(keypoints)))


def look_through(weights: Path, images: list[Image], device: str, seed: int = 0) -> Seen:
    """Predict images and a changed view of each with a detector, dropped keypoints included.

    Raises:
        CheckpointError: damaged weights.
    """
    predictor = Predictor.load(weights, device, labels=Labels())

    def detected(several: list[Image]) -> Values:
        return np.asarray(predictor(several)[0], np.float64)

    plain = detected(images)
    return Seen(keypoints=same_scale(plain, images), distances=affine_distances(detected, images, plain, seed))


def choose_stage(seen: Mapping[str, Seen], weights: Mapping[str, str], seed: int = 0) -> StageChoice:
    """Choose among the detectors of a project.

    Args:
        seen: predictions of each stage's detector on the same images, in the order of training; at least one.
        weights: hash of the weights of each stage.
        seed: seed of the resampling.
    """
    stages, count = list(seen), len(next(iter(seen.values())).keypoints)
    drawn = np.random.default_rng(seed).integers(0, count, (RESAMPLINGS, count))
    resampled = {stage: np.array([each.score(rows) for rows in drawn]) for stage, each in seen.items()}
    before = dict(zip(stages[1:], stages, strict=False))
    scores = tuple(
        StageScore(
            stage=stage,
            weights=weights[stage],
            score=round(each.score(), 4),
            low=round(float(np.quantile(resampled[stage], 0.05)), 4),
            high=round(float(np.quantile(resampled[stage], 0.95)), 4),
            rises=_better(resampled[stage], resampled[before[stage]]) if stage in before else None,
        )
        for stage, each in seen.items()
    )
    best = max(reversed(scores), key=lambda each: each.score)
    chosen = next(stage for stage in reversed(stages) if _better(resampled[best.stage], resampled[stage]) < CERTAIN)
    return StageChoice(chosen=chosen, images=count, stages=scores, sentence=_sentence(chosen, best.stage, scores))


def _better(one: Values, other: Values) -> float:
    return float(np.mean(one > other))


def _sentence(chosen: str, best: str, scores: Sequence[StageScore]) -> str:
    of = {each.stage: f"{each.score:.2f}" for each in scores}
    last = scores[-1].stage
    if chosen == best:
        why = f"of the {len(scores)} detectors it has the best score ({of[chosen]})"
    else:
        near = f"its score ({of[chosen]}) is close to the best one ({of[best]}, {stage_title(best)})"
        why = f"{near}, and it was trained later"
    rest = "" if chosen == last else f"; {stage_title(last)} has {of[last]}"
    return f"{sentence_start(stage_title(chosen))} is used: {why}{rest}."
