"""SLEAP analysis HDF5: dense arrays over tracks (one), nodes and frames, as SLEAP's "export analysis" writes them.

Coordinates are pixels with integers at pixel centres, as in SLEAP since its file version 1.1. Missing keypoints, and frames
that were not predicted, are NaN. For a folder of images, frame i is the i-th image of predictions.csv.
"""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kpdetect.files.atomic import replacing
from kpdetect.inference.predictions import Predictions

H5 = "predictions.analysis.h5"
TRACK = "object"


def write_sleap(predictions: Predictions, min_confidence: float, folder: Path) -> Path:
    """Write predictions.analysis.h5."""
    import h5py

    content = io.BytesIO()  # HDF5 crashes the process if a write to disk fails
    with h5py.File(content, "w") as file:
        for name, (values, dims) in _arrays(predictions, min_confidence).items():
            data = file.create_dataset(name, data=values, compression="gzip")
            data.attrs["dims"] = json.dumps(dims)
        points, text = predictions.points, h5py.string_dtype()
        file.create_dataset("track_names", data=[TRACK], dtype=text)
        file.create_dataset("node_names", data=list(points.names), dtype=text)
        links = np.array(points.links, dtype=np.int64).reshape(-1, 2)
        edges = [[points.names[one], points.names[other]] for one, other in points.links]
        mirrored = [[points.names[one], points.names[other]] for one, other in points.pairs]
        file.attrs["skeleton_symmetries"] = json.dumps(mirrored)  # the place where sleap-io reads pairs
        file.create_dataset("edge_inds", data=links)
        file.create_dataset("edge_names", data=np.array(edges, dtype=object).reshape(-1, 2), dtype=text)
        clip = predictions.images[0].rpartition("/")[0] if predictions.frames is not None else ""
        for name, value in (("labels_path", ""), ("video_path", clip), ("provenance", json.dumps({"source": "kpdetect"}))):
            file.create_dataset(name, data=value, dtype=text)
        file["video_ind"] = 0
    with replacing(folder / H5) as temporary:
        temporary.write_bytes(content.getbuffer())
    return folder / H5


def _arrays(predictions: Predictions, min_confidence: float) -> dict[str, tuple[NDArray[Any], tuple[str, ...]]]:
    count = len(predictions.images)
    frames = np.arange(count) if predictions.frames is None else predictions.frames
    length, nodes = int(frames[-1]) + 1, predictions.keypoints_px.shape[1]
    tracks, scores = np.full((1, 2, nodes, length), np.nan), np.full((1, nodes, length), np.nan)
    whole, occupied = np.full((1, length), np.nan), np.zeros((length, 1), dtype=np.uint8)
    tracks[0, :, :, frames] = predictions.confident(min_confidence).transpose(0, 2, 1)
    scores[0, :, frames] = predictions.confidence
    whole[0, frames] = predictions.confidence.mean(axis=1)
    occupied[frames] = 1
    return {
        "tracks": (tracks, ("track", "xy", "node", "frame")),
        "point_scores": (scores, ("track", "node", "frame")),
        "instance_scores": (whole, ("track", "frame")),
        "tracking_scores": (whole, ("track", "frame")),
        "track_occupancy": (occupied, ("frame", "track")),
    }
