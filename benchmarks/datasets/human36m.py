"""Human3.6M as cropped, reduced and released by Zhang et al. (2018).

    S1/WithBackground/Directions.../000123.jpg
    S1/Landmarks/Directions.../000123.mat        keypoints_2d, [32, 2]: row and column as shares of the image's sides

The regression is fitted on subjects 1, 5, 6, 7, 8, 9 and tested on subject 11. Recordings of six actions are used. We read the
row first, as in the code of AutoLink and StableKeypoints; the error does not depend on this order.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.datasets.annotation_table import AnnotationTable
from benchmarks.datasets.landmarks import LandmarkSet, SourceFacts, assemble, image_sizes, names_hash
from benchmarks.datasets.text_and_matlab import read_mat
from benchmarks.protocol.definition import Protocol
from kpdetect.errors import FormatError, InputError

FITTED, TESTED = (1, 5, 6, 7, 8, 9), (11,)
ACTIONS = ("Directions", "Discussion", "Posing", "Waiting", "Greeting", "Walking")
IMAGES, LANDMARKS, KEY = "WithBackground", "Landmarks", "keypoints_2d"


def load_human36m(folder: Path, protocol: Protocol) -> LandmarkSet:
    """Read the data set in the layout that the module's docstring shows.

    Args:
        folder: the data set.
        protocol: protocol that names the 32 joints.

    Raises:
        InputError: a folder or a file is missing.
        FormatError: a file of joints is damaged; the message names it.
    """
    fit, test = (_frames(folder, subjects) for subjects in (FITTED, TESTED))
    images = [*fit, *test]
    paths = [folder / Path(image.replace(f"/{IMAGES}/", f"/{LANDMARKS}/", 1)).with_suffix(".mat") for image in images]
    sizes = image_sizes(folder, images)
    shares = np.array([_read_joints(path, len(protocol.landmarks)) for path in paths])
    table = AnnotationTable(
        path=folder,
        images=images,
        landmarks=protocol.landmarks,
        points_px=shares[..., ::-1] * sizes[:, None, ::-1].astype(np.float64) - 0.5,
        lines=[],
        places=[str(path) for path in paths],
    )
    facts = SourceFacts(
        name="human36m",
        folder=folder,
        lists={"fit": names_hash(fit), "test": names_hash(test)},
        notes=("left and right may be exchanged in an image, also in fitting images",),
    )
    rows = np.arange(len(images))
    return assemble(table, protocol, facts, fit=rows[: len(fit)], test=rows[len(fit) :], sizes=sizes)


def _frames(folder: Path, subjects: tuple[int, ...]) -> list[str]:
    frames: list[str] = []
    for subject in subjects:
        inside = folder / f"S{subject}" / IMAGES
        recordings = sorted(path for path in inside.glob("*") if path.name.startswith(ACTIONS))
        if not recordings:
            raise InputError(f"{inside}: no recordings of {', '.join(ACTIONS)}; expected the images of Zhang et al. (2018)")
        paths = [path for recording in recordings for path in sorted(recording.glob("*.jpg"))]
        frames += [path.relative_to(folder).as_posix() for path in paths]
    return frames


def _read_joints(path: Path, joints: int) -> NDArray[np.float64]:
    content = read_mat(path)
    if KEY not in content:
        raise FormatError(f"{path}: no variable {KEY}; expected the joints of one frame")
    values = np.asarray(content[KEY], np.float64)
    if values.shape != (joints, 2) or not np.isfinite(values).all():
        raise FormatError(f"{path}: {KEY} of {values.shape}; expected {joints} finite pairs of row and column")
    return values
