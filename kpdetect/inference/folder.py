"""Predict everything in a folder: a table, a record, and overlays to look at."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from kpdetect.draw import draw_keypoints
from kpdetect.errors import InputError
from kpdetect.files import make_folder, read_json
from kpdetect.images import Image, list_images, read_image, write_image
from kpdetect.inference.predictions import RECORD, Predictions
from kpdetect.inference.predictor import BATCH, Predictor
from kpdetect.progress import Progress
from kpdetect.runlog import environment

OVERLAYS = 200
"""Overlays written unless asked for otherwise: enough to look through."""


def predict_folder(
    model: Path,
    source: Path,
    out: Path,
    *,
    device: str = "auto",
    overlays: int = OVERLAYS,
    strict: bool = False,
    overwrite: bool = False,
) -> Predictions:
    """Predict one image or all images of a folder.

    Args:
        model: project folder, detector run folder or weights file.
        source: an image, or a folder that is searched recursively.
        out: gets predictions.csv, predictions.json and overlays/.
        device: where to compute.
        overlays: how many overlays to write, evenly spread over the images; negative for all.
        strict: stop at an unreadable image instead of skipping it.
        overwrite: predict again what was predicted already with the same model.

    Raises:
        InputError: no images, or none readable, or an unreadable one under `strict`.
        CheckpointError: no detector at `model`.
        OutputError: `out` cannot be written.
    """
    predictor = Predictor.load(model, device)
    root, paths = (source.parent, [source]) if source.is_file() else (source, list_images(source))
    make_folder(out)
    stage = {"model": predictor.hash, "source": str(root.resolve()), "asked": len(paths), "overlays": overlays}
    if not overwrite and _is_finished(out, stage):
        print(f"{out}: predicted already with this model (--overwrite predicts again)", file=sys.stderr)
        return Predictions.read(out)
    predictions, skipped = _predict(predictor, paths, root, strict, _overlay_numbers(len(paths), overlays), out / "overlays")
    record = {"crop": predictor.crop, "skipped": dict(skipped), "environment": environment()}
    predictions.write(out, {**stage, **record})
    if skipped:
        print(
            f"warning: skipped {len(skipped)} unreadable images, listed in {out / RECORD}; the first: {skipped[0][1]}",
            file=sys.stderr,
        )
    return predictions


def _is_finished(out: Path, stage: dict[str, Any]) -> bool:
    if not (out / RECORD).exists():
        return False
    record = read_json(out / RECORD)
    return all(record.get(key) == value for key, value in stage.items())


def _overlay_numbers(count: int, overlays: int) -> set[int]:
    if overlays < 0 or overlays >= count:
        return set(range(count))
    return set(np.linspace(0, count - 1, overlays).round().astype(int).tolist())


def _predict(
    predictor: Predictor, paths: list[Path], root: Path, strict: bool, drawn: set[int], overlays: Path
) -> tuple[Predictions, list[tuple[str, str]]]:
    names: list[str] = []
    sizes: list[tuple[int, int]] = []
    found = []
    skipped: list[tuple[str, str]] = []
    with Progress(len(paths), "predict") as progress:
        for block in _blocks(paths):
            readable: list[tuple[int, Image]] = []
            for number, outcome in block:
                if isinstance(outcome, InputError):
                    if strict:
                        raise outcome
                    skipped.append((paths[number].relative_to(root).as_posix(), str(outcome)))
                else:
                    readable.append((number, outcome))
            progress.update(len(block))
            if not readable:
                continue
            keypoints_px, confidence = predictor.predict_batch([image for _, image in readable])
            found.append((keypoints_px, confidence))
            for (number, image), points, sure in zip(readable, keypoints_px, confidence, strict=True):
                name = paths[number].relative_to(root)
                names.append(name.as_posix())
                sizes.append(image.shape[:2])
                if number in drawn:
                    write_image(overlays / name.with_suffix(".png"), draw_keypoints(image, points, sure))
    if not names:
        raise InputError(f"{root}: none of {len(paths)} images can be read; the first: {skipped[0][1]}")
    keypoints_all, confidence_all = (np.concatenate(part) for part in zip(*found, strict=True))
    sizes_all = np.array(sizes, dtype=np.int64)
    return Predictions(images=names, keypoints_px=keypoints_all, confidence=confidence_all, sizes=sizes_all), skipped


def _blocks(paths: list[Path]) -> Iterator[list[tuple[int, Image | InputError]]]:
    """Decoded images with their numbers, one network batch at a time; the next block is read while this one is used."""
    numbers: Iterable[int] = iter(range(len(paths)))
    with ThreadPoolExecutor(2) as pool:
        ahead = [(number, pool.submit(_read, paths[number])) for number in islice(numbers, BATCH)]
        while ahead:
            current, ahead = ahead, [(number, pool.submit(_read, paths[number])) for number in islice(numbers, BATCH)]
            yield [(number, future.result()) for number, future in current]


def _read(path: Path) -> Image | InputError:
    try:
        return read_image(path)
    except InputError as error:
        return error
