"""Export a detector to a file that runs without this project: ONNX, or the format of torch.export.

The input of the exported graph is `images`, float32 RGB [batch, 3, S, S] in [-1, 1], cropped by the detector's crop policy. The
outputs are `keypoints`, float32 [batch, K, 2] normalised (x, y), and `confidence`, float32 [batch, K]. The graph computes in
float32. It also returns the keypoints that the model's labels drop, because labels apply to results, not to the network.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from kpdetect.detector.network import read_heatmaps
from kpdetect.errors import InputError
from kpdetect.files.atomic import replacing
from kpdetect.images.arrays import Image
from kpdetect.images.image_files import list_images, readable
from kpdetect.inference.onnx_graph import onnx_model, prepared
from kpdetect.inference.predictor import Predictor

Graph = Callable[[NDArray[np.float32]], tuple[NDArray[np.float32], NDArray[np.float32]]]
"""A function from images to keypoints and confidence."""
RANDOM = 5
"""Number of random images in a comparison. It differs from the number of images in the exporter's example."""


NOTICED = 0.01
"""Only a confidence at least this far above the lowest value of the calibration counts as a test of the calibration."""


@dataclass(frozen=True, kw_only=True)
class Parity:
    """The differences between an exported graph and its detector.

    Attributes:
        images: description of the images that were compared.
        keypoints: largest difference of a coordinate, in normalised coordinates.
        confidence: largest difference of a confidence.
        exercised: whether the detector's confidence rises above the lowest value of its calibration on any of the images.
    """

    images: str
    keypoints: float
    confidence: float
    exercised: bool = True

    def line(self, side: int) -> str:
        """Describe the differences in one line. `side` is the side of the square image in pixels."""
        pixels = self.keypoints * side / 2
        text = f"parity on {self.images}: keypoints {self.keypoints:.1e} ({pixels:.1e} px), confidence {self.confidence:.1e}"
        return text if self.exercised else f"{text} (these images do not test the confidence: it is lowest in all of them)"


def export_onnx(predictor: Predictor, path: Path) -> Graph:
    """Write a detector as an ONNX file. Return a function that runs this file in onnxruntime.

    Raises:
        InputError: a package of the extra `onnx` is not installed.
        OutputError: the file cannot be written.
    """
    model = onnx_model(predictor.detector, predictor.calibration, predictor.side)
    import onnx
    import onnxruntime

    onnx.helper.set_model_props(model, {"kpdetect": json.dumps(facts(predictor))})
    with replacing(path) as temporary:
        temporary.write_bytes(model.SerializeToString())
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return lambda images: tuple(session.run(["keypoints", "confidence"], {"images": images}))


def export_torch(predictor: Predictor, path: Path) -> Graph:
    """Write a detector as a file for `torch.export.load`. Return a function that runs this file.

    Raises:
        InputError: the name does not end in .pt2.
        OutputError: the file cannot be written.
    """
    _require_ending(path)
    graph, example, shapes = prepared(predictor.detector, predictor.calibration, predictor.side)
    program = torch.export.export(graph, (example,), dynamic_shapes=shapes)
    with replacing(path) as temporary, open(temporary, "wb") as file, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch warns about weights that share memory, which it handles
        torch.export.save(program, file, extra_files={"kpdetect.json": json.dumps(facts(predictor))})
    module = torch.export.load(path).module()

    def run(images: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        with torch.inference_mode():
            keypoints, confidence = module(torch.from_numpy(images))
        return keypoints.numpy(), confidence.numpy()

    return run


def facts(predictor: Predictor) -> dict[str, Any]:
    """Describe the graph for its users: side, crop policy, names of the keypoints, and hash of the weights."""
    names = predictor.labels.skeleton_names(predictor.keypoints)
    return {"side": predictor.side, "crop": predictor.crop, "keypoints": names, "weights": predictor.hash}


def check_parity(predictor: Predictor, graph: Graph, images: Sequence[Image] = ()) -> list[Parity]:
    """Compare an exported graph with the detector, in float32, on random and on real images.

    Args:
        predictor: the detector.
        graph: from `export_onnx` or `export_torch`.
        images: real images, uint8 RGB of any sizes.

    Returns:
        The differences on random images, then those on the real images if `images` is not empty.
    """
    random = np.random.default_rng(0).uniform(-1, 1, (RANDOM, 3, predictor.side, predictor.side)).astype(np.float32)
    parities = [_compare(predictor, graph, random, f"{RANDOM} random images")]
    if images:
        squares = np.stack([predictor.fit(image).square for image in images]).transpose(0, 3, 1, 2)
        values = np.ascontiguousarray(squares.astype(np.float32) / 127.5 - 1)
        parities.append(_compare(predictor, graph, values, f"{len(images)} real images"))
    return parities


REAL = 16
"""Largest number of real images on which an exported file is compared with the detector."""


@dataclass(frozen=True, kw_only=True)
class ExportResult:
    """A file of `kpdetect.export`.

    Attributes:
        path: the file.
        side: side in pixels of the square images that the exported detector takes.
        parity: the differences between the exported detector and the original one.
    """

    path: Path
    side: int
    parity: list[Parity]


def _require_ending(path: Path) -> None:
    if path.suffix != ".pt2":  # torch.export.load would refuse it
        raise InputError(f"`torch={path}`: expected a file name that ends in .pt2")


def export_detector(
    model: Path | str, *, onnx: Path | str | None = None, torch: Path | str | None = None, images: Path | str | None = None
) -> list[ExportResult]:
    """Write a detector as files that run without this project, and compare each file with the detector.

    Args:
        model: project folder, detector run folder, weights file, or name of a model that comes with the package.
        onnx: the ONNX file to write; needs the extra `onnx`.
        torch: the file of torch.export to write; its name ends in .pt2.
        images: folder of real images. Its first 16 images are used in the comparison, besides random images.

    Returns:
        The files written, ONNX first.

    Raises:
        InputError: no file is requested, a package is missing, a name does not end in .pt2, or `images` holds no image.
        CheckpointError: there is no detector at `model`.
        OutputError: a file cannot be written.
    """
    if onnx is None and torch is None:
        raise InputError("export: there is nothing to write; give `onnx=FILE` or `torch=FILE`")
    if torch is not None:
        _require_ending(Path(torch))  # before the ONNX file is written
    predictor = Predictor.load(Path(model), "cpu")
    real = [] if images is None else [image for _, image in readable(list_images(Path(images))[:REAL])]
    written = []
    for path, write in ((onnx, export_onnx), (torch, export_torch)):
        if path is not None:
            graph = write(predictor, Path(path))
            written.append(ExportResult(path=Path(path), side=predictor.side, parity=check_parity(predictor, graph, real)))
    return written


@torch.inference_mode()
def _compare(predictor: Predictor, graph: Graph, images: NDArray[np.float32], title: str) -> Parity:
    keypoints, mass = read_heatmaps(predictor.detector.cpu()(torch.from_numpy(images)))
    expected = (keypoints.numpy(), predictor.calibration(mass.numpy()))
    differences = [np.abs(one - other).max() for one, other in zip(expected, graph(images), strict=True)]
    exercised = bool((expected[1] > predictor.calibration.probability[0] + NOTICED).any())
    return Parity(images=title, keypoints=float(differences[0]), confidence=float(differences[1]), exercised=exercised)
