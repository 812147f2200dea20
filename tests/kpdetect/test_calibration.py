"""Confidence as a probability: fitted, applied, and measured on hand-computed numbers."""

import json

import numpy as np
import pytest

from kpdetect.detector.calibration import Calibration, fit_calibration, reliability
from kpdetect.training.model_description import CalibrationDescription


def test_a_rising_map_between_its_corners():
    calibration = Calibration(mass=(0.2, 0.6), probability=(0.1, 0.9))
    assert calibration(np.array([0.0, 0.2, 0.4, 0.6, 1.0])).tolist() == pytest.approx([0.1, 0.1, 0.5, 0.9, 0.9])


def test_without_calibration_confidence_is_the_mass():
    mass = np.array([[0.0, 0.3], [0.8, 1.0]], np.float32)
    np.testing.assert_allclose(Calibration.read(None)(mass), mass)


def test_fitting_finds_the_share_that_was_found():
    mass = np.repeat([0.3, 0.7], 10)
    found = np.array([True] * 2 + [False] * 8 + [True] * 9 + [False])
    calibration = fit_calibration(mass, found)
    assert calibration(np.array([0.3, 0.7])).tolist() == pytest.approx([0.2, 0.9])
    assert Calibration.read(CalibrationDescription.model_validate_json(json.dumps(calibration.description()))) == calibration


@pytest.mark.parametrize(("value", "level"), [(True, 11 / 12), (False, 1 / 12)])
def test_one_kind_alone_gives_one_probability(value, level):
    calibration = fit_calibration(np.linspace(0, 1, 10), np.full(10, value))
    assert calibration(np.array([0.1, 0.9])).tolist() == pytest.approx([level, level])


def test_expected_calibration_error_by_hand():
    confidence = np.array([0.15, 0.15, 0.95, 0.95, 0.95, 0.95])
    found = np.array([False, True, True, True, True, False])
    table = reliability(confidence, found)
    assert table.said.tolist() == pytest.approx([0.15, 0.95])
    assert table.true.tolist() == pytest.approx([0.5, 0.75])
    assert table.count.tolist() == [2, 4]
    assert table.error == pytest.approx((0.35 * 2 + 0.2 * 4) / 6)


def test_certainty_has_a_bin():
    assert reliability(np.array([1.0]), np.array([True])).error == 0
