"""Speed of `predict` on files: the engine `torch` against the engine `plain`, which decodes every file whole.

The engines take turns in one run, on small JPEG files and on photographs of 12 megapixels, without and with overlays.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from benchmarks.speed.paired_timing import Contest, Setting
from kpdetect.images.image_files import list_images, write_image
from kpdetect.inference.config import PredictConfig
from kpdetect.inference.image_job import predict_into
from kpdetect.inference.predictor import Predictor
from kpdetect.toy.render import render
from kpdetect.toy.scene import sample_scene

MODEL = Path("faces-128")
SMALL = (109, 89)
"""(height, width) of small images."""
FOLDERS = {"small JPEG files": (SMALL, 128), "photographs of 12 megapixels": ((3000, 4000), 8)}
"""For each folder, (height, width) of its files in pixels, and their number."""
NOISE = 4
"""Standard deviation of a camera's noise, in levels."""


def contests(setting: Setting) -> Iterator[Contest]:
    """Yield two contests for each of `FOLDERS`: without overlays, and with all overlays."""
    fast = Predictor.load(MODEL, setting.runtime.device.type, engine="torch")
    plain = Predictor.load(MODEL, setting.runtime.device.type, engine="plain")
    for name, (size, count) in FOLDERS.items():
        number = max(2, count // 4) if setting.quick else count
        with tempfile.TemporaryDirectory() as folder:
            draw_photographs(Path(folder), size, number)
            for overlays, drawn in ((0, ""), (-1, ", with overlays")):
                yield Contest(
                    name=f"predict, {name}{drawn}",
                    work=partial(predicted, fast, Path(folder), overlays),
                    amount=number,
                    unit="images",
                    base="the engine plain",
                    base_work=partial(predicted, plain, Path(folder), overlays),
                    base_amount=number,
                )


def draw_photographs(folder: Path, size: tuple[int, int], count: int) -> None:
    """Write `count` cartoon faces with noise, of `size` (height, width), as JPEG files."""
    noise = np.random.default_rng(0).normal(0, NOISE, (*size, 3)).astype(np.int16)
    for number in range(count):
        face = cv2.resize(render(sample_scene(0, number), 96).image, size[::-1], interpolation=cv2.INTER_CUBIC)
        write_image(folder / f"{number:03d}.jpg", (face + noise).clip(0, 255).astype(np.uint8))


def predicted(predictor: Predictor, folder: Path, overlays: int) -> None:
    """Predict the images of a folder and draw overlays of some of them (-1: of all)."""
    with tempfile.TemporaryDirectory() as out:
        predict_into(predictor, list_images(folder), folder, Path(out), PredictConfig(overlays=overlays, overwrite=True))
