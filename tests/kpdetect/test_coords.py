import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from kpdetect.coords import apply_affine, crop_resize_affine, invert_affine, similarity_affine, to_normalised, to_pixels

lengths = st.integers(1, 4000)
values = st.floats(-3, 3, allow_nan=False)


def test_hand_computed_pixels():
    points = np.array([[-1.0, -1.0], [0.0, 0.0], [1.0, 1.0], [0.5, -0.25]])
    expected = np.array([[-0.5, -0.5], [1.5, 3.5], [3.5, 7.5], [2.5, 2.5]])  # 4 wide, 8 high
    np.testing.assert_allclose(to_pixels(points, (8, 4)), expected)
    np.testing.assert_allclose(to_normalised(expected, (8, 4)), points)


def test_torch_and_numpy_agree_and_keep_their_type():
    points = np.array([[0.3, -0.7]], dtype=np.float32)
    tensor = to_pixels(torch.from_numpy(points), (10, 20))
    assert tensor.dtype == torch.float32
    np.testing.assert_allclose(tensor.numpy(), [[12.5, 1.0]], atol=1e-5)
    assert to_pixels(points, (10, 20)).dtype == np.float32


@given(lengths, lengths, values, values)
def test_round_trip(height, width, x, y):
    point = np.array([x, y])
    np.testing.assert_allclose(to_normalised(to_pixels(point, (height, width)), (height, width)), point, atol=1e-9)


def test_a_point_is_the_same_place_at_every_resolution():
    point = np.array([0.37, -0.61])
    fine, coarse = to_pixels(point, (256, 256)), to_pixels(point, (8, 8))
    np.testing.assert_allclose(apply_affine(crop_resize_affine((0, 0, 256, 256), (8, 8)), fine), coarse)


def test_crop_resize_hand_computed():
    matrix = crop_resize_affine((10, 20, 40, 20), (10, 10))  # x shrinks 4 times, y twice
    # the crop's left edge is at x_px 9.5, which becomes the left edge -0.5; the centre of pixel (10, 20) follows
    np.testing.assert_allclose(apply_affine(matrix, np.array([[9.5, 19.5], [10.0, 20.0]])), [[-0.5, -0.5], [-0.375, -0.25]])


@given(st.floats(0.1, 10), st.floats(0.1, 10), values, values)
def test_inverse(scale_x, scale_y, x, y):
    first = np.array([[scale_x, 0.3, x], [-0.01, scale_y, y]])
    points = np.array([[1.0, 2.0], [-3.0, 0.5]])
    np.testing.assert_allclose(apply_affine(invert_affine(first), apply_affine(first, points)), points, atol=1e-6)


def test_similarity_hand_computed():
    matrix = similarity_affine((4, 6), 2.0, np.pi / 2, np.array([1.0, -1.0]))  # the centre is (2.5, 1.5)
    # one pixel right of the centre becomes two pixels below it; then all moves by (1, -1)
    np.testing.assert_allclose(apply_affine(matrix, np.array([[2.5, 1.5], [3.5, 1.5]])), [[3.5, 0.5], [3.5, 2.5]])
