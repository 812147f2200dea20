"""Groups of images that look alike, from a CSV with a column `image` and a column of groups.

Images of one group are never divided between folds, so that no fold is fitted on an image that looks like one it is measured
on.
"""

from __future__ import annotations

import posixpath
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.datasets.annotation_table import read_rows
from kpdetect.errors import FormatError, InputError
from kpdetect.files.reading import reading


def read_groups(path: Path, column: str, images: Sequence[str]) -> NDArray[np.int64]:
    """Read the number of the group of each image, [images].

    Args:
        path: the CSV. Lines of other images are ignored.
        column: name of the column of groups.
        images: names of the images.

    Raises:
        InputError: the file does not exist.
        FormatError: the file is no CSV in UTF-8, lacks a column or an image, a line is incomplete, or an image has no group or
            two groups. The message names the line.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file; give a CSV with the columns image and {column}")
    with reading(path, FormatError, f"expected a CSV with the columns image and {column}"):
        rows = read_rows(path)
        number, header = next(rows, (1, []))
        if not {"image", column} <= set(header):
            columns = ", ".join(header[:4]) or "nothing"
            raise FormatError(f"{path}, line {number}: got columns {columns}, expected image and {column}")
        names, groups = header.index("image"), header.index(column)
        wanted, known = {posixpath.normpath(name) for name in images}, dict[str, tuple[str, int]]()
        for number, row in rows:
            where = f"{path}, line {number}"
            if len(row) != len(header):
                raise FormatError(f"{where}: {len(row)} values for {len(header)} columns; complete the line")
            name, group = posixpath.normpath(row[names]), row[groups]
            if name not in wanted:
                continue
            if not group:
                raise FormatError(f"{where}: no {column} of {name}; add its group")
            first, line = known.setdefault(name, (group, number))
            if first != group:
                raise FormatError(f"{where}: {name} has {column} {group}, but {first} on line {line}; remove one of the lines")
    if missing := sorted(wanted - known.keys()):
        raise FormatError(f"{path}: no line for {missing[0]}; add its {column}")
    found = [known[posixpath.normpath(name)][0] for name in images]
    return np.unique(found, return_inverse=True)[1].astype(np.int64)
