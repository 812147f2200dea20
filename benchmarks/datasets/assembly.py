"""From annotations to a landmark set: sizes read, points checked, the protocol's crop cut."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.datasets.landmarks import LandmarkSet, image_sizes
from benchmarks.datasets.regions import boxes_around, cut_regions, whole_files
from benchmarks.datasets.wide import AnnotationTable
from benchmarks.protocol import Protocol


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What a loader knows of its data beside the annotations; attributes as in `LandmarkSet`."""

    name: str
    folder: Path
    names_identify: bool = False
    lists: dict[str, str] = field(default_factory=dict)
    notes: Sequence[str] = ()


def assemble(
    table: AnnotationTable,
    protocol: Protocol,
    facts: Facts,
    *,
    fit: NDArray[np.int64],
    test: NDArray[np.int64],
    boxes: NDArray[np.floating] | None = None,
    sizes: NDArray[np.int64] | None = None,
) -> LandmarkSet:
    """A landmark set of all images of a table.

    Args:
        table: annotations, in pixels of the image files.
        protocol: its crop is cut.
        facts: name, folder, lists.
        fit, test: rows of the table.
        boxes: [images, 4] left, top, width, height that the crop is centred on, in pixels at pixel edges; the box around the
            visible points unless given.
        sizes: [images, 2] (height, width) of the image files, where they are known already.

    Raises:
        InputError: an image is missing or damaged, or a part of the split is empty.
        FormatError: a point far outside of its image, or a box without area.
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
    """Annotations in pixels of official images, in pixels of resized copies of them.

    Args:
        table: annotations in official pixels.
        official: [images, 2] (height, width) of the official images.
        sizes: [images, 2] (height, width) of the copies, each of a whole image.
    """
    scale = (np.asarray(sizes, np.float64) / np.asarray(official, np.float64))[:, None, ::-1]
    return replace(table, points_px=(table.points_px + 0.5) * scale - 0.5)
