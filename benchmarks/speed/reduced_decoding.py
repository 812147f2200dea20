"""Movement of keypoints by reduced decoding: `python -m benchmarks.speed reduced`.

`predict` decodes large JPEG files at a half, a quarter or an eighth of their size. The table shows how far the keypoints move
compared with an image that is decoded whole, on average. It also shows how far they move if the image of the network is only
not rounded to 8 bits. No way of decoding can be expected to move them less.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.speed.generator import speed_markdown
from benchmarks.speed.prediction import MODEL, draw_photographs
from benchmarks.speed.timing import Report
from kpdetect.detector.network import read_heatmaps
from kpdetect.images.arrays import cut_region, fit_box
from kpdetect.images.decoding import opened
from kpdetect.images.image_files import image_size, list_images, read_image
from kpdetect.images.reduced import FACTORS, MARGIN, factor_for, read_reduced
from kpdetect.inference.predictor import Predictor

SIZE = (3000, 4000)
UNROUNDED = 0
"""Key of the movement without rounding to 8 bits, among the factors of reduction."""


@dataclass(frozen=True, kw_only=True)
class Moves:
    """How far keypoints move on average, in pixels.

    Attributes:
        network: by factor of reduction, in pixels of the image that the network sees.
        photograph: the same in pixels of the photograph.
        chosen: the factor that `predict` chooses.
    """

    network: dict[int, float]
    photograph: dict[int, float]
    chosen: int


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this part to its parser."""
    parser.add_argument("--model", type=Path, default=MODEL, help="detector (%(default)s)")
    parser.add_argument("--count", type=int, default=8, help="photographs of 12 megapixels (%(default)s)")


def run(options: argparse.Namespace, report: Report) -> dict[str, Any]:
    """Report the table, and return its rows JSON-ready."""
    predictor = Predictor.load(options.model, "cpu", precision="float32")
    with tempfile.TemporaryDirectory() as folder:
        draw_photographs(Path(folder), SIZE, options.count)
        moves = measured_moves(predictor, list_images(Path(folder)))
    rows = []
    for factor, distance in moves.network.items():
        what = "decoded whole, not rounded to 8 bits" if factor == UNROUNDED else f"decoded at 1/{factor}"
        row = {"network's image, px": f"{distance:.4f}", "photograph, px": f"{moves.photograph[factor]:.3f}"}
        rows.append({"compared with decoded whole": what + (" (predict)" if factor == moves.chosen else ""), **row})
    report(speed_markdown(rows))
    return {"rows": rows}


def measured_moves(predictor: Predictor, paths: Sequence[Path]) -> Moves:
    """Measure how far keypoints of JPEG photographs of one size move, by the way of decoding."""
    size, side = image_size(paths[0]), predictor.side
    box = fit_box(size, predictor.crop)
    whole = np.stack([_unrounded(read_image(path), box, side) for path in paths])
    squares: dict[int, NDArray[Any]] = {UNROUNDED: whole}
    for factor in sorted(FACTORS):
        squares[factor] = np.stack([_decoded(path, factor, box, side) for path in paths])
    reference = _keypoints(predictor, np.rint(whole))
    network = {
        factor: float(np.linalg.norm(_keypoints(predictor, seen) - reference, axis=-1).mean()) * side / 2
        for factor, seen in squares.items()
    }
    scale = min(box[2:]) / side
    photograph = {factor: distance * scale for factor, distance in network.items()}
    return Moves(network=network, photograph=photograph, chosen=factor_for(box[2:], MARGIN * side))


def _unrounded(image: NDArray[np.uint8], box: tuple[float, ...], side: int) -> NDArray[np.float32]:
    left, top, width, height = map(round, box)
    part = cut_region(image, (left, top, width, height)).astype(np.float32)
    return np.asarray(cv2.resize(part, (side, side), interpolation=cv2.INTER_AREA), dtype=np.float32)


def _decoded(path: Path, factor: int, box: tuple[float, float, float, float], side: int) -> NDArray[np.uint8]:
    with opened(path) as picture:
        return read_reduced(picture, path, lambda size: factor).square(box, side)


@torch.inference_mode()
def _keypoints(predictor: Predictor, squares: NDArray[Any]) -> NDArray[np.float32]:
    pixels = torch.from_numpy(np.ascontiguousarray(squares.transpose(0, 3, 1, 2), dtype=np.float32))
    return read_heatmaps(predictor.detector(pixels.div_(127.5).sub_(1)))[0].numpy()
