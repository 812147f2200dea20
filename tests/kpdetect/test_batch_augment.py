"""Batched changes of pairs: each change is that of OpenCV and albumentations, and all are drawn as often and as strongly."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch

from kpdetect.coords import apply_affine, to_normalised, to_pixels
from kpdetect.data.augment import AugmentConfig, PairAugmenter, PixelChanges
from kpdetect.data.batch_augment import draw_similarities, vary_pairs, warp_images, warp_keypoints
from kpdetect.data.batch_jpeg import compress
from kpdetect.data.batch_pixels import BLUR, GAMMA, GREY, JITTER, NOISE, SHARPEN, change_pixels, draw_pixel_changes

SIZE = (30, 44)
"""Height and width."""


def source(seed=0):
    return torch.Generator().manual_seed(seed)


def smooth(count=1, seed=0, size=SIZE):
    """Coloured images that change little from pixel to pixel."""
    noise = np.random.default_rng(seed).integers(0, 256, (count, 6, 7, 3), dtype=np.uint8)
    return np.stack([cv2.resize(image, size[::-1], interpolation=cv2.INTER_CUBIC) for image in noise])


def as_batch(images):
    return torch.from_numpy(images.transpose(0, 3, 1, 2).copy()).float()


def as_images(batch):
    return batch.permute(0, 2, 3, 1).numpy()


def untouched(count=1):
    """Draws that change nothing, and hold everything."""
    return draw_pixel_changes(AugmentConfig(photometric=0, occlusion=0), count, SIZE, source())


def changed(images, **draws):
    return as_images(change_pixels(as_batch(images), replace(untouched(len(images)), **draws), source()))


def only(place, factors=(1.0, 1.0, 1.0), hue=0.0):
    """Draws of one of brightness, contrast, saturation and hue."""
    order = torch.tensor([[place] + [other for other in range(4) if other != place]])
    return {"colour": torch.tensor([JITTER]), "factors": torch.tensor([factors]), "hue": torch.tensor([hue]), "order": order}


def test_nothing_drawn_changes_nothing():
    images = smooth(3)
    assert np.array_equal(changed(images), images)


@pytest.mark.parametrize("place", range(3))
@pytest.mark.parametrize("factor", [0.6, 1.4])
def test_brightness_contrast_and_saturation_are_those_of_albumentations(place, factor):
    from albumentations.augmentations.pixel import functional as pixel

    work = (pixel.adjust_brightness_torchvision, pixel.adjust_contrast_torchvision, pixel.adjust_saturation_torchvision)
    factors = [1.0, 1.0, 1.0]
    factors[place] = factor
    (image,) = smooth()
    (found,) = changed(image[None], **only(place, tuple(factors)))
    assert np.abs(found - work[place](image, factor).astype(float)).max() <= 2
    assert np.abs(found - image).mean() > 3


@pytest.mark.parametrize("hue", [-0.05, 0.03])
def test_hue_is_that_of_albumentations(hue):
    from albumentations.augmentations.pixel.functional import adjust_hue_torchvision

    (image,) = smooth()
    (found,) = changed(image[None], **only(3, hue=hue))
    away = np.abs(found - adjust_hue_torchvision(image, hue).astype(float))
    assert away.mean() < 1
    assert np.abs(found - image).mean() > 3


def test_gamma_and_grey_are_those_of_albumentations():
    from albumentations.augmentations.pixel.functional import gamma_transform

    images = smooth(2)
    gamma, grey = changed(images, colour=torch.tensor([GAMMA, GREY]), gamma=torch.tensor([1.5, 1.0]))
    assert np.abs(gamma - gamma_transform(images[0], 1.5).astype(float)).max() <= 1
    assert np.abs(grey - cv2.cvtColor(images[1], cv2.COLOR_RGB2GRAY)[..., None].astype(float)).max() <= 1


def test_blur_and_sharpening_are_those_of_opencv():
    images = smooth(2, seed=1)
    weights = np.exp(-0.5 * (np.arange(-2, 3) / 1.3) ** 2)
    weights /= weights.sum()
    blur, sharp = changed(
        images,
        quality=torch.tensor([BLUR, SHARPEN]),
        blur=torch.from_numpy(np.stack([weights, weights])).float(),
        sharp=torch.tensor([[0.0, 0.0], [0.3, 0.7]]),
    )
    assert np.abs(blur - cv2.sepFilter2D(images[0], -1, weights, weights).astype(float)).max() <= 1
    kernel = 0.3 * np.full((3, 3), -1.0)
    kernel[1, 1] = 0.7 + 0.3 * 8.7
    assert np.abs(sharp - cv2.filter2D(images[1], -1, kernel).astype(float)).max() <= 1


@pytest.mark.parametrize("quality", [40, 90])
def test_compression_is_that_of_opencv(quality):
    images = smooth(2, seed=2)
    noisy = np.clip(images + np.random.default_rng(0).normal(0, 6, images.shape), 0, 255).astype(np.uint8)
    found = as_images(compress(as_batch(noisy), torch.full((2,), float(quality))))
    for image, ours in zip(noisy, found, strict=True):
        stored = cv2.imencode(".jpg", image[..., ::-1], (cv2.IMWRITE_JPEG_QUALITY, quality))[1]
        theirs = cv2.imdecode(stored, cv2.IMREAD_COLOR)[..., ::-1].astype(float)
        lost = np.abs(image - theirs).mean()
        assert np.abs(ours - theirs).mean() < 0.25 * lost + 0.3
        assert np.abs(image - ours).mean() == pytest.approx(lost, rel=0.1)


def test_noise_has_its_deviation_in_every_channel():
    grey = np.full((2, *SIZE, 3), 128, np.uint8)
    found = changed(grey, quality=torch.tensor([NOISE, 0]), deviation=torch.tensor([10.0, 10.0]))
    assert found[0].std(axis=(0, 1)) == pytest.approx([10, 10, 10], rel=0.1)
    assert np.array_equal(found[1], grey[1])


def test_patches_cover_what_they_should():
    holes = torch.tensor([[[3, 5, 9, 20], [8, 18, 20, 22]]])
    fills = torch.tensor([[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]])
    (image,) = smooth()
    expected = image.copy()
    expected[5:20, 3:9] = (1, 2, 3)
    expected[18:22, 8:20] = (4, 5, 6)
    assert np.array_equal(changed(image[None], holes=holes, fills=fills)[0], expected)


def test_maps_move_keypoints_exactly_and_images_as_opencv_does():
    config = AugmentConfig(scale=0.3, rotation=40, shift=0.2)
    images, points = smooth(5, seed=3), np.random.default_rng(0).uniform(-1.2, 1.2, (5, 4, 2)).astype(np.float32)
    maps = draw_similarities(config, 5, SIZE, source(1))
    moved = warp_keypoints(torch.from_numpy(points), maps, SIZE).numpy()
    warped = as_images(warp_images(as_batch(images), maps))
    for number, matrix in enumerate(maps.numpy()):
        exact = to_normalised(apply_affine(matrix, to_pixels(points[number].astype(np.float64), SIZE)), SIZE)
        assert np.abs(to_pixels(moved[number], SIZE) - to_pixels(exact, SIZE)).max() < 1e-4
        flags = {"flags": cv2.INTER_LINEAR, "borderMode": cv2.BORDER_REFLECT_101}
        theirs = cv2.warpAffine(images[number], matrix, SIZE[::-1], **flags).astype(float)
        assert np.abs(warped[number] - theirs).mean() < 0.6  # OpenCV rounds places to a 32nd of a pixel


def test_a_keypoint_lies_on_what_it_marks():
    image = np.zeros((1, *SIZE, 3), np.uint8)
    image[0, 12:15, 20:23] = 255  # its middle is (21, 13)
    point = to_normalised(np.array([[[21.0, 13.0]]]), SIZE).astype(np.float32)
    config = AugmentConfig(scale=0.2, rotation=30, shift=0.1, photometric=0, occlusion=0)
    varied, moved = vary_pairs(as_batch(image).to(torch.uint8), torch.from_numpy(point), config, source(4))
    bright = (varied[0, 0].numpy() + 1) / 2
    y, x = np.mgrid[: SIZE[0], : SIZE[1]]
    found = [(bright * axis).sum() / bright.sum() for axis in (x, y)]
    assert found == pytest.approx(to_pixels(moved.numpy(), SIZE)[0, 0], abs=0.1)
    assert varied.min() >= -1
    assert varied.max() <= 1


def test_maps_are_distributed_as_on_the_cpu():
    config, count = AugmentConfig(scale=0.4, rotation=25, shift=0.15), 4_000
    augmenter, random = PairAugmenter(config), np.random.default_rng(0)
    theirs = np.stack([augmenter.warp(random, SIZE) for _ in range(count)]).reshape(count, 6)
    ours = draw_similarities(config, count, SIZE, source(2)).numpy().reshape(count, 6)
    error = theirs.std(axis=0) / np.sqrt(count)
    assert np.all(np.abs(theirs.mean(axis=0) - ours.mean(axis=0)) < 5 * error)
    assert ours.std(axis=0) == pytest.approx(theirs.std(axis=0), rel=0.05)
    assert np.abs(ours).max(axis=0) == pytest.approx(np.abs(theirs).max(axis=0), rel=0.05)


def described(changed, images):
    """Of every image: mean, deviation, colourfulness, sharpness, and how far it has gone."""
    grey = changed.mean(axis=-1)
    edges = np.abs(np.diff(grey, axis=2)).mean(axis=(1, 2))
    away = np.abs(changed - images).mean(axis=(1, 2, 3))
    return np.stack([grey.mean(axis=(1, 2)), grey.std(axis=(1, 2)), changed.std(axis=-1).mean(axis=(1, 2)), edges, away])


@pytest.mark.slow
def test_pixels_are_distributed_as_with_albumentations():
    config, count = AugmentConfig(photometric=0.8, occlusion=0.3), 1_500
    images, changes = smooth(count, seed=5), PixelChanges(config)
    half = count // 2
    parts = [changes(images[first : first + 1], 1_000 + first) for first in range(half)]  # a seed for each, then one for all
    theirs = np.concatenate([*map(np.stack, parts), np.stack(changes(images[half:], 5))]).astype(float)
    draws = draw_pixel_changes(config, count, SIZE, source(3))
    ours = as_images(change_pixels(as_batch(images), draws, source(6))).astype(float)
    first, second = described(theirs, images), described(ours, images)
    error = np.sqrt((first.var(axis=1) + second.var(axis=1)) / count)
    assert np.all(np.abs(first.mean(axis=1) - second.mean(axis=1)) < 4 * error)
    assert second.std(axis=1) == pytest.approx(first.std(axis=1), rel=0.1)
    same = [(np.abs(changed - images).max(axis=(1, 2, 3)) == 0).mean() for changed in (theirs, ours)]
    assert same[1] == pytest.approx(same[0], abs=0.04)
    assert same[1] == pytest.approx(0.7 * (1 - 0.8 * (1 - 0.2 * 0.5)), abs=0.03)  # no patch, and neither colour nor quality
    assert np.corrcoef(second) == pytest.approx(np.corrcoef(first), abs=0.12)
