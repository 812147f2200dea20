"""Annotated images in memory, independent of their format on disk.

`assemble` builds a landmark set from annotations: it reads image sizes, checks the points and applies the protocol's crop.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.datasets.annotation_table import AnnotationTable
from benchmarks.datasets.regions import Regions, boxes_around, cut_regions, whole_files
from benchmarks.protocol.definition import Protocol
from kpdetect.errors import FormatError, InputError
from kpdetect.files.hashes import file_hash
from kpdetect.images.arrays import Image, cut_region
from kpdetect.images.image_files import image_size, is_turned, read_image


@dataclass(frozen=True, kw_only=True)
class LandmarkSet:
    """Images with annotated landmarks and a fixed split. An image is an image file, or the region of it that a model sees.

    Attributes:
        name: name of the data in results.
        folder: folder of the images.
        images: POSIX paths relative to `folder`.
        sizes: int [images, 2], (height, width) of each image.
        landmarks_px: float64 [images, landmarks, 2], (x, y) in pixels of the image; an integer is a pixel's centre; NaN where
            a landmark is hidden or not annotated.
        fit: indices of the images that the regression is fitted on.
        test: indices of the images that the error is measured on.
        names_identify: whether equal file names mean the same picture, in all copies of the data set.
        lists: the lists or tables that define the split: the hash of each file's content, by its name.
        notes: cautions for the reader of a result.
        groups: int [images], the group of each image. Images of one group look alike, so cross-validation keeps them in one
            fold, and intervals resample whole groups. None if there are no groups.
        regions: the region of each file that the protocol crops; None if images are whole files.
        landmarks: names of the landmarks, for messages.
    """

    name: str
    folder: Path
    images: list[str]
    sizes: NDArray[np.int64]
    landmarks_px: NDArray[np.float64]
    fit: NDArray[np.int64]
    test: NDArray[np.int64]
    names_identify: bool
    lists: dict[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    groups: NDArray[np.int64] | None = None
    regions: Regions | None = None
    landmarks: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Check that arrays, names and split are consistent.

        Raises:
            FormatError: counts differ, a coordinate is infinite, only one of x and y is known, or an image is listed twice.
            InputError: a part of the split is empty, both parts share an image, no fitting image shows a landmark, or an
                image shows no landmark.
        """
        count = len(self.images)
        if len(self.landmarks_px) != count or len(self.sizes) != count:
            raise FormatError(f"{self.name}: {count} images, {len(self.landmarks_px)} landmark rows, {len(self.sizes)} sizes")
        if self.groups is not None and len(self.groups) != count:
            raise FormatError(f"{self.name}: {count} images, {len(self.groups)} groups")
        hidden = np.isnan(self.landmarks_px)
        if np.isinf(self.landmarks_px).any() or (hidden[..., 0] != hidden[..., 1]).any():
            raise FormatError(f"{self.name}: a landmark is infinite or lacks one of x and y; correct or remove its image")
        if len(set(self.images)) != count:
            [(twice, _)] = Counter(self.images).most_common(1)
            raise FormatError(f"{self.name}: {twice} is listed twice; remove one")
        if not len(self.fit) or not len(self.test):
            raise InputError(
                f"{self.name}: {len(self.fit)} fitting and {len(self.test)} test images; expected at least 1 of each"
            )
        both = np.intersect1d(self.fit, self.test)
        if both.size:
            fault = f"{both.size:,} images are fitting and test images, the first is {self.images[both[0]]}"
            raise InputError(f"{self.name}: {fault}; remove each of them from one part")
        shown = ~hidden[..., 0]
        unseen, empty = ~shown[self.fit].any(axis=0), self.used[~shown[self.used].any(axis=1)]
        if unseen.any():
            number = int(np.argmax(unseen))
            landmark = self.landmarks[number] if self.landmarks else str(number)
            raise InputError(f"{self.name}: landmark {landmark} is hidden in all fitting images; leave this landmark out")
        if len(empty):
            raise InputError(
                f"{self.name}: {len(empty):,} images show no landmark, the first is {self.images[empty[0]]}; leave these out"
            )

    @property
    def used(self) -> NDArray[np.int64]:
        """Indices of the fitting and test images, ascending. A benchmark needs predictions for these images."""
        return np.sort(np.concatenate([self.fit, self.test]))

    @property
    def fit_groups(self) -> NDArray[np.int64] | None:
        """Groups of the fitting images; None if there are no groups."""
        return None if self.groups is None else self.groups[self.fit]

    @property
    def test_groups(self) -> NDArray[np.int64] | None:
        """Groups of the test images; None if there are no groups."""
        return None if self.groups is None else self.groups[self.test]

    @property
    def file_sizes(self) -> NDArray[np.int64]:
        """(height, width) [images, 2] of the image files."""
        return self.sizes if self.regions is None else self.regions.file_sizes

    def path(self, index: int) -> Path:
        """Return the path of the file of image `index`."""
        return self.folder / self.images[index]

    def image(self, index: int) -> Image:
        """Read image `index` as the model sees it, uint8 RGB [height, width, 3]; edge pixels are repeated beyond the file.

        Raises:
            InputError: the file is damaged.
        """
        picture = read_image(self.path(index))
        if self.regions is None:
            return picture
        left, top, width, height = (int(value) for value in self.regions.boxes[index])
        return cut_region(picture, (left, top, width, height))

    def pictures(self, indices: Iterable[int]) -> Iterator[Image]:
        """Read images one after the other, each as in `image`."""
        return (self.image(int(index)) for index in indices)

    def to_file_px(self, points_px: NDArray[np.floating], indices: NDArray[np.integer]) -> NDArray[np.float64]:
        """Convert points [indices, points, 2] from pixels of the images `indices` to pixels of their files."""
        points = np.asarray(points_px, np.float64)
        return points if self.regions is None else points + self.regions.corners[indices]

    def to_image_px(self, points_px: NDArray[np.floating], indices: NDArray[np.integer]) -> NDArray[np.float64]:
        """Convert points [indices, points, 2] from pixels of files to pixels of the images; the inverse of `to_file_px`."""
        points = np.asarray(points_px, np.float64)
        return points if self.regions is None else points - self.regions.corners[indices]

    def content_hashes(self, indices: Iterable[int]) -> list[str]:
        """Compute the hash of each image's file."""
        return [file_hash(self.path(int(index))) for index in indices]


def names_hash(names: Iterable[str]) -> str:
    """Hash a set of names: the first 16 hexadecimal digits of the SHA-256 of the sorted names, one per line."""
    return hashlib.sha256("".join(f"{name}\n" for name in sorted(names)).encode()).hexdigest()[:16]


def image_sizes(folder: Path, names: Sequence[str]) -> NDArray[np.int64]:
    """Read (height, width) [images, 2] of image files.

    Raises:
        InputError: files are missing or damaged.
    """
    missing = [name for name in names if not (folder / name).is_file()]
    if missing:
        fault = f"{len(missing):,} listed images are missing, the first is {missing[0]}"
        raise InputError(f"{folder}: {fault}; add these images, or remove them from the list")
    return np.array([image_size(folder / name) for name in names], dtype=np.int64)


def sizes_that_fit(table: AnnotationTable, folder: Path, rows: NDArray[np.integer]) -> NDArray[np.int64]:
    """Read (height, width) [rows, 2] of the images of some rows of a table, and check that the annotations fit them.

    Raises:
        InputError: images are missing or damaged.
        FormatError: the file states another size, or a point lies far outside of its image.
    """
    sizes = image_sizes(folder, [table.images[row] for row in rows])
    table.require_sizes(sizes, lambda row: is_turned(folder / table.images[row]), rows)
    table.require_inside(sizes, rows)
    return sizes


@dataclass(frozen=True, kw_only=True)
class SourceFacts:
    """What a loader knows about a data set apart from the annotations; `LandmarkSet` describes the attributes."""

    name: str
    folder: Path
    names_identify: bool = False
    lists: dict[str, str] = field(default_factory=dict)
    notes: Sequence[str] = ()


def assemble(
    table: AnnotationTable,
    protocol: Protocol,
    facts: SourceFacts,
    *,
    fit: NDArray[np.int64],
    test: NDArray[np.int64],
    boxes: NDArray[np.floating] | None = None,
    sizes: NDArray[np.int64] | None = None,
) -> LandmarkSet:
    """Build a landmark set from all images of a table.

    Args:
        table: annotations, in pixels of the image files.
        protocol: protocol whose crop is applied.
        facts: name, folder and lists of the data set.
        fit, test: rows of the table to fit and to test on.
        boxes: [images, 4] left, top, width, height of the boxes on which the crops are centred, in pixels at pixel edges; by
            default the boxes around the visible points.
        sizes: [images, 2] (height, width) of the image files; by default they are read from the files.

    Raises:
        InputError: an image is missing or damaged, or a part of the split is empty.
        FormatError: a point lies far outside of its image, or a box has no area.
    """
    sizes = image_sizes(facts.folder, table.images) if sizes is None else sizes
    table.require_inside(sizes)
    shown, points_px, regions, notes = sizes, table.points_px, None, tuple(facts.notes)
    if protocol.crop is not None:
        notes += (f"crop: {protocol.crop.name}",)
        around = boxes_around(points_px) if boxes is None else boxes
        places = [table.where(row) for row in range(len(table.images))]
        regions = cut_regions(protocol.crop, around, sizes, table.images, places)
        regions = whole_files(regions, test) if protocol.crop.fit_only else regions
        shown, points_px = regions.sizes, points_px - regions.corners
    return LandmarkSet(
        name=facts.name,
        folder=facts.folder,
        images=table.images,
        sizes=shown,
        landmarks_px=points_px,
        fit=fit,
        test=test,
        names_identify=facts.names_identify,
        lists=facts.lists,
        notes=notes,
        regions=regions,
        landmarks=table.landmarks,
    )


def in_copies(table: AnnotationTable, official: NDArray[np.integer], sizes: NDArray[np.integer]) -> AnnotationTable:
    """Convert annotations from pixels of official images to pixels of resized copies.

    Args:
        table: annotations in official pixels.
        official: [images, 2] (height, width) of the official images.
        sizes: [images, 2] (height, width) of the copies, each of a whole image.
    """
    scale = (np.asarray(sizes, np.float64) / np.asarray(official, np.float64))[:, None, ::-1]
    return replace(table, points_px=(table.points_px + 0.5) * scale - 0.5)
