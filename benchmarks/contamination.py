"""Did the model see the test images? Compares the model's own record of real images (`sources.csv`) with the test list.

A test image counts as seen when a file with the same bytes was, or, where file names identify pictures (CelebA), one of
the same name: resized copies have other bytes, and endings do not count, for CelebA comes as JPEG and as PNG. Images of the
same person under another name are not found.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Literal

from benchmarks.datasets.landmarks import LandmarkSet
from benchmarks.evaluate import Row
from kpdetect.errors import FormatError, InputError
from kpdetect.files import SOURCES

Status = Literal["clean", "contaminated", "unknown"]


@dataclass(frozen=True, kw_only=True)
class Contamination:
    """What the record says about the images of a benchmark.

    Attributes:
        status: `clean`, `contaminated` (test images were seen) or `unknown` (no record).
        test_images: test images that were seen.
        fit_images: number of fitting images that were seen; allowed, but said.
    """

    status: Status
    test_images: tuple[str, ...] = ()
    fit_images: int = 0

    def __str__(self) -> str:
        """As shown in tables."""
        if self.status == "unknown":
            return "unknown (no record)"
        fitted = f"; saw {self.fit_images:,} of the fitting images" if self.fit_images else ""
        return (self.status if self.status == "clean" else f"contaminated ({len(self.test_images):,})") + fitted


def check_contamination(model_folder: Path | None, landmark_set: LandmarkSet) -> Contamination:
    """Compare the record in `model_folder` with the images of `landmark_set`.

    Raises:
        FormatError: the record is damaged.
    """
    record = None if model_folder is None else model_folder / SOURCES
    if record is None or not record.exists():
        return Contamination(status="unknown")
    names, hashes = _read_record(record)
    seen_names = {PurePosixPath(name).stem for name in names} if landmark_set.names_identify else set()
    tested = tuple(_seen(landmark_set, landmark_set.test, seen_names, hashes))
    fitted = sum(1 for _ in _seen(landmark_set, landmark_set.fit, seen_names, hashes))
    return Contamination(status="contaminated" if tested else "clean", test_images=tested, fit_images=fitted)


def refuse_contamination(contamination: Contamination, allowed: bool) -> None:
    """Stop a benchmark that would measure memory.

    Raises:
        InputError: test images were seen and `allowed` is not set.
    """
    if contamination.status == "contaminated" and not allowed:
        raise InputError(
            f"the model was trained on {len(contamination.test_images):,} of the test images, the first is "
            f"{contamination.test_images[0]}; train with --exclude-list, or mark the result with --allow-contaminated"
        )


def mark_contaminated(rows: Iterable[Row], contamination: Contamination) -> tuple[Row, ...]:
    """The rows, those of the model with a note when it saw test images."""
    if contamination.status != "contaminated":
        return tuple(rows)
    note = f"CONTAMINATED: trained on {len(contamination.test_images):,} test images"
    return tuple(replace(row, note="; ".join(filter(None, (note, row.note)))) if row.kind == "model" else row for row in rows)


def _seen(landmark_set: LandmarkSet, indices: Iterable[int], names: set[str], hashes: set[str]) -> Iterable[str]:
    chosen = [int(index) for index in indices]
    for index, content in zip(chosen, landmark_set.content_hashes(chosen), strict=True):
        name = landmark_set.images[index]
        if content in hashes or PurePosixPath(name).stem in names:
            yield name


def _read_record(path: Path) -> tuple[set[str], set[str]]:
    with open(path, newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        if reader.fieldnames != ["image", "sha256"]:
            raise FormatError(f"{path}: columns {reader.fieldnames}; expected image,sha256; copy the record of the run again")
        rows = [(row["image"], row["sha256"]) for row in reader]
    if any(not content for _, content in rows):
        raise FormatError(f"{path}: a row has no sha256; copy the record of the run again")
    return {name for name, _ in rows}, {content for _, content in rows}
