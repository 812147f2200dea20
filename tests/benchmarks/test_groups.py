"""Images in groups, such as frames of one video: their file, and intervals that resample whole groups."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from benchmarks.datasets.group_table import read_groups
from benchmarks.datasets.landmarks import LandmarkSet
from benchmarks.evaluation.evaluate import evaluate
from benchmarks.evaluation.results import error_table, read_errors, resampled, write_errors
from benchmarks.metrics.difference import paired_difference
from benchmarks.metrics.nme import bootstrap_interval95
from benchmarks.protocol.named import TOY
from benchmarks.tables.table import Measurement, between
from kpdetect.errors import FormatError, InputError
from kpdetect.inference.predictions import Predictions

IMAGES = ("a.png", "b/c.png", "d.png")


def test_groups_are_numbered_in_the_order_of_the_images(tmp_path: Path) -> None:
    path = tmp_path / "groups.csv"
    path.write_bytes("\ufeffimage,video,note\n./d.png,v1,\nb/c.png,v2,\na.png,v1,\nd.png,v1,twice\nother.png,,\n".encode())
    assert read_groups(path, "video", IMAGES).tolist() == [0, 1, 0]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("image,v\na.png,1\nb/c.png,2\nd.png,3\n./a.png,2\n", "line 5: a.png has v 2, but 1 on line 2; remove one"),
        ("image,v\na.png,1\nb/c.png, \nd.png,3\n", "line 3: no v of b/c.png; add its group"),
        ("image,v\na.png,1\nb/c.png\nd.png,3\n", "line 3: 1 values for 2 columns; complete the line"),
        ("image,w\na.png,1\n", "line 1: got columns image, w, expected image and v"),
        ("image,v\na.png,1\nd.png,3\n", "no line for b/c.png; add its v"),
        ("", "line 1: got columns nothing, expected image and v"),
        ("image,v\na.png,\xe9\n".encode("latin-1"), "not a comma-separated table in UTF-8"),
    ],
)
def test_groups_that_cannot_be_used_are_refused_in_one_line(tmp_path: Path, content: str | bytes, message: str) -> None:
    path = tmp_path / "groups.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(FormatError, match=message) as caught:
        read_groups(path, "v", IMAGES)
    assert "\n" not in str(caught.value)
    with pytest.raises(InputError, match="no.csv: no such file; give a CSV with the columns image and v"):
        read_groups(tmp_path / "no.csv", "v", IMAGES)


def scenes(count: int = 60) -> LandmarkSet:
    """Five equal images of each of twelve scenes; six scenes are fitted and six tested."""
    points = np.array([[20.0, 30], [44, 31], [32, 40], [24, 52], [41, 50]])
    return LandmarkSet(
        name="scenes", folder=Path(), images=[f"{number}.png" for number in range(count)],
        sizes=np.full((count, 2), (70, 64)), fit=np.arange(count // 2), test=np.arange(count // 2, count),
        landmarks_px=points + np.repeat(np.random.default_rng(1).normal(0, 3, (count // 5, 5, 2)), 5, axis=0),
        groups=np.arange(count) // 5, names_identify=False,
    )  # fmt: skip


def found(data: LandmarkSet, seed: int) -> Predictions:
    noise = np.repeat(np.random.default_rng(seed).normal(0, 2, (len(data.images) // 5, 2, 2)), 5, axis=0)
    keypoints_px = (data.landmarks_px[:, :2] + noise).astype(np.float32)
    ones = np.ones(keypoints_px.shape[:2], np.float32)
    return Predictions(images=data.images, keypoints_px=keypoints_px, confidence=ones, sizes=data.sizes)


def test_intervals_and_differences_of_a_result_resample_groups() -> None:
    data = scenes()
    model, floor = evaluate(found(data, 2), data, TOY)[:2]
    alone, _ = evaluate(found(data, 2), replace(data, groups=None), TOY)[:2]
    errors = model.evaluation.errors
    sums, counts = errors.sum(axis=1).reshape(6, 5).sum(axis=1), np.full(6, 25)
    assert model.row.interval95 == pytest.approx(bootstrap_interval95(sums, counts))
    width, narrow = (row.interval95[1] - row.interval95[0] for row in (model.row, alone.row))
    assert width > 1.8 * narrow  # root of 5
    assert floor.row.difference == paired_difference(errors, floor.evaluation.errors, groups=np.arange(30) // 5)
    assert resampled(data) == ("intervals and differences resample whole groups: 6 groups of 30 test images",)
    assert resampled(replace(data, groups=None)) == ()


def test_models_are_compared_by_the_groups_of_their_tables_of_errors(tmp_path: Path) -> None:
    data, measurements = scenes(), []
    for seed in (2, 3):
        table = error_table(evaluate(found(data, seed), data, TOY), data, TOY)
        kept = read_errors(write_errors(table, tmp_path / f"{seed}.csv"))
        assert kept.groups is not None
        assert kept.groups.tolist() == (np.arange(30, 60) // 5).tolist()
        result: Any = SimpleNamespace(protocol="toy")
        measurements.append(Measurement(result, kept))
    one, other = measurements
    first, second = (next(iter(each.errors.errors.values())) for each in measurements)  # type: ignore[union-attr]
    expected = paired_difference(first, second, groups=np.arange(30) // 5)
    assert between(one, other) == expected
    older = Measurement(one.result, replace(one.errors, groups=None))  # type: ignore[type-var]
    assert between(older, other) == expected
    assert between(older, Measurement(one.result, replace(other.errors, groups=None))) != expected  # type: ignore[type-var]
