"""Baselines that a detector must beat.

Mean shape: the mean landmarks of the fitting images are the prediction for every image. Its error is called the floor. A
detector whose error is not clearly below the floor has learned nothing.

Random features: the error of the same regression on the features of an untrained network. A ResNet-18 with random weights
sees the image, stretched to 128x128. Its feature map at 1/4 resolution is averaged over 8x8 cells, so that the features encode
positions. Of all maps and numbers of cells, this choice had the lowest cross-validated error on face images. Features that are
averaged over the whole image never beat the mean shape. Features have no origin, so their regression always has a bias. There
are three rows:

- as many principal components as the keypoints have coordinates, so that the regressions have equally many inputs;
- the number of principal components with the lowest error in 5-fold cross-validation inside the fitting images;
- ridge regression on all principal components, at most 1,024.

Which of the last two has the lower error differs between data sets.

Pixels: the features are the pixels of the image as a 32x32 grey picture, reduced and regressed in the same three ways.

Fixed grid: the keypoints are the same in every image, so their regression can only predict a constant. Papers report this
baseline. In a regression without bias, constant keypoints act as a bias.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from benchmarks.datasets.landmarks import LandmarkSet
from benchmarks.evaluation.regression import fit_regression
from kpdetect.images.arrays import Image, fit_image
from kpdetect.messages import log

if TYPE_CHECKING:
    from torch import Tensor

BACKBONE, SEED, SIZE, CELLS, BATCH = "resnet18", 0, 128, 8, 64
STRIDE = 4
PIXELS = 32
COMPONENTS = (4, 8, 16, 32, 64, 128, 256)
RIDGE, RIDGE_COMPONENTS = "ridge", 1024
FOLDS = 5
KEYPOINTS = 10
"""Number of grid keypoints, and half the number of principal components, for a benchmark without a model."""


@dataclass(frozen=True, kw_only=True)
class Features:
    """Features of the fitting and test images.

    Attributes:
        fit: float32 [fitting images, columns].
        test: float32 [test images, columns].
        name: name of the baseline in tables.
        ridge: whether ridge regression is used under every protocol.
    """

    fit: NDArray[np.float32]
    test: NDArray[np.float32]
    name: str
    ridge: bool = False


def random_features(landmark_set: LandmarkSet, backbone: str = BACKBONE, seed: int = SEED) -> Features:
    """Compute features of a network with random weights, averaged over cells of the image; see the module's docstring.

    Raises:
        InputError: an image file is damaged.
    """
    values = random_network_features(_pictures(landmark_set), backbone, seed)
    fitted = len(landmark_set.fit)
    return Features(fit=values[:fitted], test=values[fitted:], name=f"random-weights {backbone} features")


def pixel_features(landmark_set: LandmarkSet) -> Features:
    """Compute the pixels of the images as 32x32 grey pictures.

    Raises:
        InputError: an image file is damaged.
    """
    values = grey_pixels(_pictures(landmark_set))
    fitted = len(landmark_set.fit)
    return Features(fit=values[:fitted], test=values[fitted:], name=f"PCA of {PIXELS}x{PIXELS} grey pixels")


def _pictures(landmark_set: LandmarkSet) -> Iterator[Image]:
    return landmark_set.pictures([*landmark_set.fit, *landmark_set.test])


def grey_pixels(images: Iterable[Image]) -> NDArray[np.float32]:
    """Stretch images to 32x32 grey pixels, [images, 1024]."""
    squares = (fit_image(image, PIXELS, "stretch")[0] for image in images)
    return np.stack([square.mean(axis=2).ravel() for square in squares]).astype(np.float32)


def grid_keypoints(count: int, sizes: NDArray[np.integer]) -> NDArray[np.float64]:
    """Place keypoints on a regular grid [images, count, 2], in pixels of images of `sizes` [images, 2] (height, width)."""
    side = int(np.ceil(np.sqrt(count)))
    places = (np.arange(side) + 0.5) / side
    grid = np.stack(np.meshgrid(places, places), axis=-1).reshape(-1, 2)[:count]
    return grid * np.asarray(sizes, np.float64)[:, None, ::-1] - 0.5


def random_network_features(images: Iterable[Image], backbone: str = BACKBONE, seed: int = SEED) -> NDArray[np.float32]:
    """Compute features [images, columns] of a network with random weights, averaged over cells; see the module's docstring."""
    import torch

    from kpdetect.detector.backbone import create_backbone

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = create_backbone(backbone).eval()
    with torch.inference_mode():
        maps = (_at_stride(network(batch)) for batch in _batches(images))
        pooled = [torch.nn.functional.adaptive_avg_pool2d(level.float(), CELLS).flatten(1).numpy() for level in maps]
    return np.concatenate(pooled).astype(np.float32)


def _at_stride(levels: Iterable[Tensor]) -> Tensor:
    return next(level for level in levels if level.shape[-1] == SIZE // STRIDE)


def _batches(images: Iterable[Image]) -> Iterator[Tensor]:
    import torch

    squares = (fit_image(image, SIZE, "stretch")[0] for image in images)
    while batch := list(islice(squares, BATCH)):
        yield torch.from_numpy(np.stack(batch)).permute(0, 3, 1, 2).float() / 127.5 - 1


def reduce_features(
    features: Features,
    landmarks: NDArray[np.float64],
    columns: int,
    names: Sequence[str] = (),
    groups: NDArray[np.integer] | None = None,
) -> list[Features]:
    """Standardise features and reduce them to principal components in three ways.

    The first has `columns` components. The second has the number of components that predicts held-out fitting images best; it
    is left out with a warning if there is one group. The third, for ridge regression, has all components, at most
    `RIDGE_COMPONENTS`. One fitting image has no components, so that all three are left out with a warning.

    Args:
        features: features before the reduction.
        landmarks: [fitting images, landmarks, 2], NaN where hidden; test images are not used for the choice.
        columns: number of values per image in the regression of the model.
        names: names of the landmarks, for messages.
        groups: see `choose_components`.
    """
    limit, counts = min(features.fit.shape) - 1, {"same regression": columns}
    if limit < 1:
        log.warning(f"{features.name}: 1 fitting image; this baseline needs at least 2 and is left out")
        return []
    if groups is not None and len(np.unique(groups)) < 2:
        log.warning(f"{features.name}: 1 group of fitting images; the row 'best by cross-validation' needs 2 and is left out")
    else:
        counts["best by cross-validation"] = choose_components(features.fit, landmarks, names, groups)
    counts[RIDGE] = RIDGE_COMPONENTS
    kept = {label: min(count, limit) for label, count in counts.items()}
    fit, test = principal_components(features.fit, features.test, max(kept.values()))
    return [
        Features(
            fit=fit[:, :count],
            test=test[:, :count],
            name=f"{features.name}: {count} components ({label})",
            ridge=label == RIDGE,
        )
        for label, count in kept.items()
    ]


def choose_components(
    values: NDArray[np.float32],
    landmarks: NDArray[np.float64],
    names: Sequence[str] = (),
    groups: NDArray[np.integer] | None = None,
) -> int:
    """Choose the number of components from `COMPONENTS` with the lowest cross-validated mean squared distance.

    Args:
        values: features [images, columns], of at least two images.
        landmarks: [images, landmarks, 2]; NaN where hidden.
        names: names of the landmarks, for messages.
        groups: [images], the group of each image; a group is never in two folds, because its images look alike. None without
            groups. There are at least two groups.
    """
    from sklearn.model_selection import GroupKFold, KFold

    folds = min(FOLDS, len(values) if groups is None else len(np.unique(groups)))
    splitter = KFold(folds, shuffle=True, random_state=SEED) if groups is None else GroupKFold(folds)
    parts = list(splitter.split(values, groups=groups))
    smallest = min(len(kept) for kept, _ in parts)  # images outside of the largest fold
    choices = [count for count in COMPONENTS if count < min(smallest, values.shape[1])] or [1]
    if len(choices) == 1:
        return choices[0]
    losses = np.zeros(len(choices))
    for kept, held in parts:
        inner, outer = principal_components(values[kept], values[held], max(choices))
        for column, count in enumerate(choices):
            regression = fit_regression(inner[:, :count], landmarks[kept], bias=True, names=names)
            losses[column] += np.nansum((regression(outer[:, :count]) - landmarks[held]) ** 2)
    return choices[int(losses.argmin())]


def principal_components(
    fit: NDArray[np.float32], test: NDArray[np.float32], count: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Standardise features and project both parts on the principal components of the first part."""
    from sklearn.decomposition import PCA
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    pipeline = make_pipeline(StandardScaler(), PCA(count, svd_solver="randomized", random_state=SEED))
    return pipeline.fit_transform(fit), pipeline.transform(test)
