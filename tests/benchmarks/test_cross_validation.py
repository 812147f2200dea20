"""Cross-validation inside the fitting images: what is split, what is read, and that good keypoints score."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks.datasets.landmarks import LandmarkSet
from benchmarks.evaluation.contamination import Contamination
from benchmarks.evaluation.cross_validation import FOLDS, SHUFFLES, cross_validate, cross_validation_markdown, splits, write_csv
from benchmarks.protocol.named import TOY
from kpdetect.errors import InputError


def annotated(count):
    source = np.random.default_rng(1)
    shape = np.array([[20.0, 30], [44, 31], [32, 40], [24, 52], [41, 50]])
    landmarks = shape + source.normal(0, 2, (count, 1, 2)) + source.normal(0, 0.5, (count, 5, 2))
    return LandmarkSet(
        name="drawn", folder=Path("nowhere"), images=[f"{number}.png" for number in range(count)],
        sizes=np.full((count, 2), (70, 64)), landmarks_px=landmarks, fit=np.arange(count - 3), test=np.arange(count - 3, count),
        names_identify=True, lists={"list.txt": "feedbeef"},
    )  # fmt: skip


def test_every_image_is_measured_once_by_a_fit_without_it():
    shuffles = splits(np.arange(23))
    assert len(shuffles) == SHUFFLES
    for parts in shuffles:
        assert len(parts) == FOLDS
        assert sorted(np.concatenate([check for _, check in parts])) == list(range(23))
        assert all(sorted([*fit, *check]) == list(range(23)) for fit, check in parts)
    assert not np.array_equal(shuffles[0][0][1], shuffles[1][0][1])


@pytest.mark.slow
def test_images_of_a_group_are_never_apart():
    groups = np.arange(60) // 4
    for parts in splits(groups):
        assert sorted(np.concatenate([check for _, check in parts])) == list(range(60))
        assert all(len(check) == 12 and not set(groups[fit]) & set(groups[check]) for fit, check in parts)
    data = annotated(63)
    together = replace(data, groups=np.repeat([0, 1, 2, 3], [15, 15, 15, 18]))
    with pytest.raises(InputError, match="4 groups of fitting images; cross-validation needs at least 5"):
        cross_validate(data.landmarks_px[data.fit], together, TOY, "model")
    noise = np.repeat(np.random.default_rng(0).normal(size=(20, 3, 2)), 3, axis=0)  # keypoints that only tell which group
    shifted = replace(
        data, landmarks_px=data.landmarks_px + np.repeat(np.random.default_rng(2).normal(0, 9, (21, 1, 2)), 3, axis=0)
    )
    apart, kept = (
        cross_validate(noise, each, TOY, "model")[0].mean_of_ratios
        for each in (shifted, replace(shifted, groups=np.arange(63) // 3))
    )
    assert kept > apart


@pytest.mark.slow
def test_perfect_keypoints_have_no_error_and_the_mean_shape_has_its_own(tmp_path):
    data = annotated(63)
    rows = cross_validate(data.landmarks_px[data.fit], data, TOY, "perfect")
    perfect, floor = rows[0], rows[1]
    assert perfect.method == "perfect"
    assert perfect.regression.endswith("(headline)")
    assert perfect.mean_of_ratios < 1e-6
    shape = data.landmarks_px[data.fit]
    around = np.linalg.norm(shape - shape.mean(axis=0), axis=-1) / np.linalg.norm(shape[:, 0] - shape[:, 1], axis=-1)[:, None]
    assert floor.mean_of_ratios == pytest.approx(100 * around.mean(), rel=0.05)
    assert 0 < floor.spread < 0.1 * floor.mean_of_ratios
    assert "drawn".upper() in cross_validation_markdown(rows, data)
    judged = Contamination(status="clean", fit_images=7)
    table = pd.read_csv(write_csv(rows, tmp_path / "rows.csv", data, "0123456789abcdef", judged))
    assert list(table["method"][:2]) == ["perfect", "mean shape"]
    assert set(table["data"]) == {"drawn"}
    assert set(table["lists"]) == {"list.txt:feedbeef"}
    assert set(table["trained_on"]) == {7}
    assert set(table["model"]) == {"0123456789abcdef"}
    assert not table[["commit", "hardware", "time", "folds", "shuffles"]].isna().any(axis=None)


@pytest.mark.slow
def test_test_images_are_not_looked_at():
    data = annotated(43)
    rows = cross_validate(data.landmarks_px[data.fit], data, TOY, "model")
    data.landmarks_px[data.test] = 1e6
    assert cross_validate(data.landmarks_px[data.fit], data, TOY, "model") == rows


def test_too_few_images_are_refused():
    data = annotated(12)
    with pytest.raises(InputError, match="needs at least 10"):
        cross_validate(data.landmarks_px[data.fit], data, TOY, "model")
