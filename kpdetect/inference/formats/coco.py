"""COCO keypoints: one JSON file with the images, one annotation per image, and a category with names and skeleton.

`keypoints` holds three numbers per keypoint: x, y and v = 2, or 0, 0, 0 if it is missing or outside the image. Coordinates are
pixels with integers at pixel centres, as in predictions.csv. `keypoint_scores` holds the confidences, and `score` their mean.
`keypoint_human` is 1 for keypoints that a person has checked; their confidence is 1.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kpdetect.files.atomic import write_json
from kpdetect.inference.predictions import Predictions

JSON = "predictions-coco.json"
CATEGORY = "object"


def write_coco(predictions: Predictions, min_confidence: float, folder: Path) -> Path:
    """Write predictions-coco.json."""
    points = predictions.points
    category = {
        "id": 1,
        "name": CATEGORY,
        "supercategory": CATEGORY,
        "keypoints": list(points.names),
        "skeleton": [[one + 1, other + 1] for one, other in points.links],  # COCO counts from 1
    }
    images = [
        {"id": number, "file_name": name, "height": int(height), "width": int(width)}
        for number, (name, (height, width)) in enumerate(zip(predictions.images, predictions.sizes, strict=True), start=1)
    ]
    shown = inside(predictions, min_confidence)
    annotations: list[dict[str, Any]] = [
        {"id": number, "image_id": number, "category_id": 1, "iscrowd": 0, **_annotation(*item)}
        for number, item in enumerate(zip(predictions.keypoints_px, predictions.confidence, shown, strict=True), start=1)
    ]
    if predictions.human is not None:
        for annotation, checked in zip(annotations, predictions.human, strict=True):
            annotation["keypoint_human"] = [int(is_checked) for is_checked in checked]
    value = {"images": images, "annotations": annotations, "categories": [category]}
    write_json(folder / JSON, value)
    return folder / JSON


def _annotation(points_px: NDArray[np.float32], sure: NDArray[np.float32], shown: NDArray[np.bool_]) -> dict[str, Any]:
    rows = [
        [round(float(x), 3), round(float(y), 3), 2] if there else [0, 0, 0]
        for (x, y), there in zip(points_px, shown, strict=True)
    ]
    box = [0.0, 0.0, 0.0, 0.0]
    if shown.any():
        low, high = points_px[shown].min(axis=0), points_px[shown].max(axis=0)
        box = [round(float(value), 3) for value in (*low, *(high - low))]
    return {
        "keypoints": [value for row in rows for value in row],
        "num_keypoints": int(shown.sum()),
        "keypoint_scores": [round(float(value), 4) for value in sure],
        "score": round(float(sure.mean()), 4),
        "bbox": box,
        "area": round(box[2] * box[3], 3),
    }


def inside(predictions: Predictions, min_confidence: float) -> NDArray[np.bool_]:
    """Tell for each keypoint [images, K] whether it lies in its image and has at least this confidence."""
    low, high = -0.5, predictions.sizes[:, None, ::-1] - 0.5
    within = ((predictions.keypoints_px >= low) & (predictions.keypoints_px <= high)).all(axis=-1)
    return np.asarray(within & (predictions.confidence >= min_confidence))
