"""Labels of points cover neither points nor other labels."""

import numpy as np

from kpdetect.label_places import first_places, label_places


def test_a_label_stands_right_above_its_point_if_there_is_room():
    points, sizes = np.array([[50.0, 40.0]]), np.array([[12.0, 8.0]])
    expected = [[50 + 0.7 * 5, 40 - 0.7 * 5 - 8]]  # 0.7 of the reach to the right and above, then the label
    np.testing.assert_allclose(label_places(points, sizes, 5, (100, 80)), expected)
    np.testing.assert_allclose(first_places(points, sizes, 5), expected)


def test_a_label_stays_in_the_picture():
    corner = np.array([[97.0, 3.0]])  # at the right end and the top: left below
    np.testing.assert_allclose(label_places(corner, [[12.0, 8.0]], 4, (100, 80)), [[97 - 0.7 * 4 - 12, 3 + 0.7 * 4]])


def test_labels_cover_nothing():
    points = np.random.default_rng(0).uniform((20, 10), (180, 110), (24, 2))
    sizes, reach = np.tile([[14.0, 9.0]], (24, 1)), 4.0
    found = label_places(points, sizes, reach, (200, 120))
    shown = np.flatnonzero(~np.isnan(found[:, 0]))
    assert len(shown) > 18
    for label in shown:
        left, top = found[label]
        assert 0 <= left <= 200 - 14
        assert 0 <= top <= 120 - 9
        for other in set(range(24)) - {label}:
            x, y = points[other]
            assert not (left < x + reach and x - reach < left + 14 and top < y + reach and y - reach < top + 9)
            assert not (abs(left - found[other, 0]) < 14 and abs(top - found[other, 1]) < 9)


def test_a_label_without_room_or_without_a_point_has_no_place():
    points = np.array([[50.0, 40.0], [np.nan, np.nan], [5.0, 5.0]])
    found = label_places(points, [[12.0, 8.0], [12.0, 8.0], [120.0, 8.0]], 5, (100, 80))
    assert np.isnan(found).any(axis=1).tolist() == [False, True, True]
    assert label_places(np.zeros((0, 2)), np.zeros((0, 2)), 5, (100, 80)).shape == (0, 2)
