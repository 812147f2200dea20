"""Taichi (Siarohin et al. 2019, 2020): the annotated frames of motion-cosegmentation's release.

    landmark/taichi_train_gt.pkl, taichi_test_gt.pkl      pandas tables: file_name, value
    eval_images/taichi-256/train/..., test/...            frames of 256x256 pixels, or a resized copy of the whole frames

`value` holds 18 points x, y in pixels of 256x256, -1 where a point is missing. The tables are pickles, which could run code
when they are loaded. Only the classes and functions that a table of strings and arrays needs are therefore allowed.
"""

from __future__ import annotations

import pickle
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.datasets.annotation_table import AnnotationTable
from benchmarks.datasets.landmarks import LandmarkSet, SourceFacts, assemble, image_sizes, in_copies
from benchmarks.protocol.definition import Protocol
from kpdetect.errors import FormatError, InputError
from kpdetect.files.hashes import file_hash

if TYPE_CHECKING:
    import pandas

PARTS = {"train": "landmark/taichi_train_gt.pkl", "test": "landmark/taichi_test_gt.pkl"}
FRAMES = "eval_images/taichi-256"
SIDE, POINTS, MISSING = 256, 18, -1
COLUMNS = ("file_name", "value")
PICKLED = {
    "builtins": {"slice", "object"},
    "__builtin__": {"slice", "object"},
    "_codecs": {"encode"},
    "copyreg": {"_reconstructor"},
    "copy_reg": {"_reconstructor"},
    "numpy": {"ndarray", "dtype"},
    "numpy.core.multiarray": {"_reconstruct", "scalar"},
    "numpy._core.multiarray": {"_reconstruct", "scalar"},
    "numpy.core.numeric": {"_frombuffer"},
    "numpy._core.numeric": {"_frombuffer"},
    "pandas": {"DataFrame", "Index", "RangeIndex", "StringDtype"},
    "pandas.arrays": {"StringArray"},
    "pandas.core.frame": {"DataFrame"},
    "pandas.core.internals": {"BlockManager"},
    "pandas.core.internals.managers": {"BlockManager"},
    "pandas.core.internals.blocks": {"new_block"},
    "pandas._libs.internals": {"_unpickle_block"},
    "pandas._libs.arrays": {"__pyx_unpickle_NDArrayBacked"},
    "pandas.core.indexes.base": {"_new_Index", "Index"},
    "pandas.core.indexes.range": {"RangeIndex"},
    "pandas.core.indexes.numeric": {"Int64Index"},
}
"""Classes and functions in a pickled table of strings and arrays, for old and new releases of pandas and numpy."""


def load_taichi(folder: Path, protocol: Protocol) -> LandmarkSet:
    """Read the data set in the layout that the module's docstring shows.

    Args:
        folder: the data set.
        protocol: protocol that names the 18 points.

    Raises:
        InputError: a table or a frame is missing.
        FormatError: a table is damaged, or of another kind; the message names the entry.
    """
    images: list[str] = []
    places: list[str] = []
    points: list[NDArray[np.float64]] = []
    counts = []
    for part, name in PARTS.items():
        table = read_table(folder / name)
        places += [f"{folder / name}, entry {entry}" for entry in range(len(table))]
        images += [f"{part}/{file}" for file in table[COLUMNS[0]]]
        points += [_points(value, place) for value, place in zip(table[COLUMNS[1]], places[len(points) :], strict=True)]
        counts.append(len(table))
    kept = np.array([row for row, value in enumerate(points) if not np.isnan(value).all()], np.int64)
    annotations = AnnotationTable(
        path=folder,
        images=[images[row] for row in kept],
        landmarks=protocol.landmarks,
        points_px=np.array([points[row] for row in kept]).reshape(-1, POINTS, 2),
        lines=[],
        places=[places[row] for row in kept],
    )
    sizes = image_sizes(folder / FRAMES, annotations.images)
    in_file = in_copies(annotations, np.full_like(sizes, SIDE), sizes)
    facts = SourceFacts(
        name="taichi",
        folder=folder / FRAMES,
        lists={name: file_hash(folder / name) for name in PARTS.values()},
        notes=(f"{hidden:,} frames without any point are left out",) if (hidden := len(images) - len(kept)) else (),
    )
    fitted = kept < counts[0]
    return assemble(in_file, protocol, facts, fit=np.flatnonzero(fitted), test=np.flatnonzero(~fitted), sizes=sizes)


def read_table(path: Path) -> pandas.DataFrame:
    """Read a pickled table with the columns file_name and value.

    Raises:
        InputError: the file does not exist.
        FormatError: the file is damaged, holds something else, or refers to classes that such a table does not need.
    """
    import pandas as pd

    try:
        with open(path, "rb") as file:
            table = _unpickler(file).load()
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file; expected the tables of motion-cosegmentation's release") from error
    except FormatError:
        raise
    except Exception as error:  # a damaged pickle can raise anything
        raise FormatError(f"{path}: not a pickled table ({type(error).__name__}); download it again") from error
    if not isinstance(table, pd.DataFrame) or not set(COLUMNS) <= set(table.columns) or not len(table):
        raise FormatError(f"{path}: not a table with the columns {' and '.join(COLUMNS)}; download it again")
    return table


def _unpickler(file: Any) -> pickle.Unpickler:
    # the unpickler of pandas also knows the names of old releases
    unpickler: Any = import_module("pandas.compat.pickle_compat").Unpickler

    class Restricted(unpickler):  # type: ignore[misc]
        def find_class(self, module: str, name: str) -> Any:
            if name not in PICKLED.get(module, ()):
                fault = f"the pickle refers to {module}.{name}, which no table of points needs"
                raise FormatError(f"{file.name}: {fault}; it may run harmful code, so it is not loaded: download it again")
            return super().find_class(module, name)

    restricted: pickle.Unpickler = Restricted(file)
    return restricted


def _points(value: Any, where: str) -> NDArray[np.float64]:
    try:
        points = np.asarray(value, np.float64)
    except (TypeError, ValueError) as error:
        raise FormatError(f"{where}: not an array of numbers; expected {POINTS} points x, y") from error
    if points.shape != (POINTS, 2) or not np.isfinite(points).all():
        raise FormatError(f"{where}: array of {points.shape}; expected {POINTS} finite points x, y, -1 where missing")
    return np.where((points == MISSING).any(axis=1, keepdims=True), np.nan, points)
