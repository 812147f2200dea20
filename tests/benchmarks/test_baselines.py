"""What stands beside a detector: features reduced and regressed in three ways."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks.datasets.landmarks import LandmarkSet
from benchmarks.evaluation.baselines import Features, choose_components, reduce_features
from benchmarks.evaluation.evaluate import _baselines
from benchmarks.evaluation.placed import place
from benchmarks.protocol.definition import Regression
from benchmarks.protocol.named import TOY
from kpdetect.errors import InputError


def test_random_features_with_and_without_information() -> None:
    random = np.random.default_rng(0)
    landmarks = random.normal(size=(60, 5, 2))
    useful = np.concatenate([landmarks.reshape(60, -1) * 3, 0.01 * random.normal(size=(60, 30))], axis=1)
    assert choose_components(useful.astype(np.float32), landmarks) >= 16
    noise = random.normal(size=(60, 40)).astype(np.float32)
    assert choose_components(noise, landmarks) == 4


def test_reduced_features_use_the_models_number_of_columns() -> None:
    values = np.random.default_rng(0).normal(size=(50, 30)).astype(np.float32)
    features = Features(fit=values[:40], test=values[40:], name="f")
    same, best, ridge = reduce_features(features, np.random.default_rng(1).normal(size=(40, 5, 2)), columns=6)
    assert (same.fit.shape, same.test.shape) == ((40, 6), (10, 6))
    assert same.name == "f: 6 components (same regression)"
    assert best.name.endswith("(best by cross-validation)")
    assert ridge.name == "f: 29 components (ridge)"
    assert [each.ridge for each in (same, best, ridge)] == [False, False, True]


def test_images_of_a_group_are_in_one_fold_when_the_number_of_components_is_chosen() -> None:
    random, groups = np.random.default_rng(0), np.arange(160) // 4
    landmarks = random.normal(size=(40, 5, 2))[groups]
    scenes = random.normal(size=(40, 60))[groups] + 0.01 * random.normal(size=(160, 60))  # they only tell which group
    assert choose_components(scenes.astype(np.float32), landmarks) > 16
    assert choose_components(scenes.astype(np.float32), landmarks, groups=groups) == 4


def test_baselines_of_too_few_images_or_groups_are_left_out(caplog: pytest.LogCaptureFixture) -> None:
    values = np.random.default_rng(0).normal(size=(8, 30)).astype(np.float32)
    landmarks = np.random.default_rng(1).normal(size=(8, 5, 2))
    features = Features(fit=values, test=values, name="f")
    rows = reduce_features(features, landmarks, columns=6, groups=np.zeros(8, int))
    assert [row.name for row in rows] == ["f: 6 components (same regression)", "f: 7 components (ridge)"]
    assert "f: 1 group of fitting images" in caplog.text
    assert reduce_features(Features(fit=values[:1], test=values, name="f"), landmarks[:1], columns=6) == []
    assert "f: 1 fitting image; this baseline needs at least 2 and is left out" in caplog.text
    assert len(reduce_features(Features(fit=values[:2], test=values, name="f"), landmarks[:2], columns=6)) == 3


FORWARD = [each for each in TOY.regressions if not each.backward]


@pytest.mark.parametrize("regression", FORWARD, ids=lambda regression: regression.name)
def test_baselines_are_shrunk_where_the_model_is_and_the_ridge_row_always(regression: Regression) -> None:
    random = np.random.default_rng(0)
    toy = LandmarkSet(
        name="toy",
        folder=Path(),
        images=[f"{number}.png" for number in range(40)],
        sizes=np.full((40, 2), 32),
        landmarks_px=random.uniform(0, 32, (40, len(TOY.landmarks), 2)),
        fit=np.arange(30),
        test=np.arange(30, 40),
        names_identify=False,
    )
    fit, test = (random.normal(size=(len(rows), 12)).astype(np.float32) for rows in (toy.fit, toy.test))
    features = [Features(fit=fit, test=test, name="f", ridge=ridge) for ridge in (False, True)]
    rows = _baselines(toy, TOY, regression, features, ())
    placed = place(toy, TOY, regression)
    shrunk, plain = (placed.regress(fit, test, bias=True, ridge=ridge).score.mean_of_ratios for ridge in (True, False))
    assert shrunk != plain
    assert [row.evaluation.score.mean_of_ratios for row in rows[1:]] == [shrunk if regression.ridge else plain, shrunk]


def test_a_landmark_that_is_hidden_in_a_fold_is_named() -> None:
    landmarks = np.random.default_rng(0).normal(size=(20, 2, 2))
    landmarks[1:, 1] = np.nan  # shown in one image alone, which is held out once
    values = np.random.default_rng(1).normal(size=(20, 30)).astype(np.float32)
    with pytest.raises(InputError, match="no fitting image shows landmark tail"):
        choose_components(values, landmarks, ("nose", "tail"))
