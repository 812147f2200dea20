"""Find keypoints in images that nobody has labelled.

    kpdetect.load("runs/faces")(image)  ->  keypoints_px, confidence

Reading order: coords, images, pairs (the contract), data/, detector/, inference/, cli/. Importing this package loads nothing
heavy.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kpdetect.inference.predictor import Predictor

__version__ = "0.1.0"


def load(path: str | Path, device: str = "auto") -> Predictor:
    """A trained detector as a function from images to keypoints.

    Args:
        path: project folder, detector run folder, weights file, or name of a model that comes with the package.
        device: "auto", "cpu" or "cuda".

    Returns:
        A callable: image (uint8 RGB [height, width, 3], or a path, or a list of either) to `keypoints_px` float32 [K, 2] in
        the image's pixels and `confidence` float32 [K] in [0, 1]; for a list, both with a leading axis.

    Raises:
        CheckpointError: no detector there, or a damaged one.
    """
    from kpdetect.inference.predictor import Predictor

    return Predictor.load(Path(path), device)
