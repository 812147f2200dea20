"""Error against the number of labels, and detectors trained on labels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.datasets.landmarks import LandmarkSet
from benchmarks.evaluation.label_counts import DRAWS, label_counts, label_counts_markdown
from benchmarks.evaluation.supervised import AnnotatedPairs, train_supervised
from benchmarks.protocol.named import TOY
from kpdetect.coords import to_pixels
from kpdetect.errors import InputError
from kpdetect.images.image_files import write_image
from kpdetect.pairs import NOWHERE
from kpdetect.training.checkpoints import read_description
from kpdetect.training.runtime import resolve_runtime


def annotated(folder: Path, count: int = 70, side: int = 40) -> LandmarkSet:
    """Grey images with a white square at each landmark, 2:1 stretched, fitted but for the last ten."""
    random = np.random.default_rng(0)
    shape = np.array([[8.0, 10], [20, 10], [14, 20], [10, 28], [18, 28]])
    points = shape + random.uniform(-4, 4, (count, 1, 2)) + random.normal(0, 0.5, (count, 5, 2))
    for number, landmarks in enumerate(points):
        image = np.full((side, side // 2 + 10, 3), 90, np.uint8)
        for x, y in landmarks.round().astype(int):
            image[max(0, y - 1) : y + 2, max(0, x - 1) : x + 2] = 255
        write_image(folder / f"{number}.png", image)
    return LandmarkSet(
        name="squares",
        folder=folder,
        images=[f"{number}.png" for number in range(count)],
        sizes=np.full((count, 2), (side, side // 2 + 10)),
        landmarks_px=points,
        fit=np.arange(count - 10),
        test=np.arange(count - 10, count),
        names_identify=False,
    )


@pytest.mark.slow
def test_more_labels_help_and_the_draws_are_counted(tmp_path: Path) -> None:
    data = annotated(tmp_path)
    noisy = data.landmarks_px + np.random.default_rng(1).normal(0, 0.5, data.landmarks_px.shape)
    rows = label_counts(noisy, data, TOY, "model")
    found = {(row.method, row.labels): row for row in rows if "headline" in row.regression}
    assert sorted({row.labels for row in rows}) == [1, 5, 10, 50, 60]
    assert found["model", 60].draws == 1
    assert found["model", 10].draws == DRAWS
    assert found["model", 60].mean < found["model", 50].mean < found["model", 1].mean
    assert found["model", 1].mean == pytest.approx(found["mean shape", 1].mean)  # one label and a bias: its shape
    assert found["model", 10].spread > 0
    assert label_counts_markdown(rows).splitlines()[0].endswith("| 50 labels | 60 labels |")


def test_annotated_images_as_pairs(tmp_path: Path) -> None:
    data = annotated(tmp_path)
    data.landmarks_px[:, 3] = np.where(np.arange(70)[:, None] % 2 == 0, np.nan, data.landmarks_px[:, 3])
    pairs = AnnotatedPairs(data, TOY, 20)
    batch = next(pairs.batches(0, 20))
    assert not np.isin(pairs.chosen, data.test).any()
    assert batch.images.shape == (20, 128, 128, 3)
    row = pairs.chosen[0]
    scale = np.array([128 / 30, 128 / 40])
    expected = (data.landmarks_px[row, 0] + 0.5) * scale - 0.5
    assert to_pixels(batch.keypoints[0, 0], (128, 128)) == pytest.approx(expected, abs=1e-3)
    hidden = pairs.chosen % 2 == 0
    np.testing.assert_array_equal(batch.visible[:, 3], ~hidden)
    assert (batch.keypoints[hidden, 3] == NOWHERE).all()
    with pytest.raises(InputError, match="`supervised=61`: expected 2 to 60"):
        AnnotatedPairs(data, TOY, 61)


@pytest.mark.slow
def test_supervised_detector_is_trained_on_the_labels_and_continues(tmp_path: Path) -> None:
    data = annotated(tmp_path / "images")
    runtime = resolve_runtime("cpu", "float32")
    weights = train_supervised(data, TOY, 8, 0.0, tmp_path / "out", runtime)
    description = read_description(weights)
    assert description["keypoints"] == 5
    assert description["provenance"]["labels"] == 8
    record = (weights.parent / "sources.csv").read_text().splitlines()
    assert len(record) == 9
    assert train_supervised(data, TOY, 8, 0.0, tmp_path / "out", runtime) == weights
