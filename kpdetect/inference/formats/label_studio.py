"""Label Studio: tasks that hold the predicted keypoints, to correct by hand, and the labelling configuration of these tasks.

The task of an image that a person has already checked also holds an annotation, which is Label Studio's word for hand-made
labels.

Coordinates are percent of the image's width and height, measured at pixel edges: 100 (x_px + 0.5) / W. A task names its image
as `/data/local-files/?d=NAME`, a file in Label Studio's local storage. Set the input folder as this storage's document root.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote
from xml.sax.saxutils import quoteattr

import numpy as np

from kpdetect.draw import keypoint_colour
from kpdetect.files.atomic import write_json, write_text
from kpdetect.inference.formats.coco import inside
from kpdetect.inference.predictions import Predictions

JSON, CONFIG = "predictions-label-studio.json", "label-studio.xml"
WIDTH_PERCENT = 0.75
"""Diameter of a keypoint's dot, in percent of the image's width."""


def write_label_studio(predictions: Predictions, min_confidence: float, folder: Path) -> Path:
    """Write predictions-label-studio.json and label-studio.xml."""
    shown = inside(predictions, min_confidence)
    tasks = []
    for row, image in enumerate(predictions.images):
        results = [_result(predictions, row, index) for index in range(shown.shape[1]) if shown[row, index]]
        score = round(float(predictions.confidence[row].mean()), 4)
        prediction = {"model_version": "kpdetect", "score": score, "result": results}
        task: dict[str, Any] = {"data": {"image": f"/data/local-files/?d={quote(image)}"}, "predictions": [prediction]}
        if predictions.human is not None and predictions.human[row].any():
            checked = np.flatnonzero(shown[row] & predictions.human[row])
            task["annotations"] = [{"result": [_result(predictions, row, int(index), score=False) for index in checked]}]
        tasks.append(task)
    write_text(folder / CONFIG, _config(predictions))
    write_json(folder / JSON, tasks)
    return folder / JSON


def _result(predictions: Predictions, row: int, index: int, score: bool = True) -> dict[str, Any]:
    height, width = predictions.sizes[row].tolist()
    x, y = predictions.keypoints_px[row, index].tolist()
    confidence = {"score": round(float(predictions.confidence[row, index]), 4)} if score else {}
    return {
        "id": f"{row}-{index}",
        "from_name": "keypoints",
        "to_name": "image",
        "type": "keypointlabels",
        "original_width": width,
        "original_height": height,
        "image_rotation": 0,
        **confidence,
        "value": {
            "x": round(100 * (x + 0.5) / width, 4),
            "y": round(100 * (y + 0.5) / height, 4),
            "width": WIDTH_PERCENT,
            "keypointlabels": [predictions.points.names[index]],
        },
    }


def _hexadecimal(colour: Sequence[int]) -> str:
    return "#" + "".join(f"{part:02x}" for part in colour)


def _config(predictions: Predictions) -> str:
    points = predictions.points
    labels = [
        f'    <Label value={quoteattr(name)} model_index="{index}" background="{_hexadecimal(keypoint_colour(number))}"/>'
        for index, (number, name) in enumerate(zip(points.numbers, points.names, strict=True))
    ]  # without model_index Label Studio does not export corrected points as COCO or YOLO
    head = ["<View>", '  <Image name="image" value="$image"/>', '  <KeyPointLabels name="keypoints" toName="image">']
    return "\n".join([*head, *labels, "  </KeyPointLabels>", "</View>"]) + "\n"
