"""Find keypoints in images that nobody has labelled.

    kpdetect.load("runs/faces")(image)  ->  keypoints_px, confidence

Importing this package loads nothing heavy. Reading order, from the ground up:
    errors      every error that a user can cause
    coords      pixels and normalised coordinates
    files/      files on disk, written whole and read with bounds
    images/     images as files and as pixels
    config      configurations: checked models, one YAML, `--set a.b=c`
    heatmaps    keypoints to heatmaps and back
    pairs       image-keypoint pairs, the contract between generator and detector
    skeleton    names, links and left-right partners of keypoints
    draw        pictures of keypoints
    shipped     trained models that come with the package
    messages, progress, console
                what the library says, how far it is, and how a terminal shows both
    training/   what every training uses
    data/       folders of images, folders of pairs
    detector/   an image in, heatmaps of keypoints out
    refinement/ learning from real images
    inference/  using a trained detector
    toy/        cartoon faces with exact keypoints
    project/    `kpdetect run`; on top of `benchmarks` and `generator`
    studio/     a local page to look, edit, name, review and compare
    cli/        the commands
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kpdetect.inference.predictor import Predictor
    from kpdetect.training.runtime import EngineName

__version__ = "0.1.0"


def load(path: str | Path, device: str = "auto", engine: EngineName = "auto") -> Predictor:
    """A trained detector as a function from images to keypoints.

    Args:
        path: project folder, detector run folder, weights file, or name of a model that comes with the package.
        device: "auto", "cpu" or "cuda".
        engine: what computes the network: "auto", "torch", "onnx", or "plain", the network as benchmarks measure it.

    Returns:
        A callable: image (uint8 RGB [height, width, 3], or a path, or a list of either) to `keypoints_px` float32 [K, 2] in
        the image's pixels and `confidence` float32 [K] in [0, 1]; for a list, both with a leading axis.

    Raises:
        CheckpointError: no detector there, or a damaged one.
    """
    from kpdetect.inference.predictor import Predictor

    return Predictor.load(Path(path), device, engine=engine)
