"""What controls what, and embeddings as clouds, where the answer is known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from benchmarks.studies.controllability import COLUMNS, ROWS, control_grid, judge_control, measure_control, write_control
from benchmarks.studies.embeddings import BACKGROUND, gather, project, write_embeddings
from generator.model import Drawing, Generator
from generator.stream import PairStream
from kpdetect.config import apply_overrides
from kpdetect.errors import InputError
from kpdetect.images.image_files import read_image
from kpdetect.skeleton import Skeleton
from tests.builders.generators import CONFIG
from tests.builders.runtimes import CPU
from tests.builders.trainings import fit_generator


@pytest.mark.parametrize(
    ("strength", "moved", "overlap", "verdict"),
    [
        ([3, 3, 4], [0.2, 0.05, 0.0], 0.1, "good"),
        ([3, 3, 4], [0.2, 0.11, 0.0], 0.1, "inferior"),
        ([3, 3, 4], [0.2, 0.05, 0.0], 0.6, "inferior"),
        ([3, 3, 4], [0.2, 0.05, 0.15], 0.6, "entangled"),
        ([3, 3, 4], [0.2, 0.15, 0.15], 0.6, "entangled"),
        ([0.9, 0.3, 4], [0.2, 0.0, 0.3], 0.0, "trivial"),
        ([0.3, 1.1, 4], [0.2, 0.0, 0.0], 0.0, "good"),
        ([0, 0, 0], [0, 0, 0], 1.0, "trivial"),
    ],
)
def test_verdicts(strength: list[float], moved: list[float], overlap: float, verdict: str) -> None:
    found = judge_control(np.array(strength, float), np.array(moved, float), overlap)
    assert found.verdict == verdict
    assert found.motion[0] == pytest.approx(moved[1] / 0.2)


class Painter:
    """Stands for a network: the first keypoint as a bright square on the left half, the background as the right half's grey."""

    def __init__(self, network: Generator) -> None:
        self.config, self.parts, self.stage = network.config, network.parts, network.stage

    def draw(self, parts) -> Drawing:  # type: ignore[no-untyped-def]
        count = len(parts.keypoints)
        image = torch.zeros(count, 3, 32, 32)
        image[..., 16:] = torch.tanh(parts.background[:, :1, None, None])
        for row, (x, y) in enumerate(parts.keypoints[:, 0]):
            column, line = int(2 + 4 * (x + 1)) % 10, int(12 + 6 * (y + 1)) % 26
            image[row, :, line : line + 6, column : column + 6] = 0.6 + 0.3 * torch.tanh(parts.embeddings[row, 0, 0])
        mask = torch.ones(count, 1, 32, 32)
        return Drawing(image=image, keypoints=parts.keypoints, embeddings=parts.embeddings, mask=mask)


class Brightest:
    """Finds the painter's square."""

    keypoints, side, skeleton = 3, 32, Skeleton.plain(3)

    def read_squares(self, squares: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        flat = squares[:, :, :16].mean(axis=3).reshape(len(squares), -1).argmax(axis=1)
        places = np.stack([flat % 16, flat // 16], axis=-1) / 16 - 1
        return np.repeat(places[:, None], 3, axis=1), np.ones((len(squares), 3))


@pytest.fixture
def stream(blob_folder: Path, tmp_path: Path) -> PairStream:
    fit_generator(blob_folder, tmp_path / "run", apply_overrides(CONFIG, ["steps=2"]), CPU)
    return PairStream(tmp_path / "run", CPU)


@pytest.mark.slow
def test_a_painter_whose_factors_are_apart_is_good(stream: PairStream) -> None:
    with torch.no_grad():
        next(reversed(stream.exact.pose)).weight.mul_(200)  # keypoints all over the place
    stream.network = Painter(stream.network)  # type: ignore[assignment]
    found = measure_control(stream, Brightest(), 40)  # type: ignore[arg-type]
    assert found.motion == pytest.approx((0, 0))
    assert found.overlap < 0
    assert found.verdict == "good"
    assert found.strength[0] > 0.3
    assert 0.01 < found.strength[1] < found.strength[0]


@pytest.mark.slow
def test_grid_of_swaps(stream: PairStream, small_project: Path, tmp_path: Path) -> None:
    grid = control_grid(stream)
    assert grid.shape == (20 + ROWS * 128, len(COLUMNS) * 128, 3)
    (tmp_path / "run").rename(small_project / "generator")
    found = write_control(small_project, tmp_path / "out", CPU, count=6)
    assert found.verdict in ("good", "inferior", "entangled", "trivial")
    assert read_image(tmp_path / "out" / "control.png").shape == grid.shape
    wrong = Brightest()
    wrong.keypoints = 4
    with pytest.raises(InputError, match="the generator has 3 keypoints and the detector 4"):
        measure_control(stream, wrong, 1)  # type: ignore[arg-type]


@pytest.mark.slow
def test_clouds_that_lie_apart_are_separable_and_others_are_not() -> None:
    source = np.random.default_rng(0)
    names = [str(part) for part in range(3) for _ in range(20)] + [BACKGROUND] * 20
    centres = np.repeat(np.array([[9, 0, 0, 0], [0, 9, 0, 0], [-9, -9, 0, 0], [0, 0, 0, 0]]), 20, axis=0)
    apart = project(centres + source.normal(size=(80, 4)), names)
    assert apart.separable == 100
    assert apart.separable_floor == pytest.approx(100 / 3)
    assert apart.explained > 0.9
    assert np.isnan(apart.pca[60:]).all()
    assert np.isfinite(apart.pca[:60]).all()
    assert np.isfinite(apart.tsne_all).all()
    mixed = project(source.normal(size=(80, 4)), names)
    assert mixed.separable is not None
    assert mixed.separable < 60


@pytest.mark.slow
def test_embeddings_are_written(stream: PairStream, tmp_path: Path) -> None:
    rows, names = gather(stream, 6)
    assert names == ["0"] * 6 + ["1"] * 6 + ["2"] * 6 + [BACKGROUND] * 6
    parts = stream.parts(0, 6)
    np.testing.assert_array_equal(rows[7], parts.embeddings[1, 1].double().numpy())
    np.testing.assert_array_equal(rows[20], parts.background[2].double().numpy())
    write_embeddings(tmp_path / "run", tmp_path / "out", CPU, count=6)
    table = pd.read_csv(tmp_path / "out" / "embeddings.csv", dtype={"part": str})
    assert list(table["part"]) == names
    assert table["pca_x"].isna().sum() == 6
    assert read_image(tmp_path / "out" / "embeddings.png").std() > 5
    with pytest.raises(InputError, match="`count=4`"):
        write_embeddings(tmp_path / "run", tmp_path / "out", CPU, count=4)
