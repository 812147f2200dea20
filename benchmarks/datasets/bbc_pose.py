"""BBC Pose (Charles et al. 2013) in its official layout: bbcpose_data_1.0, with the toolkit's folder code/ next to the videos.

    1/....jpg ... 20/....jpg     frames of the videos, named by their number
    code/bbcpose.mat             struct array bbcpose, an entry per video: type (train, val, test), source,
                                 train_frames [1, n], train_joints [2, 7, n], test_frames, test_joints

Coordinates of joints begin at 1 (MATLAB), so 1 is subtracted. The extended set, whose source is not buehler11, is not used.
A tracker annotated the training videos; people annotated the test videos.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.datasets.annotation_table import AnnotationTable
from benchmarks.datasets.landmarks import LandmarkSet, SourceFacts, assemble
from benchmarks.datasets.text_and_matlab import read_mat
from benchmarks.protocol.definition import Protocol
from kpdetect.errors import FormatError, InputError
from kpdetect.files.hashes import file_hash

FILES = ("code/bbcpose.mat", "bbcpose_extbbcpose_code_1.0/bbcpose.mat", "bbcpose.mat")
VARIABLE, SOURCE = "bbcpose", "buehler11"
FIELDS = ("type", "source", "train_frames", "train_joints", "test_frames", "test_joints")
FIRST = 1.0
"""Coordinate of the first pixel's centre in the file."""
Frames = list[tuple[str, NDArray[np.float64], str]]
"""For each frame its image, the joints [joints, 2], and their place in the file, for messages."""


def load_bbc_pose(folder: Path, protocol: Protocol) -> LandmarkSet:
    """Read the data set in the layout that the module's docstring shows.

    Args:
        folder: the data set.
        protocol: protocol that names the seven joints.

    Raises:
        InputError: the file or a frame is missing.
        FormatError: the file is damaged; the message names the video and the frame.
    """
    path = next((folder / name for name in FILES if (folder / name).exists()), None)
    if path is None:
        raise InputError(f"{folder}: no {FILES[0]}; put the toolkit's code folder next to the videos")
    fit: Frames = []
    test: Frames = []
    for number, video in enumerate(_videos(path), start=1):
        place, kind = f"{path}, video {number}", _text(video["type"])
        if kind not in ("train", "val", "test"):
            raise FormatError(f"{place}: type '{kind}'; expected train, val or test")
        if _text(video["source"]) == SOURCE and kind != "val":
            (fit if kind == "train" else test).extend(_annotated(video, kind, number, len(protocol.landmarks), place))
    frames = [*fit, *test]
    table = AnnotationTable(
        path=path,
        images=[image for image, _, _ in frames],
        landmarks=protocol.landmarks,
        points_px=np.array([joints for _, joints, _ in frames]).reshape(-1, len(protocol.landmarks), 2),
        lines=[],
        places=[place for _, _, place in frames],
    )
    facts = SourceFacts(
        name="bbc-pose",
        folder=folder,
        lists={path.name: file_hash(path)},
        notes=("a tracker annotated the fitting images, people annotated the test images",),
    )
    rows = np.arange(len(frames))
    return assemble(table, protocol, facts, fit=rows[: len(fit)], test=rows[len(fit) :])


def _videos(path: Path) -> list[Any]:
    content = read_mat(path)
    videos = np.atleast_1d(np.squeeze(content.get(VARIABLE, np.empty(0))))
    names = videos.dtype.names or ()
    missing = [field for field in FIELDS if field not in names]
    if missing:
        raise FormatError(f"{path}: no struct array {VARIABLE} with the field {missing[0]}; expected the toolkit's file")
    return list(videos)


def _text(value: Any) -> str:
    return str(np.squeeze(value)) if np.size(value) else ""


def _annotated(video: Any, kind: str, number: int, joints: int, place: str) -> Frames:
    numbers = np.ravel(video[f"{kind}_frames"])
    points = np.asarray(video[f"{kind}_joints"], np.float64)
    points = points[..., None] if points.ndim == 2 else points
    if points.shape != (2, joints, len(numbers)):
        raise FormatError(f"{place}: {kind}_joints of {points.shape}; expected {(2, joints, len(numbers))}")
    places = [f"{place}, frame {int(frame)}" for frame in numbers]
    bad = ~np.isfinite(points).all(axis=(0, 1))
    if bad.any():
        raise FormatError(f"{places[int(np.argmax(bad))]}: a joint is not finite; expected pixels")
    moved = np.moveaxis(points, 2, 0).transpose(0, 2, 1) - FIRST
    return [(f"{number}/{int(frame)}.jpg", xy, where) for frame, xy, where in zip(numbers, moved, places, strict=True)]
