"""Contamination: whether a model was trained on test images. The model's record of its training images (`sources.csv`) tells.

A test image counts as seen if the model was trained on a file with the same bytes. Where file names identify images (CelebA),
an equal name without its ending counts too, because resized copies have other bytes. The check does not detect images of the
same person under another name.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from benchmarks.datasets.landmarks import LandmarkSet
from benchmarks.evaluation.result_row import Row
from kpdetect.errors import FormatError, InputError
from kpdetect.files.sources import SOURCES, recorded_sources

Status = Literal["clean", "contaminated", "unknown"]


@dataclass(frozen=True, kw_only=True)
class Contamination:
    """The test and fitting images that the model was trained on.

    Attributes:
        status: `clean`, `contaminated` (the model was trained on test images) or `unknown` (there is no record).
        test_images: names of the test images that the model was trained on.
        fit_images: number of fitting images that the model was trained on; this is allowed and reported.
    """

    status: Status
    test_images: tuple[str, ...] = ()
    fit_images: int = 0

    def __str__(self) -> str:
        """Return the text for tables."""
        if self.status == "unknown":
            return "unknown (no record)"
        fitted = f"; saw {self.fit_images:,} of the fitting images" if self.fit_images else ""
        return (self.status if self.status == "clean" else f"contaminated ({len(self.test_images):,})") + fitted


def check_contamination(model_folder: Path | None, landmark_set: LandmarkSet) -> Contamination:
    """Compare the record in `model_folder` with the images of `landmark_set`.

    Raises:
        FormatError: the record is damaged.
    """
    return judge_contamination(seen_images(model_folder, landmark_set), landmark_set)


def seen_images(model_folder: Path | None, landmark_set: LandmarkSet) -> NDArray[np.bool_] | None:
    """Look up the fitting and test images in the record of `model_folder`, bool [used images]; None without a record.

    Raises:
        FormatError: the record is damaged.
    """
    record = None if model_folder is None else model_folder / SOURCES
    if record is None or not record.exists():
        return None
    names, hashes = _read_record(record)
    stems = {PurePosixPath(name).stem for name in names} if landmark_set.names_identify else set()
    used = landmark_set.used
    contents = landmark_set.content_hashes(used)
    seen = [
        content in hashes or PurePosixPath(landmark_set.images[index]).stem in stems
        for index, content in zip(used, contents, strict=True)
    ]
    return np.array(seen, dtype=np.bool_)


def judge_contamination(seen: Sequence[bool] | NDArray[np.bool_] | None, landmark_set: LandmarkSet) -> Contamination:
    """Judge contamination from `seen` [used images]: whether each image is in the record of the model."""
    if seen is None:
        return Contamination(status="unknown")
    indices = landmark_set.used[np.asarray(seen, dtype=np.bool_)]
    tested = tuple(landmark_set.images[index] for index in landmark_set.test[np.isin(landmark_set.test, indices)])
    fitted = int(np.isin(landmark_set.fit, indices).sum())
    return Contamination(status="contaminated" if tested else "clean", test_images=tested, fit_images=fitted)


def refuse_contamination(contamination: Contamination, allowed: bool) -> None:
    """Refuse to measure a model on images that it was trained on.

    Raises:
        InputError: the model was trained on test images and `allowed` is False.
    """
    if contamination.status == "contaminated" and not allowed:
        raise InputError(
            f"the model was trained on {len(contamination.test_images):,} of the test images, the first is "
            f"{contamination.test_images[0]}; train with `exclude_list`, or mark the result with `allow_contaminated`"
        )


def mark_contaminated(rows: Iterable[Row], contamination: Contamination) -> tuple[Row, ...]:
    """Add a note to the rows of a model that was trained on test images."""
    if contamination.status != "contaminated":
        return tuple(rows)
    note = f"CONTAMINATED: trained on {len(contamination.test_images):,} test images"
    return tuple(replace(row, note="; ".join(filter(None, (note, row.note)))) if row.kind == "model" else row for row in rows)


def _read_record(path: Path) -> tuple[set[str], set[str]]:
    rows = recorded_sources(path)
    if rows is None:
        raise FormatError(f"{path}: expected the columns image,sha256; copy sources.csv from the run again")
    return {name for name, _ in rows}, {content for _, content in rows}
