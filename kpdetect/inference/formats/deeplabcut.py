"""DeepLabCut: one row per frame or image, columns (scorer, bodyparts, coords) with coords x, y, likelihood.

The files have the layout of those that DeepLabCut's `analyze_videos` writes. The .h5 file holds a pandas table under the key
`df_with_missing`. Coordinates are pixels with integers at pixel centres, as in predictions.csv. Missing keypoints are NaN and
keep their likelihood.

Images that a person has checked are also written to CollectedData_human.csv, without likelihood, as DeepLabCut stores labelled
data.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from kpdetect.errors import InputError
from kpdetect.files.atomic import replacing
from kpdetect.files.names import to_cell
from kpdetect.inference.formats.choice import LABELLED
from kpdetect.inference.predictions import Predictions

CSV, H5, KEY = "predictions-dlc.csv", "predictions-dlc.h5", "df_with_missing"
PERSON = "human"
SCORER = "kpdetect"


def to_dlc_frame(predictions: Predictions, min_confidence: float) -> pd.DataFrame:
    """Make the table. Its index is the frame number of a video, or the name of an image."""
    columns = pd.MultiIndex.from_product(
        [[SCORER], predictions.points.names, ["x", "y", "likelihood"]], names=["scorer", "bodyparts", "coords"]
    )
    values = np.concatenate([predictions.confident(min_confidence), predictions.confidence[..., None]], axis=-1)
    index = pd.Index(predictions.images if predictions.frames is None else predictions.frames)
    return pd.DataFrame(values.reshape(len(values), -1).astype(np.float64), index=index, columns=columns)


def write_dlc_csv(predictions: Predictions, min_confidence: float, folder: Path) -> Path:
    """Write predictions-dlc.csv."""
    with replacing(folder / CSV) as temporary:
        table = to_dlc_frame(predictions, min_confidence)
        if predictions.frames is None:
            table.index = table.index.map(to_cell)
        table.to_csv(temporary, encoding="utf-8")
    _write_labelled(predictions, folder / LABELLED)
    return folder / CSV


def _write_labelled(predictions: Predictions, path: Path) -> None:
    """Write the images that a person has checked as labelled data. If there are none, write no file."""
    if predictions.human is None or not predictions.human.any():
        return
    rows = np.flatnonzero(predictions.human.any(axis=1))
    columns = pd.MultiIndex.from_product(
        [[PERSON], predictions.points.names, ["x", "y"]], names=["scorer", "bodyparts", "coords"]
    )
    values = np.where(predictions.human[rows, :, None], predictions.keypoints_px[rows], np.nan)
    index = pd.Index([to_cell(predictions.images[row]) for row in rows])
    with replacing(path) as temporary:
        pd.DataFrame(values.reshape(len(rows), -1).astype(np.float64), index=index, columns=columns).to_csv(
            temporary, encoding="utf-8"
        )


def write_dlc_h5(predictions: Predictions, min_confidence: float, folder: Path) -> Path:
    """Write predictions-dlc.h5.

    Raises:
        InputError: the package tables is not installed.
    """
    frame = to_dlc_frame(predictions, min_confidence)
    _write_labelled(predictions, folder / LABELLED)
    try:
        # in memory, because HDF5 crashes the process if a write to disk fails
        with pd.HDFStore(H5, mode="w", driver="H5FD_CORE", driver_core_backing_store=0) as store:
            store.put(KEY, frame, format="table", track_times=False, index=False)  # otherwise HDF5 stores the time of writing
            handle: Any = store._handle  # a handle of PyTables, without types
            content: bytes = handle.get_file_image()
    except ImportError as error:
        raise InputError('`formats=dlc-h5`: the package tables is not installed; pip install "kpdetect[dlc]"') from error
    with replacing(folder / H5) as temporary:
        temporary.write_bytes(content)
    return folder / H5
