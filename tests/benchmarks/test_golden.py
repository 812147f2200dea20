"""The evaluator against a reference table: one set of K = 10 predictions on all of MAFL, under thirteen protocols."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from benchmarks.datasets.celeba import data_name, load_mafl, read_names
from benchmarks.evaluation.evaluate import evaluate
from benchmarks.evaluation.placed import Evaluation
from benchmarks.protocol.named import CELEBA_PIXELS, MAFL_ALIGNED, SQUARE_128, Frame, Origin
from tests.builders.arrays import evaluate_arrays, evaluate_mean_shape

Arrays = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]
pytestmark = pytest.mark.skipif(
    "KPDETECT_DATA" not in os.environ, reason="KPDETECT_DATA is not set: it names a folder with the reference data"
)
SIZE = (218, 178)


def data() -> Path:
    """Where the reference data is; files that are missing there fail the test."""
    return Path(os.environ["KPDETECT_DATA"])


@pytest.fixture(scope="module")
def stored() -> Arrays:
    """train_pred, train_gt, test_pred, test_gt, as (x, y) in the stored coordinates; the file holds (y, x)."""
    with np.load(data() / "mafl_golden" / "mafl_golden.npz") as file:
        train_pred, train_gt, test_pred, test_gt = (
            file[name].astype(np.float64)[..., ::-1] for name in ("train_pred", "train_gt", "test_pred", "test_gt")
        )
    return train_pred, train_gt, test_pred, test_gt


@pytest.fixture(scope="module")
def pixels(stored: Arrays) -> Arrays:
    """The same in official 178x218 pixels."""
    train_pred, train_gt, test_pred, test_gt = (part * [142.4, 174.4] + [89.0, 109.0] for part in stored)
    return train_pred, train_gt, test_pred, test_gt


def assert_digits(result: Evaluation, mean_of_ratios: str, ratio_of_means: str) -> None:
    assert f"{result.score.mean_of_ratios:.4f}" == mean_of_ratios
    assert f"{result.score.ratio_of_means:.4f}" == ratio_of_means


def test_the_arrays_are_all_of_mafl(pixels: Arrays) -> None:
    assert [part.shape for part in pixels] == [(19000, 10, 2), (19000, 5, 2), (1000, 10, 2), (1000, 5, 2)]
    assert np.abs(pixels[3] - pixels[3].round()).max() < 1e-9  # annotations are integers


@pytest.mark.parametrize(
    ("offset", "bias", "mean_of_ratios", "ratio_of_means"),
    [
        (0.0, False, "3.4815", "3.3507"),
        (0.5, False, "3.5618", "3.4264"),
        (1.0, False, "3.5739", "3.4375"),
        (0.0, True, "3.2609", "3.1309"),
    ],
)
def test_stored_coordinates(stored: Arrays, offset: float, bias: bool, mean_of_ratios: str, ratio_of_means: str) -> None:
    assert_digits(evaluate_arrays(*stored, bias=bias, offset=(offset, offset)), mean_of_ratios, ratio_of_means)


@pytest.mark.parametrize(
    ("frame", "origin", "bias", "mean_of_ratios", "ratio_of_means"),
    [
        (CELEBA_PIXELS, "first pixel", False, "3.8530", "3.7084"),
        (CELEBA_PIXELS, "centre", False, "3.7389", "3.6000"),
        (CELEBA_PIXELS, "first pixel", True, "3.4969", "3.3598"),
        (SQUARE_128, "corner", False, "3.5668", "3.4310"),
        (SQUARE_128, "centre", False, "3.4819", "3.3512"),
        (SQUARE_128, "corner", True, "3.2609", "3.1309"),
    ],
)
def test_frames_of_the_protocol(
    pixels: Arrays, frame: Frame, origin: Origin, bias: bool, mean_of_ratios: str, ratio_of_means: str
) -> None:
    assert any((r.frame, r.origin, r.bias) == (frame, origin, bias) for r in MAFL_ALIGNED.regressions)
    assert_digits(evaluate_arrays(*placed(pixels, frame, origin), bias=bias), mean_of_ratios, ratio_of_means)


def test_mean_shapes(stored: Arrays, pixels: Arrays) -> None:
    assert_digits(evaluate_mean_shape(stored[1], stored[3]), "8.4282", "8.0442")
    assert_digits(evaluate_mean_shape(pixels[1], pixels[3]), "8.8943", "8.5008")
    square = placed(pixels, SQUARE_128, "corner")
    assert_digits(evaluate_mean_shape(square[1], square[3]), "8.4282", "8.0442")


def placed(pixels: Arrays, frame: Frame, origin: Origin) -> Arrays:
    first, second, third, fourth = (frame.place(part, np.array([SIZE] * len(part)), origin) for part in pixels)
    return first, second, third, fourth


def test_half_size_images_give_the_same_numbers(pixels: Arrays) -> None:
    halves = tuple((part + 0.5) / 2 - 0.5 for part in pixels)
    for regression in MAFL_ALIGNED.regressions:
        frame, origin = regression.frame, regression.origin
        half = [frame.place(part, np.array([(109, 89)] * len(part)), origin) for part in halves]
        for small, full in zip(half, placed(pixels, frame, origin), strict=True):
            assert np.abs(small - full).max() < 1e-9


def test_headline_is_the_squashed_corner_without_bias() -> None:
    headline = MAFL_ALIGNED.headline
    assert (headline.frame, headline.origin, headline.bias) == (SQUARE_128, "corner", False)


def test_the_official_lists_are_mafl_and_others_are_not() -> None:
    fit, test = (read_names(data() / "mafl_lists" / f"{part}.txt") for part in ("training", "testing"))
    assert (len(fit), len(test)) == (19000, 1000)
    assert data_name(fit, test) == "mafl"
    assert data_name([*fit[:-1], "000001.jpg"], test) == "mafl-mini"
    assert data_name(fit, test[:-1]) == "mafl-mini"


def test_floors_of_the_small_lists() -> None:
    measured = evaluate(None, load_mafl(data() / "celeba10k", MAFL_ALIGNED), MAFL_ALIGNED)
    floors = [row for row, _ in measured if row.kind == "floor"]
    found = {row.regression: (row.mean_of_ratios, row.ratio_of_means, row.median) for row in floors}
    square, true_pixels = found["128x128, corner origin, no bias"], found["178x218 px, with bias"]
    assert [f"{value:.2f}" for value in square] == ["9.51", "8.53", "7.02"]
    assert [f"{value:.2f}" for value in true_pixels] == ["10.03", "9.03", "7.55"]
