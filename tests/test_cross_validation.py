"""Cross-validation inside the fitting images: what is split, what is read, and that good keypoints score."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks.cross_validation import FOLDS, SHUFFLES, cross_validate, markdown, splits, write_csv
from benchmarks.datasets.landmarks import LandmarkSet
from benchmarks.protocols import TOY
from kpdetect.errors import InputError


def annotated(count):
    source = np.random.default_rng(1)
    shape = np.array([[20.0, 30], [44, 31], [32, 40], [24, 52], [41, 50]])
    landmarks = shape + source.normal(0, 2, (count, 1, 2)) + source.normal(0, 0.5, (count, 5, 2))
    return LandmarkSet(
        name="drawn", folder=Path("nowhere"), images=[f"{number}.png" for number in range(count)],
        sizes=np.full((count, 2), (70, 64)), landmarks_px=landmarks, fit=np.arange(count - 3), test=np.arange(count - 3, count),
        names_identify=True,
    )  # fmt: skip


def test_every_image_is_measured_once_by_a_fit_without_it():
    shuffles = splits(23)
    assert len(shuffles) == SHUFFLES
    for parts in shuffles:
        assert len(parts) == FOLDS
        assert sorted(np.concatenate([check for _, check in parts])) == list(range(23))
        assert all(sorted([*fit, *check]) == list(range(23)) for fit, check in parts)
    assert not np.array_equal(shuffles[0][0][1], shuffles[1][0][1])


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
    assert "drawn".upper() in markdown(rows, data)
    assert list(pd.read_csv(write_csv(rows, tmp_path / "rows.csv"))["method"][:2]) == ["perfect", "mean shape"]


def test_test_images_are_not_looked_at():
    data = annotated(43)
    rows = cross_validate(data.landmarks_px[data.fit], data, TOY, "model")
    data.landmarks_px[data.test] = 1e6
    assert cross_validate(data.landmarks_px[data.fit], data, TOY, "model") == rows


def test_too_few_images_are_refused():
    data = annotated(12)
    with pytest.raises(InputError, match="needs 10"):
        cross_validate(data.landmarks_px[data.fit], data, TOY, "model")
