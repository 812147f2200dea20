"""YOLO pose: `yolo/labels/NAME.txt`, one line `class cx cy w h  x y v  x y v ...` per image, and `yolo/data.yaml`.

Coordinates are shares of the image's width and height, measured at pixel edges: (x_px + 0.5) / W. v is 2, or 0 if a keypoint is
missing or outside the image. A confidence cannot stand in place of v, because some readers read v as an integer. So the
confidences are in files of their own, `yolo/confidence/NAME.txt`, one line per image.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kpdetect.errors import InputError
from kpdetect.files.atomic import write_text
from kpdetect.files.names import below
from kpdetect.inference.formats.coco import CATEGORY, inside
from kpdetect.inference.predictions import Predictions

FOLDER, DATA = "yolo", "data.yaml"


def write_yolo(predictions: Predictions, min_confidence: float, folder: Path) -> Path:
    """Write the folder yolo/.

    Raises:
        InputError: the names of two images differ only in their ending. YOLO has one label file for both.
    """
    names = _labels(predictions)
    name, count = Counter(names).most_common(1)[0]
    if count > 1:
        raise InputError(f"`formats=yolo`: {count} images share the label file {name}; rename them, or choose another format")
    shown = inside(predictions, min_confidence)
    shares = (predictions.keypoints_px + 0.5) / predictions.sizes[:, None, ::-1]
    for row, label in enumerate(names):
        sure = " ".join(f"{value:.4f}" for value in predictions.confidence[row])
        write_text(below(folder / FOLDER / "confidence", label), sure + "\n")
        write_text(below(folder / FOLDER / "labels", label), _line(shares[row], shown[row]))
    _write_data(predictions, folder / FOLDER / DATA)
    return folder / FOLDER


def files_of(predictions: Predictions) -> list[str]:
    """List the names of all files that `write_yolo` writes, relative to its folder."""
    labels = [f"{FOLDER}/{kind}/{label}" for kind in ("labels", "confidence") for label in _labels(predictions)]
    return [*labels, f"{FOLDER}/{DATA}"]


def _labels(predictions: Predictions) -> list[str]:
    return [Path(image).with_suffix(".txt").as_posix() for image in predictions.images]


def _line(shares: NDArray[np.floating], shown: NDArray[np.bool_]) -> str:
    if not shown.any():
        return ""  # YOLO reads an empty file as an image without objects
    low, high = shares[shown].min(axis=0), shares[shown].max(axis=0)
    parts = ["0", *(f"{value:.6f}" for value in (*((low + high) / 2), *(high - low)))]
    parts += [f"{x:.6f} {y:.6f} 2" if there else "0 0 0" for (x, y), there in zip(shares, shown, strict=True)]
    return " ".join(parts) + "\n"


def _write_data(predictions: Predictions, path: Path) -> None:
    import yaml

    points = predictions.points
    value = {
        "names": {0: CATEGORY},
        "kpt_shape": [len(points.names), 3],
        "flip_idx": points.mirror().tolist(),
        "kpt_names": {0: list(points.names)},
    }
    write_text(path, yaml.safe_dump(value, sort_keys=False, allow_unicode=True))
