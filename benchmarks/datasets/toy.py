"""The procedural data set that `kpdetect toy` writes.

    images/000000.png ...
    keypoints.csv          image, keypoint (a name), x_px, y_px, visible

Split by the image's index: index mod 5 in {0, 1, 2} fits, 3 validates (left out here), 4 tests. Every landmark counts,
also hidden ones: their places are exact.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from benchmarks.datasets.landmarks import LandmarkSet, image_sizes
from benchmarks.protocol import Protocol
from kpdetect.errors import FormatError, InputError
from kpdetect.files import file_hash

if TYPE_CHECKING:
    import pandas

COLUMNS = ("image", "keypoint", "x_px", "y_px")
FITTED, TESTED = (0, 1, 2), (4,)


def load_toy(folder: Path, protocol: Protocol) -> LandmarkSet:
    """Read a toy folder.

    Args:
        folder: what `kpdetect toy --out` wrote.
        protocol: names the keypoints to measure.

    Raises:
        InputError: a file or an image is missing.
        FormatError: keypoints.csv is damaged, or lacks a landmark of an image.
    """
    path, landmarks = folder / "keypoints.csv", protocol.landmarks
    points = _pivot(_read_table(path), landmarks, path)
    names = [str(name) for name in points.index]
    remainder = np.array([_index(name, path) % 5 for name in names])
    return LandmarkSet(
        name="toy",
        folder=folder / "images",
        images=names,
        sizes=image_sizes(folder / "images", names),
        landmarks_px=_stack(points, landmarks),
        fit=np.flatnonzero(np.isin(remainder, FITTED)),
        test=np.flatnonzero(np.isin(remainder, TESTED)),
        names_identify=False,  # two toy folders with different seeds use the same names for different pictures
        lists={"keypoints.csv": file_hash(path)},
        notes=("procedural images with exact landmarks",),
    )


def _read_table(path: Path) -> pandas.DataFrame:
    import pandas as pd

    try:
        table = pd.read_csv(path, dtype={"image": str, "keypoint": str})
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file; make a toy data set with: kpdetect toy --count 500 --out DIR") from error
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise FormatError(f"{path}: not a CSV table ({str(error).splitlines()[0]}); make the folder again") from error
    missing = [column for column in COLUMNS if column not in table.columns]
    if missing:
        raise FormatError(f"{path}, line 1: no column {', '.join(missing)}; expected {', '.join(COLUMNS)}, visible")
    return table


def _pivot(table: pandas.DataFrame, landmarks: Sequence[str], path: Path) -> pandas.DataFrame:
    table = table[table["keypoint"].isin(list(landmarks))]
    absent = [name for name in landmarks if name not in set(table["keypoint"])]
    if absent:
        raise FormatError(f"{path}: no keypoint named {', '.join(absent)}; make the folder again with kpdetect toy")
    twice = table.duplicated(["image", "keypoint"])
    if twice.any():
        row = table[twice].iloc[0]
        raise FormatError(f"{path}, line {int(table.index[twice][0]) + 2}: a second {row['keypoint']} of {row['image']}")
    points: pandas.DataFrame = table.pivot(index="image", columns="keypoint", values=["x_px", "y_px"]).sort_index()
    holes = points.index[points.isna().any(axis=1)]
    if len(holes):
        raise FormatError(f"{path}: {len(holes)} images lack a coordinate, the first is {holes[0]}; make the folder again")
    return points


def _stack(points: pandas.DataFrame, landmarks: Sequence[str]) -> NDArray[np.float64]:
    axes = [points[axis][list(landmarks)].to_numpy(np.float64) for axis in ("x_px", "y_px")]
    return np.stack(axes, axis=-1)


def _index(name: str, path: Path) -> int:
    stem = Path(name).stem
    if not stem.isdigit():
        raise FormatError(f"{path}: image '{name}' has no number as its name; expected names such as 000012.png")
    return int(stem)
