"""One line of the table of a validation: a detector, images, and annotations of some images."""

from __future__ import annotations

import csv
from dataclasses import dataclass, fields
from pathlib import Path

from kpdetect.errors import FormatError
from kpdetect.files.reading import reading

OPTIONAL = ("name", "annotated", "list", "groups")


@dataclass(frozen=True, kw_only=True)
class Case:
    """A detector and the images that it is judged on. Paths are relative to the working folder.

    Attributes:
        category: kind of object, such as hands.
        detector: weights file, run folder, project folder or name of a model that comes with the package.
        images: folder of unlabelled images for the evidence.
        annotations: file of annotations, in any format of `benchmarks.datasets.annotation_formats`.
        name: name of the detector in the tables; by default `detector`.
        annotated: folder of the annotated images; by default `images`.
        list: file with the names of the annotated images to use; empty for all.
        groups: `FILE:COLUMN`, a CSV with a column `image` and a column of groups. Images of one group stay in one fold.
    """

    category: str
    detector: str
    images: str
    annotations: str
    name: str = ""
    annotated: str = ""
    list: str = ""
    groups: str = ""

    @property
    def label(self) -> str:
        """The name of the detector in the tables."""
        return self.name or self.detector

    @property
    def folder(self) -> Path:
        """The folder of the annotated images."""
        return Path(self.annotated or self.images)

    @property
    def group_column(self) -> tuple[Path, str]:
        """The file and the column of the groups.

        Raises:
            FormatError: `groups` is not FILE:COLUMN.
        """
        path, _, column = self.groups.rpartition(":")
        if not path or not column:
            raise FormatError(f"groups '{self.groups}' of {self.label}: expected FILE:COLUMN; correct the table")
        return Path(path), column

    @property
    def files(self) -> tuple[Path, ...]:
        """The files that the measurement depends on, without images."""
        named = (self.annotations, self.list, str(self.group_column[0]) if self.groups else "")
        return tuple(Path(name) for name in named if name)


def read_cases(path: Path) -> list[Case]:
    """Read the table of a validation.

    Raises:
        InputError: the file is missing.
        FormatError: a column or a value is missing; the message names the line.
    """
    columns = [field.name for field in fields(Case)]
    needed = [name for name in columns if name not in OPTIONAL]
    advice = f"expected a CSV with the columns {', '.join(columns)}"
    with reading(path, FormatError, advice), open(path, newline="", encoding="utf-8-sig") as file:
        lines = list(csv.DictReader(file))
    cases = []
    for number, line in enumerate(lines, start=2):
        given = {name: (line.get(name) or "").strip() for name in columns}
        if missing := [name for name in needed if not given[name]]:
            raise FormatError(f"{path}, line {number}: no {missing[0]}; expected values for {', '.join(needed)}")
        cases.append(Case(**given))
    if not cases:
        raise FormatError(f"{path}: no lines; expected one per detector, with the columns {', '.join(columns)}")
    return cases
