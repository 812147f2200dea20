"""A user's annotations as a benchmark: `table:FILE`.

FILE is a CSV with a line per image or per point, DeepLabCut's CSV, COCO keypoints, or an export of Label Studio (see
`benchmarks.datasets.annotation_formats`). The images are in the data folder. Two lists of names define the split, or
else a column `split` with the values fit and test. Without both, the images are sorted by name and split by index mod 5: 0, 1
and 2 are fitting images, and 4 is a test image.

The protocol's name is `table`, followed by the unit if it is not the box, and by a hash of the lists if there are lists:
`table-image`, `table-left,right-1a2b3c4d`. Results of one file with different settings thus have different names.
"""

from __future__ import annotations

import posixpath
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from benchmarks.datasets.annotation_formats import read_annotations
from benchmarks.datasets.annotation_table import AnnotationTable
from benchmarks.datasets.landmarks import LandmarkSet, names_hash, sizes_that_fit
from benchmarks.protocol.named import OWN_REGRESSIONS, Protocol, Unit
from kpdetect.data.name_lists import NameIndex, listed_names
from kpdetect.errors import FormatError, InputError
from kpdetect.files.hashes import bytes_hash, file_hash
from kpdetect.images.image_files import list_names

TABLE = "table:"
UNITS = ("box", "image", "pixel")


@dataclass(frozen=True, kw_only=True)
class Split:
    """The images of a table to fit on and to test on.

    Attributes:
        fit, test: indices of the images to fit on and to test on.
        rule: description of the split in words.
        lists: `names_hash` of each list of names.
    """

    fit: NDArray[np.int64]
    test: NDArray[np.int64]
    rule: str
    lists: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class TableOptions:
    """The unit and split of a table.

    Attributes:
        unit: `box`, `image`, `pixel`, or two landmarks as `left,right`; see `benchmarks.protocol.named`.
        fit, test: files with the names of the images to fit and to test on; both are given, or both are None.
    """

    unit: str = "box"
    fit: Path | None = None
    test: Path | None = None


def load_table(path: Path, images: Path, annotated: TableOptions) -> tuple[Protocol, LandmarkSet]:
    """Read annotations and build their protocol.

    Args:
        path: file of the annotations.
        images: folder of the images; names in the annotations are relative to it.
        annotated: unit and split.

    Raises:
        InputError: files or images are missing, the unit is unknown, a part of the split is empty, or an image is in both
            parts.
        FormatError: the annotations are damaged; the message names the line.
    """
    if not images.is_dir():
        raise InputError(f"{images}: not a folder; give the folder of the images with `data`")
    table = with_files(read_annotations(path), images)
    split = _split(table, annotated)
    used = np.sort(np.concatenate([split.fit, split.test]))
    names = [table.images[index] for index in used]
    table.require_shown(used)
    sizes = sizes_that_fit(table, images, used)
    landmark_set = LandmarkSet(
        name=path.stem,
        folder=images,
        images=names,
        sizes=sizes,
        landmarks_px=table.points_px[used],
        fit=np.searchsorted(used, split.fit),
        test=np.searchsorted(used, split.test),
        names_identify=False,
        lists={path.name: file_hash(path), **split.lists},
        notes=(split.rule,),
        landmarks=table.landmarks,
    )
    protocol = Protocol(
        name=_protocol_name(annotated, split),
        dataset="table",
        images=f"those of {path.name}",
        split=split.rule,
        landmarks=table.landmarks,
        unit=_unit(annotated.unit, table),
        regressions=OWN_REGRESSIONS,
        source=f"own annotations: {path.name}",
    )
    return protocol, landmark_set


def with_files(table: AnnotationTable, folder: Path) -> AnnotationTable:
    """Replace names in the table by names of images in `folder`; a name without a matching image stays unchanged.

    Raises:
        FormatError: two rows name the same image, in any spelling, or a name lies outside of the folder.
    """
    plain = [posixpath.normpath(name) for name in table.images]
    inside = [not PurePosixPath(name).is_absolute() and ".." not in PurePosixPath(name).parts for name in plain]
    here = [safe and (folder / name).is_file() for name, safe in zip(plain, inside, strict=True)]
    if all(here):
        return replace(table, images=plain)
    index, names = NameIndex(list_names(folder), folder), []
    for row, name in enumerate(table.images):
        names_here = (plain[row],) if here[row] else index(name, loosely=False, words=False).names
        if len(names_here) != 1 and not inside[row]:
            raise FormatError(f"{table.where(row)}: {name} is not in {folder}; expected a path below it")
        names.append(names_here[0] if len(names_here) == 1 else name)
    return replace(table, images=names)


def _protocol_name(annotated: TableOptions, split: Split) -> str:
    unit = [] if annotated.unit == TableOptions().unit else [",".join(name.strip() for name in annotated.unit.split(","))]
    listed = [bytes_hash("".join(split.lists.values()).encode())[:8]] if split.lists else []
    return "-".join(["table", *unit, *listed])


def _unit(text: str, table: AnnotationTable) -> Unit:
    if text in UNITS:
        return text  # type: ignore[return-value]
    names = tuple(name.strip() for name in text.split(","))
    if len(names) != 2 or not set(names) <= set(table.landmarks):
        choice = f"{', '.join(UNITS)}, or two of {', '.join(table.landmarks)}"
        raise InputError(f"`normaliser={text}`: expected {choice}, separated by a comma")
    return names[0], names[1]


def _split(table: AnnotationTable, annotated: TableOptions) -> Split:
    if (annotated.fit is None) != (annotated.test is None):
        raise InputError("`fit_list` and `test_list`: one of the two is missing; give both or none")
    if annotated.fit is not None and annotated.test is not None:
        return _by_lists(table, annotated.fit, annotated.test)
    if "split" in table.extra:
        return _by_column(table)
    order = np.array(sorted(range(len(table.images)), key=lambda index: table.images[index]), np.int64)
    remainder = np.arange(len(order)) % 5
    rule = "split by sorted names: index mod 5 in 0, 1, 2 fits, 4 tests"
    return Split(fit=order[remainder < 3], test=order[remainder == 4], rule=rule)


def _by_lists(table: AnnotationTable, fit: Path, test: Path) -> Split:
    rows = [_listed(table, path, parameter) for path, parameter in ((fit, "fit_list"), (test, "test_list"))]
    names = [[table.images[row] for row in part] for part in rows]
    both = sorted(set(names[0]) & set(names[1]))
    if both:
        fault = f"{len(both):,} images are in both lists, the first is {both[0]}"
        raise InputError(f"{fit} and {test}: {fault}; remove each of them from one list")
    lists = {"fit list": names_hash(names[0]), "test list": names_hash(names[1])}
    return Split(fit=rows[0], test=rows[1], rule="split by lists of names", lists=lists)


def _listed(table: AnnotationTable, path: Path, parameter: str) -> NDArray[np.int64]:
    position = {name: index for index, name in enumerate(table.images)}
    names = listed_names(path, table.images, parameter, str(table.path))
    return np.array([position[name] for name in names], np.int64)


def _by_column(table: AnnotationTable) -> Split:
    texts: Sequence[str] = table.extra["split"]
    for row, text in enumerate(texts):
        if text not in ("fit", "test", "train", ""):
            raise FormatError(f"{table.where(row)}: split '{text}'; expected fit (or train), test, or nothing")
    column = np.array(texts)
    fit = np.flatnonzero((column == "fit") | (column == "train"))
    return Split(fit=fit, test=np.flatnonzero(column == "test"), rule="split by the table's column")
