"""The choice among a project's detectors by their scores: computed scores, noise of the images, sentences."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.studies import stage_scores
from benchmarks.studies.evidence import gather_evidence
from benchmarks.studies.stage_scores import Seen, choose_stage, look_through
from benchmarks.studies.verdict import judge_keypoints
from kpdetect.skeleton import Skeleton


def seen(noise: float | np.ndarray, images: int = 40) -> Seen:
    """One keypoint that jumps 10 % of the side left and right; noise in % of the side, of each coordinate."""
    keypoints = np.zeros((images, 1, 2))
    keypoints[:, 0, 0] = np.where(np.arange(images) % 2, 0.2, -0.2)
    return Seen(keypoints=keypoints, distances=np.sqrt(2) * np.broadcast_to(noise, images).reshape(-1, 1))


def choice(**noises: float | np.ndarray) -> stage_scores.StageChoice:
    names = {"first": "detector", "refined": "refined", "one": "taught-1"}
    return choose_stage({names[key]: seen(noise) for key, noise in noises.items()}, dict.fromkeys(names.values(), "hash"))


def test_a_score_that_is_computed_by_hand() -> None:
    movements = 1 - 1 / 25  # (10 / 2)^2 = 25; nothing moves down
    assert seen(2.0).score() == pytest.approx(np.sqrt(movements / (movements + 2)) * (1 - np.sqrt(8) / 10))
    assert seen(np.nan).score() == 0.0
    assert seen(9.0).score() == 0.0  # the noise exceeds the motion


def test_the_best_detector_is_chosen_and_the_sentence_says_why() -> None:
    made = choice(first=4.0, refined=2.0, one=4.0)
    assert (made.chosen, made.images) == ("refined", 40)
    assert [(each.stage, each.score, each.rises) for each in made.stages] == [
        ("detector", 0.2362, None), ("refined", 0.4084, 1.0), ("taught-1", 0.2362, 0.0),
    ]  # fmt: skip
    assert all(each.low < each.score for each in made.stages)
    assert made.sentence == (
        "The refined detector is used: of the 3 detectors it has the best score (0.41); the detector of round 1 has 0.24."
    )
    assert [made.rises_at(stage) for stage in ("detector", "refined", "taught-1", "taught-2")] == [False, True, False, False]
    last = choice(first=4.0, refined=2.0)
    assert last.sentence == "The refined detector is used: of the 2 detectors it has the best score (0.41)."


def test_the_later_detector_is_chosen_if_the_difference_is_noise() -> None:
    assert choice(first=2.0, refined=2.0).chosen == "refined"
    rough = np.where(np.arange(40) == 7, 20.0, 2.0)  # one image alone makes the first detector better
    made = choice(first=2.0, refined=rough, one=9.0)
    assert made.chosen == "refined"
    assert made.stages[0].score > made.stages[1].score + 0.04
    assert made.sentence == (
        "The refined detector is used: its score (0.26) is close to the best one (0.41, the first detector), and it was "
        "trained later; the detector of round 1 has 0.00."
    )


def test_the_score_is_that_of_the_verdict(monkeypatch) -> None:
    class Brightest:
        """Keypoint 0 is the brightest pixel, keypoint 1 the pixel below it."""

        skeleton = Skeleton.plain(2)

        def __call__(self, images):
            found = [np.unravel_index(image[..., 0].argmax(), image.shape[:2])[::-1] for image in images]
            return np.array([[spot, (spot[0], spot[1] + 1)] for spot in found], np.float64), np.ones((len(images), 2))

    source, images = np.random.default_rng(0), []
    for _ in range(6):
        row, column = source.integers(20, 40), source.integers(30, 70)
        image = np.zeros((60, 100, 3), np.uint8)
        image[row - 2 : row + 3, column - 2 : column + 3] = 120
        image[row, column] = 255
        images.append(image)
    monkeypatch.setattr(stage_scores.Predictor, "load", lambda *_, **__: Brightest())
    monkeypatch.setattr("benchmarks.studies.evidence.evenly_spread", lambda paths: images)
    expected = gather_evidence(Brightest(), None, [])  # type: ignore[arg-type]
    score = judge_keypoints(expected, detector="abc").score
    assert look_through(Path("weights"), images, "cpu").score() == pytest.approx(score, abs=5e-4)
    assert expected.movements > 1.9
