"""Changes of colour, sharpness, noise and occlusion of a whole batch of images, on any device.

`kpdetect.data.augment.PixelChanges` makes the same changes to one image at a time on the CPU, with albumentations. The changes
are drawn from the same distributions. Every kind of change is computed for all images, and each image takes the result that was
drawn for it. So the work does not depend on values on the GPU, and the CPU never waits for them.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from kpdetect.coords import Size
from kpdetect.data.augment import AugmentConfig
from kpdetect.data.batch_jpeg import compress

NOTHING, JITTER, GAMMA, GREY = range(4)
"""Kinds of change of an image's colours."""
BLUR, NOISE, JPEG, SHARPEN = range(1, 5)
"""Kinds of change of an image's quality; 0 means no change."""
LUMA = (0.299, 0.587, 0.114)


@dataclass(frozen=True, kw_only=True)
class PixelDraws:
    """The changes drawn for each image. Their ranges are those of `pixel_transform`.

    Attributes:
        colour: int64 [batch], NOTHING, JITTER, GAMMA or GREY.
        quality: int64 [batch], NOTHING, BLUR, NOISE, JPEG or SHARPEN.
        factors: [batch, 3], factors on brightness, contrast and saturation.
        hue: [batch], rotation of the hue as a share of the colour circle.
        order: int64 [batch, 4], order in which brightness, contrast, saturation and hue are changed.
        gamma: [batch], exponent of the gamma correction.
        blur: [batch, 5], weights of the blur along each axis.
        deviation: [batch], standard deviation of the noise in levels.
        jpeg: [batch], JPEG quality.
        sharp: [batch, 2], alpha and lightness of the sharpening.
        holes: int64 [batch, 2, 4], (left, top, right, bottom) of two covered patches. Right and bottom are exclusive. A patch
            of size 0 covers nothing.
        fills: [batch, 2, 3], colours of the patches in levels.
    """

    colour: Tensor
    quality: Tensor
    factors: Tensor
    hue: Tensor
    order: Tensor
    gamma: Tensor
    blur: Tensor
    deviation: Tensor
    jpeg: Tensor
    sharp: Tensor
    holes: Tensor
    fills: Tensor


def draw_pixel_changes(config: AugmentConfig, count: int, size: Size, source: torch.Generator) -> PixelDraws:
    """Draw the changes of `count` images of `size` (height, width), on the device of the random source.

    Args:
        config: settings of the augmentation.
        count: number of images.
        size: (height, width) of the images.
        source: source of the random numbers. All numbers are independent.
    """

    def chance(*shape: int) -> Tensor:
        return torch.rand(count, *shape, generator=source, device=source.device)

    changed = chance() < config.photometric
    return PixelDraws(
        colour=_one_of((2 / 3, 1 / 6, 1 / 6), changed & (chance() < 0.8), chance()),
        quality=_one_of((0.25, 0.25, 0.25, 0.25), changed & (chance() < 0.5), chance()),
        factors=torch.stack([0.6 + 0.8 * chance(), 0.6 + 0.8 * chance(), 0.4 + 1.2 * chance()], dim=1),
        hue=0.1 * chance() - 0.05,
        order=chance(4).argsort(dim=1),
        gamma=0.6 + chance(),
        blur=_blur_weights(0.5 + 2.5 * chance(), chance() < 1 / 3),
        deviation=255 * (0.01 + 0.05 * chance()),
        jpeg=40 + (51 * chance()).floor(),
        sharp=torch.stack([0.2 + 0.4 * chance(), 0.5 + 0.5 * chance()], dim=1),
        holes=_holes(size, chance(2, 4), chance() < config.occlusion, chance() < 0.5),
        fills=(256 * chance(2, 3)).floor(),
    )


def change_pixels(images: Tensor, draws: PixelDraws, source: torch.Generator) -> Tensor:
    """Apply the drawn changes to images, [batch, 3, height, width] with levels 0 to 255.

    The noise comes from the random source. The results are rounded levels.
    """
    images = _select(
        draws.colour, images, {JITTER: _jittered(images, draws), GAMMA: _gamma(images, draws), GREY: _grey(images)}
    )
    noise = torch.randn(images.shape, generator=source, device=images.device) * _wide(draws.deviation)
    qualities = {
        BLUR: _levels(_blurred(images, draws.blur)),
        NOISE: _levels(images + noise),
        JPEG: compress(images.flip(1), draws.jpeg).flip(1),  # albumentations passes RGB to OpenCV as BGR
        SHARPEN: _levels(_sharpened(images, draws.sharp)),
    }
    return _covered(_select(draws.quality, images, qualities), draws)


def _one_of(weights: tuple[float, ...], applied: Tensor, chance: Tensor) -> Tensor:
    """Choose a number from 1 on with the probabilities `weights` where `applied` is true, and 0 elsewhere."""
    limits = torch.tensor(weights, device=chance.device).cumsum(0)[:-1]
    return (1 + torch.bucketize(chance, limits, right=True)) * applied


def _blur_weights(sigma: Tensor, narrow: Tensor) -> Tensor:
    """Compute Gaussian weights, [batch, 5]. Where `narrow` is true, only the three central weights are above 0."""
    place = torch.arange(-2, 3, device=sigma.device)
    weights = torch.exp(-0.5 * (place / sigma[:, None]) ** 2)
    weights = weights * ~(narrow[:, None] & (place.abs() == 2))
    return weights / weights.sum(dim=1, keepdim=True)


def _holes(size: Size, chance: Tensor, covered: Tensor, single: Tensor) -> Tensor:
    """Choose one or two patches per covered image, each 0.1 to 0.3 of its height and width, anywhere in it."""
    height, width = size
    high, wide = ((side * (0.1 + 0.2 * chance[..., axis])).long() for axis, side in enumerate((height, width)))
    top, left = (chance[..., 2] * (height - high + 1)).long(), (chance[..., 3] * (width - wide + 1)).long()
    there = torch.stack([covered, covered & ~single], dim=1)
    return torch.stack([left, top, left + wide * there, top + high * there], dim=-1)


def _select(kind: Tensor, images: Tensor, changed: dict[int, Tensor]) -> Tensor:
    for number, result in changed.items():
        images = torch.where(_wide(kind) == number, result, images)
    return images


def _wide(values: Tensor) -> Tensor:
    return values[:, None, None, None]


def _levels(images: Tensor) -> Tensor:
    return images.round().clamp(0, 255)


def _grey(images: Tensor) -> Tensor:
    """Replace all channels by the rounded luma."""
    red, green, blue = (weight * channel for weight, channel in zip(LUMA, images.unbind(dim=1), strict=True))
    return (red + green + blue)[:, None].round().expand_as(images)


def _gamma(images: Tensor, draws: PixelDraws) -> Tensor:
    return ((images / 255) ** _wide(draws.gamma) * 255).floor()


def _jittered(images: Tensor, draws: PixelDraws) -> Tensor:
    """Change brightness, contrast, saturation and hue, in the order drawn for each image (torchvision's ColorJitter)."""
    brightness, contrast, saturation = (_wide(each) for each in draws.factors.unbind(dim=1))
    for kind in draws.order.unbind(dim=1):
        grey = _grey(images)
        mean = grey.mean(dim=(1, 2, 3), keepdim=True)
        results = {
            0: _levels(images * brightness),
            1: _levels(images * contrast + mean * (1 - contrast)),
            2: _levels(images * saturation + grey * (1 - saturation)),
            3: _turned(images, draws.hue),
        }
        images = _select(kind, images, results)
    return images


def _turned(images: Tensor, hue: Tensor) -> Tensor:
    """Rotate hues by a share of the colour circle, in OpenCV's steps of two degrees."""
    red, green, blue = images.unbind(dim=1)
    value, least = images.max(dim=1).values, images.min(dim=1).values
    spread = (value - least).clamp_min(1e-6)
    sector = torch.where(
        value == red,
        (green - blue) / spread,
        torch.where(value == green, 2 + (blue - red) / spread, 4 + (red - green) / spread),
    )
    place = (sector * 30).round().remainder(180)
    place = (place + 180 * hue[:, None, None]).remainder(180).floor() / 30  # in sixths of the circle
    saturation = (255 * (value - least) / value.clamp_min(1)).round() / 255
    parts = []
    for offset in (5.0, 3.0, 1.0):  # red, green and blue of a hue, saturation and value
        k = (offset + place).remainder(6)
        parts.append(value - value * saturation * torch.minimum(k, 4 - k).clamp(0, 1))
    return torch.where(_wide(hue) == 0, images, _levels(torch.stack(parts, dim=1)))


def _blurred(images: Tensor, weights: Tensor) -> Tensor:
    batch, channels, height, width = images.shape
    kernels = weights.repeat_interleave(channels, dim=0)[:, None]
    rows = functional.pad(images, (2, 2, 2, 2), mode="reflect").view(1, batch * channels, height + 4, width + 4)
    rows = functional.conv2d(rows, kernels[:, :, None], groups=batch * channels)
    return functional.conv2d(rows, kernels[..., None], groups=batch * channels).view(images.shape)


def _sharpened(images: Tensor, sharp: Tensor) -> Tensor:
    """Blend each image with a sharpened one, by the weight alpha. The sharpening kernel has 8 + lightness at its centre."""
    padded = functional.pad(images, (1, 1, 1, 1), mode="reflect")
    around = 9 * functional.avg_pool2d(padded, 3, stride=1)  # the centre too
    alpha, lightness = _wide(sharp[:, 0]), _wide(sharp[:, 1])
    return (1 - alpha) * images + alpha * ((9 + lightness) * images - around)


def _covered(images: Tensor, draws: PixelDraws) -> Tensor:
    height, width = images.shape[2:]
    y = torch.arange(height, device=images.device)[:, None]
    x = torch.arange(width, device=images.device)
    for hole, fill in zip(draws.holes.unbind(dim=1), draws.fills.unbind(dim=1), strict=True):
        left, top, right, bottom = (each[:, None, None] for each in hole.unbind(dim=1))
        inside = (x >= left) & (x < right) & (y >= top) & (y < bottom)
        images = torch.where(inside[:, None], fill[:, :, None, None], images)
    return images
