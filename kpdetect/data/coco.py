"""Write pairs of an image and its keypoints as a COCO keypoints data set: `images/*.jpg` and `annotations.json`.

Coordinates are in pixels, and integers are pixel centres. The visibility is that of COCO: 2 for a visible keypoint, 1 for one
that is hidden inside the image, and 0 (with x = y = 0) for one outside the image.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kpdetect.coords import Size, to_pixels
from kpdetect.data.derived_files import derived
from kpdetect.data.shard_folder import ShardFolder
from kpdetect.files.atomic import flush_disks, replacing, write_json
from kpdetect.files.folders import make_folder
from kpdetect.progress import Progress

ANNOTATIONS = "annotations.json"


def write_coco(folder: ShardFolder, out: Path) -> Path:
    """Write every pair of a folder of shards. The annotations are written last, so they exist only if all images do.

    Images that an earlier call wrote for the same pairs are kept. Images that it wrote for other pairs are removed.

    Returns:
        The path of the annotations file.


    Raises:
        OutputError: `out` cannot be written, or a file exists in its place that no earlier call wrote.
    """
    make_folder(out)
    names = [f"images/{index:08d}.jpg" for index in range(len(folder))]
    with derived(out, "coco", folder.hash, [*names, ANNOTATIONS]) as kept:
        if len(kept) <= len(names):
            annotations = _write_images(folder, out, names, kept)
            flush_disks()
            write_json(out / ANNOTATIONS, _content(folder, names, annotations))
    return out / ANNOTATIONS


def _write_images(folder: ShardFolder, out: Path, names: list[str], kept: set[str]) -> list[dict[str, Any]]:
    """Write the images that are not in `kept`. Return the annotations of all images."""
    annotations: list[dict[str, Any]] = []
    with Progress(len(folder), "write COCO", unit="pairs") as progress:
        for index, name in enumerate(names):
            data, keypoints, visible = folder.read_jpeg(index)
            if name not in kept:
                with replacing(out / name, durable=False) as temporary:
                    temporary.write_bytes(data)
            annotations.append(annotation(index, keypoints, visible, folder.facts.size))
            progress.update(1)
    return annotations


def _content(folder: ShardFolder, names: list[str], annotations: list[dict[str, Any]]) -> dict[str, Any]:
    """Make the content of the annotations file."""
    height, width = folder.facts.size
    category = {
        "id": 1,
        "name": "object",
        "keypoints": [str(number) for number in range(folder.facts.keypoints)],
        "skeleton": [],
    }
    return {
        "info": {"description": "kpdetect pairs", "provenance": folder.facts.provenance},
        "images": [
            {"id": index, "file_name": Path(name).name, "height": height, "width": width} for index, name in enumerate(names)
        ],
        "annotations": annotations,
        "categories": [category],
    }


def annotation(index: int, keypoints: NDArray[np.float32], visible: NDArray[np.bool_], size: Size) -> dict[str, Any]:
    """Make an entry of COCO's `annotations` from keypoints [K, 2] (normalised) and their visibility [K]."""
    points_px = to_pixels(keypoints.astype(np.float64), size)
    inside = (np.abs(keypoints) <= 1).all(axis=1)
    flags = np.where(inside, np.where(visible, 2, 1), 0)
    points_px[~inside] = 0
    triples = np.concatenate([points_px.round(3), flags[:, None]], axis=1)
    kept = points_px[inside] if inside.any() else np.zeros((1, 2))
    (left, top), (right, bottom) = kept.min(axis=0), kept.max(axis=0)
    box = [float(left), float(top), float(right - left), float(bottom - top)]
    return {
        "id": index + 1,
        "image_id": index,
        "category_id": 1,
        "keypoints": [int(value) if number % 3 == 2 else float(value) for number, value in enumerate(triples.ravel())],
        "num_keypoints": int(inside.sum()),
        "bbox": box,
        "area": box[2] * box[3],
        "iscrowd": 0,
    }
