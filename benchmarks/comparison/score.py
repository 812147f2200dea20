"""The cross-validated error of keypoints or features on the fitting images of a set, and the floor."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.comparison.config import Baseline, SetConfig
from benchmarks.comparison.turns import TURNS, by_turn, exchanged_ends, turned_points
from benchmarks.datasets.annotation_formats import read_annotations
from benchmarks.datasets.group_table import read_groups
from benchmarks.datasets.landmarks import sizes_that_fit
from benchmarks.datasets.own_table import with_files
from benchmarks.evaluation.baselines import (
    RIDGE_COMPONENTS,
    grey_pixels,
    principal_components,
    random_network_features,
)
from benchmarks.evaluation.cross_validation import FOLDS, splits
from benchmarks.evaluation.regression import fit_regression
from kpdetect.data.name_lists import listed_names
from kpdetect.errors import InputError
from kpdetect.images.arrays import Image
from kpdetect.images.image_files import read_image
from kpdetect.inference.predictor import Predictor

Values = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Fitting:
    """The fitting images of a set.

    Attributes:
        paths: the image files.
        points_px: [images, points, 2] in pixels; NaN where hidden.
        groups: [images], number of the group of each image.
        names: names of the points.
        turns: [images], number of quarter turns of each image.
    """

    paths: list[Path]
    points_px: Values
    groups: NDArray[np.int64]
    names: tuple[str, ...]
    turns: NDArray[np.int64]

    def images(self) -> list[Image]:
        """Read the images, and turn them."""
        return [
            np.ascontiguousarray(np.rot90(read_image(path), turn)) for path, turn in zip(self.paths, self.turns, strict=True)
        ]

    def in_all_turns(self) -> Fitting:
        """Return every image in four quarter turns."""
        sizes = [image.shape[:2] for image in self.images()]
        points = [
            turned_points(each, size, turn) for turn in range(TURNS) for each, size in zip(self.points_px, sizes, strict=True)
        ]
        turns = np.repeat(np.arange(TURNS), len(self.paths))
        groups = np.tile(self.groups, TURNS)
        return replace(self, paths=self.paths * TURNS, points_px=np.stack(points), groups=groups, turns=turns)


def read_fitting(given: SetConfig) -> Fitting:
    """Read the annotations of a set's fitting images.

    Raises:
        InputError: a file or image is missing, or there are too few images or groups.
        FormatError: a file is damaged, or annotations do not fit their images.
    """
    if not given.images.is_dir():
        raise InputError(f"{given.images}: no such folder; correct `images`")
    table = with_files(read_annotations(given.annotations), given.images)
    chosen = table.images
    if given.fit is not None:
        chosen = listed_names(given.fit, table.images, "fit", str(given.annotations))
    rows = [table.images.index(name) for name in chosen]
    paths = [given.images / name for name in chosen]
    if missing := [path for path in paths if not path.is_file()]:
        raise InputError(f"{missing[0]}: no such file, but {given.annotations} names it; correct `images`")
    sizes_that_fit(table, given.images, np.array(rows, np.int64))
    groups = np.arange(len(chosen)) if given.groups is None else read_groups(given.groups, given.group, chosen)
    if len(np.unique(groups)) < FOLDS:
        raise InputError(f"{given.annotations}: {len(np.unique(groups))} groups of fitting images; expected at least {FOLDS}")
    turns = np.zeros(len(paths), np.int64)
    fitting = Fitting(paths=paths, points_px=table.points_px[rows], groups=groups, names=table.landmarks, turns=turns)
    return fitting if given.turns == 1 else fitting.in_all_turns()


@dataclass(frozen=True, kw_only=True)
class Score:
    """A cross-validated error.

    Attributes:
        floor_percent: error of the mean shape in percent of the side, the square root of the image's area.
        error_percent: error of the ridge regression, in the same unit.
        by_point: the same error of each point.
        floor_by_point: error of the mean shape for each point, in the same unit.
        share_by_turn: the error as a share of the floor for each turn in degrees; empty without turns.
        exchanged_by_turn: share of keypoints at the ends of the object that are nearer to the other end, see `exchanged_ends`;
            empty without turns, and for baselines.
    """

    floor_percent: float
    error_percent: float
    by_point: dict[str, float]
    floor_by_point: dict[str, float] = field(default_factory=dict)
    share_by_turn: dict[str, float] = field(default_factory=dict)
    exchanged_by_turn: dict[str, float] = field(default_factory=dict)

    @property
    def share(self) -> float:
        """The error as a share of the floor."""
        return self.error_percent / self.floor_percent


def cross_validated(columns: NDArray[np.floating], fitting: Fitting, sizes: NDArray[np.integer]) -> Score:
    """Cross-validate a ridge regression with a constant term, in five folds that divide no group.

    Args:
        columns: [images, columns], coordinates of keypoints or features. More than 1,024 columns are reduced by principal
            components of the images outside each fold.
        fitting: the annotated images.
        sizes: [images, 2], (height, width) of each image.
    """
    side = np.sqrt(np.prod(np.asarray(sizes, np.float64), axis=1))
    predicted, mean = np.empty_like(fitting.points_px), np.empty_like(fitting.points_px)
    for kept, held in splits(fitting.groups)[0]:
        inner, outer = columns[kept], columns[held]
        if columns.shape[1] >= RIDGE_COMPONENTS:
            count = min(RIDGE_COMPONENTS, len(kept) - 1)
            inner, outer = principal_components(inner.astype(np.float32), outer.astype(np.float32), count)
        fitted = fit_regression(inner, fitting.points_px[kept], bias=True, ridge=True, names=fitting.names)
        predicted[held] = fitted(outer)
        mean[held] = np.nanmean(fitting.points_px[kept], axis=0)
    errors, floors = (100 * np.linalg.norm(each - fitting.points_px, axis=-1) / side[:, None] for each in (predicted, mean))
    by_point, floor_by_point = (
        dict(zip(fitting.names, np.nanmean(each, axis=0).round(3).tolist(), strict=True)) for each in (errors, floors)
    )
    return Score(
        floor_percent=float(np.nanmean(floors)),
        error_percent=float(np.nanmean(errors)),
        by_point=by_point,
        floor_by_point=floor_by_point,
        share_by_turn=by_turn(fitting.turns, lambda here: float(np.nanmean(errors[here]) / np.nanmean(floors[here]))),
    )


def baseline_score(baseline: Baseline, fitting: Fitting) -> Score:
    """Measure a baseline."""
    images = fitting.images()
    columns = grey_pixels(images) if baseline == "pixels" else random_network_features(images)
    return cross_validated(columns, fitting, _sizes(images))


def model_score(project: Path, fitting: Fitting, device: str) -> Score:
    """Measure the detector of a project. Keypoints that it learned but does not keep do not count.

    Raises:
        CheckpointError: the project has no detector.
    """
    images = fitting.images()
    predictor = Predictor.load(project, device)
    keypoints_px = predictor(images)[0][:, list(predictor.skeleton.numbers)]
    score = cross_validated(keypoints_px.reshape(len(images), -1).astype(np.float64), fitting, _sizes(images))
    if len(fitting.names) < 2:
        return score
    exchanged = exchanged_ends(keypoints_px.astype(np.float64), fitting.points_px)
    return replace(score, exchanged_by_turn=by_turn(fitting.turns, lambda here: float(np.nanmean(exchanged[here]))))


def _sizes(images: list[Image]) -> NDArray[np.int64]:
    return np.array([image.shape[:2] for image in images], dtype=np.int64)
