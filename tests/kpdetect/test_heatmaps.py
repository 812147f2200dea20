import math

import pytest
import torch

from kpdetect.heatmaps import gaussian_axes, gaussian_heatmaps, grid_axis, soft_argmax


def test_grid_axis_is_pixel_centres():
    assert grid_axis(4).tolist() == pytest.approx([-0.75, -0.25, 0.25, 0.75])
    assert grid_axis(2, margin=1).tolist() == pytest.approx([-1.5, -0.5, 0.5, 1.5])


def test_heatmap_is_the_gaussian_of_the_paper():
    keypoints = torch.tensor([[[0.25, -0.5]]])
    heat = gaussian_heatmaps(keypoints, (2, 4), tau=0.5)[0, 0]  # rows y = -0.5, 0.5; columns x = -0.75 .. 0.75
    assert heat.shape == (2, 4)
    assert heat[0, 2] == pytest.approx(1.0)
    assert heat[0, 0] == pytest.approx(math.exp(-1.0 / 0.5))
    assert heat[1, 3] == pytest.approx(math.exp(-(0.25 + 1.0) / 0.5))


@pytest.mark.slow
def test_factors_multiply_to_the_heatmap():
    keypoints = torch.rand(2, 3, 2) * 2 - 1
    along_y, along_x = gaussian_axes(keypoints, (6, 9), 0.1, margin=2)
    product = along_y[..., None] * along_x[..., None, :]
    torch.testing.assert_close(product, gaussian_heatmaps(keypoints, (6, 9), 0.1, margin=2))


@pytest.mark.parametrize("size", [(16, 16), (20, 12), (9, 33)])
def test_soft_argmax_finds_gaussian_peaks(size):
    keypoints = torch.tensor([[[0.2, -0.3], [-0.1, 0.4]]])
    logits = -((grid_axis(size[1]) - keypoints[..., 0:1]) ** 2)[..., None, :] / 0.02
    logits = logits - ((grid_axis(size[0]) - keypoints[..., 1:2]) ** 2)[..., None] / 0.02
    found, probabilities = soft_argmax(logits.bfloat16().float())
    torch.testing.assert_close(found, keypoints, atol=0.01, rtol=0)
    torch.testing.assert_close(probabilities.sum(dim=(2, 3)), torch.ones(1, 2))
