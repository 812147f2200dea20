"""The studio's Name page: a model's keypoints on a dozen images, and its labels, which are saved as `kpdetect label` does."""

from __future__ import annotations

from pathlib import Path
from threading import Lock
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from starlette.responses import Response

from generator.editing.editor import Editor
from generator.editing.tiles import plain_tiles
from kpdetect.config import StrictConfig, read_config, write_config
from kpdetect.data.even_spacing import evenly_spaced
from kpdetect.draw import keypoint_colour
from kpdetect.errors import CheckpointError, InputError
from kpdetect.files.hashes import file_hash
from kpdetect.images.arrays import Image, fit_image
from kpdetect.images.image_files import list_images, readable
from kpdetect.inference.labelling import require_own
from kpdetect.inference.labels import LABELS, Labels, read_labels
from kpdetect.inference.predictor import Predictor
from kpdetect.shipped import is_shipped
from kpdetect.studio.documents import file_version, require_version
from kpdetect.studio.request import Call, ConflictError
from kpdetect.studio.workplace import Workplace
from kpdetect.training.checkpoints import find_weights, read_detector_description

SHOWN, SIDE = 12, 384
"""Number of images on the page, and the side in pixels of each."""
_Tiles = tuple[list[Image], NDArray[np.float32], NDArray[np.float32], str]
"""The images, keypoints [images, K, 2] in their pixels, confidence [images, K], and a text that names the images' origin."""


class SavedLabels(StrictConfig):
    """Labels that the page sends for saving."""

    model: str
    """Text that names the model, as commands take it."""
    weights: str
    """Hash of the weights whose keypoints the page showed."""
    version: str
    """Version of the labels that the page read."""
    names: dict[int, str]
    """Names of keypoints, by their numbers."""
    pairs: tuple[tuple[int, int], ...]
    """Pairs of keypoints that are mirror images of each other."""
    links: tuple[tuple[int, int], ...]
    """Pairs of keypoints that are joined by a line in drawings."""
    drop: tuple[int, ...]
    """Numbers of keypoints that are left out of results."""


class NameRoom:
    """Answers the requests of the Name page: shows a detector's keypoints and saves its labels."""

    def __init__(self, workplace: Workplace) -> None:
        self.workplace, self.lock = workplace, Lock()
        self.shown: dict[str, tuple[str, _Tiles]] = {}  # with the hash of the weights that predicted the keypoints

    def describe(self, call: Call) -> dict[str, Any]:
        """Return the names, pairs and links of a model's keypoints, and the positions of the keypoints on the page's images."""
        model = call.query.get("model", "")
        weights = find_weights(self.workplace.model(model), "detector")
        count = read_detector_description(weights).keypoints
        path = weights.parent / LABELS
        version, labels, digest = file_version(path), read_labels(weights, count), file_hash(weights)
        with self.lock:
            tiles, points, confidence, source = self._tiles(model, digest)
        return {
            "keypoints": count,
            "weights": digest,
            "labels": labels.model_dump(mode="json"),
            "version": version,
            "stale": bool(labels.weights) and not labels.are_of(digest),
            "file": str(path),
            "fixed": is_shipped(weights),
            "side": SIDE,
            "points": points.round(2).tolist(),
            "confidence": confidence.round(3).tolist(),
            "images": len(tiles),
            "source": source,
            "colours": ["#" + "".join(f"{part:02x}" for part in keypoint_colour(number)) for number in range(count)],
        }

    def image(self, call: Call) -> Response:
        """Return one of the images, cropped as the model sees it."""
        number, model = int(call.path["number"]), call.query.get("model", "")
        digest = file_hash(find_weights(self.workplace.model(model), "detector"))
        with self.lock:
            tiles = self._tiles(model, digest)[0]
        if number >= len(tiles):
            raise InputError(f"image {number}: there are {len(tiles)}")
        encoded = cv2.imencode(".jpg", np.ascontiguousarray(tiles[number][..., ::-1]))[1]
        return Response(encoded.tobytes(), media_type="image/jpeg")

    def save(self, call: Call) -> dict[str, Any]:
        """Check the labels as `kpdetect label` does, and save them."""
        saved = call.body(SavedLabels)
        weights = find_weights(self.workplace.model(saved.model), "detector")
        path = weights.parent / LABELS
        if saved.weights != file_hash(weights):
            what = f"{weights} was replaced since this page showed its keypoints, and a number may mean another place now"
            raise ConflictError(f"{what}; nothing was saved. Reload the page, and name the keypoints that it shows")
        named = {number: name.strip() for number, name in saved.names.items() if name.strip()}
        labels = Labels(names=named, pairs=saved.pairs, links=saved.links, drop=saved.drop, weights=saved.weights)
        labels.require(read_detector_description(weights).keypoints, "labels")
        require_own(weights)
        with self.lock:
            require_version(path.name, saved.version, file_version(path))
            write_config(labels, path)
            read_config(Labels, path)
            return {"version": file_version(path), "file": str(path)}

    def _tiles(self, model: str, weights: str) -> _Tiles:
        """Return the images of the page and the keypoints on them of a model whose weights have this hash.

        The hash was computed before. If the weights are replaced meanwhile, a save with it is refused.
        """
        known, shown = self.shown.get(model, ("", None))
        if shown is None or known != weights:
            path = self.workplace.model(model)
            predictor = Predictor.load(path)
            tiles, source = self._images(path, predictor)
            points, confidence = predictor(tiles)
            shown = (tiles, points, confidence, source)
            self.shown[model] = (weights, shown)
        return shown

    def _images(self, model: Path, predictor: Predictor) -> tuple[list[Image], str]:
        """Choose a dozen images, spread over the images that are known. If none are, the model's generator draws them."""
        folder = self.workplace.images
        if folder is not None and model == self.workplace.target:
            paths = list_images(folder)
            chosen = evenly_spaced(len(paths), SHOWN)
            inside = [self.workplace.inside(paths[index]) for index in chosen]
            tiles = [fit_image(image, SIDE, predictor.crop)[0] for _, image in readable(inside)]
            if not tiles:
                raise InputError(f"{folder}: none of {len(inside)} images can be read")
            return tiles, f"images of {folder}"
        try:
            editor = Editor.load(model)
        except CheckpointError:
            raise InputError("no images to show keypoints on; start the studio with --images FOLDER") from None
        drawn = [plain_tiles(editor.draw(editor.sample(number)))[0] for number in range(SHOWN)]
        return [fit_image(tile, SIDE, "stretch")[0] for tile in drawn], "pictures that its generator draws"
