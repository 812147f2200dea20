"""DeepFashion In-shop: the images of Lorenz et al. (2019), which show all joints.

    images/MEN/..., images/WOMEN/...     In-shop's 256x256 images (or img/), or a resized copy of the whole images
    data_train.csv, data_test.csv        id,filename
    data_train.json, data_test.json      a list with an object per line of the table: keypoints (17 pairs x, y in pixels of
                                         256x256), and optionally image_path and joint_order, which are checked

The joints were detected by AlphaPose, not annotated by people.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.datasets.annotation_table import AnnotationTable, read_names
from benchmarks.datasets.landmarks import LandmarkSet, SourceFacts, assemble, image_sizes, in_copies
from benchmarks.protocol.definition import Protocol
from kpdetect.errors import FormatError, InputError
from kpdetect.files.atomic import read_json
from kpdetect.files.hashes import file_hash

PARTS, FOLDERS, SIDE = ("data_train", "data_test"), ("images", "img"), 256


def load_deepfashion(folder: Path, protocol: Protocol) -> LandmarkSet:
    """Read the data set in the layout that the module's docstring shows.

    Args:
        folder: the data set.
        protocol: protocol that names the 17 joints in the order of `joint_order`.

    Raises:
        InputError: a file or an image is missing.
        FormatError: a file is damaged; the message names the line or the entry.
    """
    images: list[str] = []
    places: list[str] = []
    points, counts = [], []
    for part in PARTS:
        names, lines = read_names(folder / f"{part}.csv", "filename", "id,filename")
        points.append(_read_joints(folder / f"{part}.json", names, protocol.landmarks))
        images += names
        places += [f"{folder / part}.csv, line {line}" for line in lines]
        counts.append(len(names))
    inside = next((folder / name for name in FOLDERS if (folder / name).is_dir()), None)
    if inside is None:
        raise InputError(f"{folder}: no folder {' or '.join(FOLDERS)}; put In-shop's images there")
    table = AnnotationTable(
        path=folder, images=images, landmarks=protocol.landmarks, points_px=np.concatenate(points), lines=[], places=places
    )
    sizes = image_sizes(inside, images)
    facts = SourceFacts(
        name="deepfashion",
        folder=inside,
        lists={f"{part}.csv": file_hash(folder / f"{part}.csv") for part in PARTS},
        notes=("the joints were detected by AlphaPose",),
    )
    rows, in_file = np.arange(len(images)), in_copies(table, np.full_like(sizes, SIDE), sizes)
    return assemble(in_file, protocol, facts, fit=rows[: counts[0]], test=rows[counts[0] :], sizes=sizes)


def _read_joints(path: Path, names: list[str], landmarks: tuple[str, ...]) -> NDArray[np.float64]:
    entries: list[dict[str, Any]] = read_json(path)
    if not isinstance(entries, list) or len(entries) != len(names):
        count = len(entries) if isinstance(entries, list) else "no list of"
        raise FormatError(f"{path}: {count} entries for {len(names)} lines of {path.stem}.csv; expected an entry per line")
    pairs = enumerate(zip(entries, names, strict=True))
    return np.array([_joints(entry, name, landmarks, f"{path}, entry {number}") for number, (entry, name) in pairs])


def _joints(entry: dict[str, Any], name: str, landmarks: tuple[str, ...], where: str) -> NDArray[np.float64]:
    try:
        points, image = np.array(entry["keypoints"], np.float64), entry.get("image_path", name)
        order = [entry["joint_order"][str(number)] for number in range(len(landmarks))] if "joint_order" in entry else landmarks
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise FormatError(f"{where}: incomplete ({error!r}); expected keypoints, image_path, joint_order") from error
    if image != name:
        raise FormatError(f"{where}: {image}, but the table has {name}; download both files of one release")
    if tuple(order) != landmarks:
        raise FormatError(f"{where}: joints {', '.join(order[:3])}, ...; expected {', '.join(landmarks[:3])}, ...")
    if points.shape != (len(landmarks), 2) or not np.isfinite(points).all():
        raise FormatError(f"{where}: keypoints of {points.shape}; expected {len(landmarks)} finite pairs x, y")
    return points
