"""Augmentation of a whole batch of pairs of an image and its keypoints, on any device.

`kpdetect.data.augment.PairAugmenter` does the same to one pair on the CPU. Warps and changes of pixels are drawn from the same
distributions. A warp is a float64 matrix. Images are sampled bilinearly and reflected about their border pixels.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from kpdetect.coords import Size
from kpdetect.data.augment import AugmentConfig
from kpdetect.data.batch_pixels import change_pixels, draw_pixel_changes


def vary_pairs(images: Tensor, keypoints: Tensor, config: AugmentConfig, source: torch.Generator) -> tuple[Tensor, Tensor]:
    """Augment a batch of pairs on the device of the images.

    The random source must be on the same device.

    Args:
        images: uint8 [batch, 3, height, width].
        keypoints: float32 [batch, K, 2], normalised (x, y).
        config: settings of the augmentation.
        source: source of all random numbers.

    Returns:
        Images, float32 in [-1, 1], and keypoints, float32, normalised, both of the input's shapes. Keypoints may lie outside
        the image.
    """
    count, _, *size = images.shape
    height, width = size
    maps = draw_similarities(config, count, (height, width), source)
    draws = draw_pixel_changes(config, count, (height, width), source)
    warped = warp_images(images.float(), maps).round()
    return change_pixels(warped, draws, source).div_(127.5).sub_(1), warp_keypoints(keypoints, maps, (height, width))


def draw_similarities(config: AugmentConfig, count: int, size: Size, source: torch.Generator) -> Tensor:
    """Draw random scalings, rotations and shifts about the centre of images of `size` (height, width).

    Returns:
        Matrices on pixel coordinates, float64 [count, 2, 3].
    """
    height, width = size
    draws = 2 * torch.rand(count, 4, generator=source, device=source.device, dtype=torch.float64) - 1
    factor = (1 + config.scale) ** draws[:, 0]
    angle = torch.deg2rad(config.rotation * draws[:, 1])
    middle = torch.tensor([(width - 1) / 2, (height - 1) / 2], dtype=torch.float64, device=source.device)
    shift = config.shift * draws[:, 2:] * (2 * middle + 1)
    cosine, sine = factor * angle.cos(), factor * angle.sin()
    turn = torch.stack([torch.stack([cosine, -sine], dim=1), torch.stack([sine, cosine], dim=1)], dim=1)
    return torch.cat([turn, (middle + shift - turn @ middle)[..., None]], dim=2)


def warp_keypoints(keypoints: Tensor, maps: Tensor, size: Size) -> Tensor:
    """Apply matrices on pixel coordinates, [batch, 2, 3], to normalised keypoints, [batch, K, 2].

    `size` is (height, width) of the images.
    """
    sides = torch.tensor([size[1], size[0]], dtype=torch.float64, device=keypoints.device)
    pixels = (keypoints.double() + 1) / 2 * sides - 0.5
    moved = pixels @ maps[:, :, :2].transpose(1, 2) + maps[:, None, :, 2]
    return ((moved + 0.5) / sides * 2 - 1).float()


def warp_images(images: Tensor, maps: Tensor) -> Tensor:
    """Warp images, [batch, channels, height, width], by matrices on pixel coordinates, [batch, 2, 3].

    Beyond the border, images are reflected.
    """
    height, width = images.shape[2:]
    y, x = torch.meshgrid(
        *(torch.arange(side, dtype=torch.float64, device=images.device) for side in (height, width)), indexing="ij"
    )
    places = torch.stack([x, y], dim=-1).view(1, -1, 2) - maps[:, None, :, 2]
    (a, b), (c, d) = (row.unbind(dim=1) for row in maps[:, :, :2].unbind(dim=1))
    inverse = torch.stack([torch.stack([d, -b], dim=1), torch.stack([-c, a], dim=1)], dim=1) / (a * d - b * c)[:, None, None]
    seen = places @ inverse.transpose(1, 2)
    last = torch.tensor([max(1, width - 1), max(1, height - 1)], dtype=torch.float64, device=images.device)
    grid = (2 * seen / last - 1).view(-1, height, width, 2).to(images.dtype)
    return functional.grid_sample(images, grid, mode="bilinear", padding_mode="reflection", align_corners=True)
