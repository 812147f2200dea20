"""Features of a pretrained network for each cell of a grid over an image, reduced by principal components.

Each feature map is scaled to unit length per position and resized to the grid. The concatenation is projected on the principal
components of a sample of cells, which are scaled to similar variance (whitening), and scaled to unit length again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from kpdetect.images.arrays import Image

Floats = NDArray[np.float32]
EDGE = 1 / 12
"""Width of the strip at each edge that is not used to separate object and background, because the network sees beyond the image
there, and of the ring inside of it that counts as background. It is a share of the side."""
SHRINKAGE = 0.1
"""Share of the largest variance that is added to every variance before the discriminant divides by it."""
Extract = Callable[[Tensor], Sequence[Tensor]]
"""A function from images [batch, 3, side, side] in [-1, 1] to feature maps [batch, channels, height, width], finest first."""
Features = Callable[[Image], Floats]
"""A function from images [count, side, side, 3] to features [count, cells, cells, channels]."""


def grid_features(extract: Extract, images: Image, numbers: Sequence[int], cells: int, device: torch.device) -> Floats:
    """Compute the concatenated feature maps of images, one vector per cell.

    Args:
        extract: function that computes the feature maps.
        images: uint8 RGB [count, side, side, 3].
        numbers: numbers of the maps that are used, counted from 0.
        cells: number of cells along each side of the grid.
        device: device of the network.

    Returns:
        float32 [count, cells, cells, channels]. Every map contributes a vector of length 1.
    """
    with torch.no_grad():
        batch = torch.from_numpy(np.ascontiguousarray(images)).to(device).permute(0, 3, 1, 2).float() / 127.5 - 1
        maps = extract(batch)
        scaled = [functional.normalize(_resized(maps[number].float(), cells), dim=1) for number in numbers]
        return torch.cat(scaled, dim=1).permute(0, 2, 3, 1).cpu().numpy()


def _resized(features: Tensor, cells: int) -> Tensor:
    if features.shape[-1] > cells:
        return functional.adaptive_avg_pool2d(features, cells)
    return functional.interpolate(features, (cells, cells), mode="bilinear", align_corners=False)


@dataclass(frozen=True, kw_only=True)
class Whitening:
    """Projection of features on their principal components.

    Attributes:
        mean: [channels], the mean feature of the sample.
        components: [channels, kept], principal components, each divided by the scale of its variance.
        contrast: [channels], the direction that best separates the middle of the images from their border (Fisher's linear
            discriminant).
        threshold: value on `contrast` that separates the object from the background.
    """

    mean: Floats
    components: Floats
    contrast: Floats
    threshold: float

    @classmethod
    def of(cls, features: Floats, kept: int, power: float) -> Whitening:
        """Fit the projection to features [count, cells, cells, channels].

        Args:
            features: features of a sample of images.
            kept: largest number of components.
            power: 1 gives all components the same variance, 0 keeps their variances.
        """
        rows = features.reshape(-1, features.shape[-1])
        mean = rows.mean(axis=0)
        values, vectors = np.linalg.eigh(np.cov((rows - mean).T))
        values, vectors = values[::-1][:kept], vectors[:, ::-1][:, :kept]
        scale = np.maximum(values, 1e-8 * max(float(values[0]), 1e-12)) ** (power / 2)
        depth = _depth(*features.shape[1:3])
        cells = min(features.shape[1:3])
        outermost = int(cells * EDGE)
        border, middle = (depth >= outermost) & (depth < outermost + max(1, outermost)), depth >= cells / 4
        difference = features[:, middle].mean(axis=(0, 1)) - features[:, border].mean(axis=(0, 1))
        ridge = values + SHRINKAGE * max(float(values[0]), 1e-12)
        contrast = vectors @ ((vectors.T @ difference) / ridge)
        along = (features - mean) @ contrast
        return cls(
            mean=mean.astype(np.float32),
            components=(vectors / scale).astype(np.float32),
            contrast=contrast.astype(np.float32),
            threshold=otsu(along[:, depth >= 1].ravel()),
        )

    @classmethod
    def of_arrays(cls, values: Mapping[str, Any]) -> Whitening:
        """Make the projection from the values of its attributes. Other values are ignored."""
        arrays = {name: values[name] for name in ("mean", "components", "contrast")}
        return cls(**arrays, threshold=float(values["threshold"]))

    def __call__(self, features: Floats) -> Floats:
        """Project features [..., channels] to vectors [..., kept] of length 1."""
        projected = (features - self.mean) @ self.components
        return projected / np.maximum(np.linalg.norm(projected, axis=-1, keepdims=True), 1e-8)  # type: ignore[no-any-return]

    def foreground(self, features: Floats) -> NDArray[np.bool_]:
        """Tell for features [..., channels] whether they belong to the object: they differ from the border of the images."""
        return (features - self.mean) @ self.contrast > self.threshold  # type: ignore[no-any-return]


def _depth(height: int, width: int) -> NDArray[np.int64]:
    """Count for each cell the cells between it and the nearest edge of the image."""
    row, column = np.arange(height)[:, None], np.arange(width)
    return np.minimum(np.minimum(row, height - 1 - row), np.minimum(column, width - 1 - column))


def otsu(values: NDArray[np.floating], bins: int = 64) -> float:
    """Find the threshold that separates values into two classes of the largest variance between them (Otsu 1979)."""
    counts, edges = np.histogram(values, bins=bins)
    centres = (edges[:-1] + edges[1:]) / 2
    below, total = counts.cumsum()[:-1], counts.sum()
    sums = (counts * centres).cumsum()
    with np.errstate(invalid="ignore", divide="ignore"):
        low, high = sums[:-1] / below, (sums[-1] - sums[:-1]) / (total - below)
        between = np.nan_to_num(below * (total - below) * (high - low) ** 2)
    return float(edges[1:-1][between.argmax()])
