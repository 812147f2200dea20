"""Keypoints that the labels of a model drop count in no measurement."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from benchmarks.benchmarking.benchmark import benchmark
from benchmarks.benchmarking.inputs import BenchmarkInputs
from benchmarks.benchmarking.model_choice import _fitting_keypoints
from benchmarks.evaluation import predict as predicting
from benchmarks.evaluation.measured_model import Source
from benchmarks.evaluation.prediction_file import NAME, read_entry, write_entry
from benchmarks.studies.controllability import _detected
from benchmarks.studies.evidence import gather_evidence
from benchmarks.studies.measure import measure_detector
from kpdetect.errors import InputError
from kpdetect.images.image_files import write_image
from kpdetect.inference.labels import LABELS
from kpdetect.skeleton import Skeleton
from kpdetect.toy.dataset import write_toy


@pytest.mark.slow
def test_a_benchmark_measures_the_keypoints_that_the_labels_keep(
    tmp_path: Path, small_project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    toy, out, labels = tmp_path / "toy", tmp_path / "out", small_project / "detector" / LABELS
    write_toy(toy, 20, size=32, seed=1)
    monkeypatch.setattr(predicting, "code_commit", lambda: "c0ffee")
    monkeypatch.setattr(predicting, "environment", lambda: {"commit": "c0ffee"})
    whole = benchmark("toy", small_project, toy, out, baselines=False).result
    assert not any("learned keypoints" in note for note in whole.notes)
    labels.write_text("drop: [1]\n")  # neither weights nor code change
    result = benchmark("toy", small_project, toy, out, baselines=False).result
    assert "2 of 3 learned keypoints; the others are dropped" in result.notes
    assert result.rows[0].columns == 4
    assert list(next(row for row in reversed(result.rows) if row.kind == "model").per_point) == ["keypoint 0", "keypoint 2"]
    entry = read_entry(out / NAME, "toy")
    assert entry.predictions.points.numbers == (0, 2)
    write_entry(out / NAME, replace(entry, predictions=replace(entry.predictions, skeleton=None)))
    calls, real = [], predicting._predict
    monkeypatch.setattr(predicting, "_predict", lambda *given: calls.append(1) or real(*given))
    for _ in range(2):
        benchmark("toy", small_project, toy, out, baselines=False)
    assert len(calls) == 1  # the entry without numbers is of an earlier version
    found, _ = _fitting_keypoints(Source(model=small_project), BenchmarkInputs(protocol="toy", data=toy).read()[1], out)
    assert found.shape[1] == 2
    labels.unlink()
    with pytest.raises(InputError, match="predictions of other keypoints than the labels of .* keep now"):
        benchmark("toy", small_project, toy, out, predictions=out / NAME, baselines=False)


class Spot:
    """Keypoint 1 is the brightest pixel; keypoint 0 jumps about and is dropped."""

    keypoints, side, skeleton = 2, 32, Skeleton(numbers=(1,), names=("keypoint1",))

    def __init__(self) -> None:
        self.random = np.random.default_rng(0)

    def __call__(self, images: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        spots = [np.unravel_index(image[..., 0].argmax(), image.shape[:2])[::-1] for image in images]
        found = np.stack([self.random.uniform(8, 24, (len(images), 2)), np.array(spots, np.float64)], axis=1)
        return found, np.ones((len(images), 2))

    def read_squares(self, squares: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return self(list(squares))


def test_measures_without_labels_leave_out_dropped_keypoints(tmp_path: Path) -> None:
    spot: Any = Spot()
    source, paths = np.random.default_rng(1), [tmp_path / f"{number}.png" for number in range(16)]
    for path in paths:
        image = np.zeros((60, 60, 3), np.uint8)
        row, column = source.integers(22, 38, 2)
        image[row - 1 : row + 2, column - 1 : column + 2] = 120
        image[row, column] = 255
        write_image(path, image)
    affine, mirror = measure_detector(spot, paths, 0)
    assert affine.value < 2
    assert mirror.value == pytest.approx(0)
    assert mirror.note.endswith("in mirrored images, keypoints 1 match keypoints 1")
    evidence = gather_evidence(spot, None, paths, other=spot)
    assert evidence.known_to_other is not None
    assert evidence.known_to_other.shape == (1,)
    assert _detected(torch.zeros(3, 3, 16, 16), spot).shape == (3, 1, 2)
