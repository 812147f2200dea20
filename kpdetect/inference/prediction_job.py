"""Predict everything a command was given: images together, each video for itself, in the formats asked for, and a summary of
what was skipped."""

from __future__ import annotations

import csv
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from kpdetect.errors import InputError
from kpdetect.files.atomic import replacing
from kpdetect.files.folders import new_folder
from kpdetect.files.names import below, to_cell
from kpdetect.inference.boxes import read_boxes
from kpdetect.inference.config import PredictConfig
from kpdetect.inference.earlier_results import OVERLAYS
from kpdetect.inference.formats.choice import write_formats
from kpdetect.inference.formats.yolo import FOLDER as YOLO
from kpdetect.inference.image_job import NoneReadableError, predict_images
from kpdetect.inference.predictions import VIDEOS, Predictions
from kpdetect.inference.predictor import Box, Predictor
from kpdetect.inference.sources import Sources, find_sources
from kpdetect.inference.video_job import predict_clip

SKIPPED = "skipped.csv"


@dataclass
class Summary:
    """What a command did.

    Attributes:
        images: images predicted.
        clips: folder and number of frames of every video predicted.
        doubtful: of these images and frames, those in which the model is less than half as sure as in its own kind of images.
        skipped: inputs that could not be read, or not to their end, by their path below the folder of all, and why.
        refused: why a format could not be written, once each; the others were.
    """

    images: int = 0
    clips: list[tuple[Path, int]] = field(default_factory=list)
    doubtful: int = 0
    skipped: dict[str, str] = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)


def predict_inputs(
    model: Path | str, inputs: Sequence[str], out: Path | str, config: PredictConfig | None = None, device: str = "auto"
) -> Summary:
    """Predict files, folders, glob patterns and webcams.

    Args:
        model: project folder, detector run folder or weights file.
        inputs: see `kpdetect.inference.sources`.
        out: images go to `out`, each video to `out`/videos/NAME.
        config: how.
        device: where to compute.

    Raises:
        InputError: an input does not exist, nothing is readable, or, under `strict`, something is not or a format is refused.
        CheckpointError: no detector at `model`.
        OutputError: `out` cannot be written.
    """
    model, out, config = Path(model), Path(out), config or PredictConfig()
    predictor, sources = Predictor.load(model, device), find_sources(inputs, out)
    _require_apart(sources, out)
    if config.strict and sources.skipped:
        raise InputError(next(iter(sources.skipped.values())))
    boxes = _boxes(config, sources)
    with new_folder(out):
        return _predict(predictor, sources, out, config, boxes)


def _predict(predictor: Predictor, sources: Sources, out: Path, config: PredictConfig, boxes: dict[str, Box]) -> Summary:
    summary, wrong = Summary(skipped=dict(sources.skipped)), list[InputError]()
    if sources.images:
        _predict_images(predictor, sources, out, config, boxes, summary, wrong)
    for clip in sources.clips:
        folder = below(out / VIDEOS, clip.name)
        try:
            predictions, note = predict_clip(predictor, clip, folder, config, boxes)
        except InputError as error:
            wrong.append(error)
            summary.skipped[sources.clip_file(clip)] = str(error)
            if config.strict:
                raise
            continue
        summary.clips.append((folder, len(predictions.images)))
        summary.doubtful += _doubtful(predictions, predictor)
        _write_formats(predictions, folder, config, summary)
        if note:
            summary.skipped[sources.clip_file(clip)] = note
            if config.strict:
                raise InputError(note)
    if wrong and not summary.images and not summary.clips:
        raise wrong[0]
    _write_skipped(out / SKIPPED, summary.skipped)
    return summary


def _require_apart(sources: Sources, out: Path) -> None:
    """Refuse inputs that a result could be written over."""
    places = [Path(os.path.realpath(out / name)) for name in (OVERLAYS, VIDEOS, YOLO)]
    for path in [*sources.images, *(clip.source for clip in sources.clips if isinstance(clip.source, Path))]:
        if any(Path(os.path.realpath(path)).is_relative_to(place) for place in places):
            raise InputError(f"{path}: lies where --out {out} gets its results; give another --out")


def _predict_images(
    predictor: Predictor,
    sources: Sources,
    out: Path,
    config: PredictConfig,
    boxes: dict[str, Box],
    summary: Summary,
    wrong: list[InputError],
) -> None:
    try:
        predictions, skipped = predict_images(predictor, sources.images, sources.root, out, config, boxes)
    except NoneReadableError as error:
        if config.strict or not sources.clips:
            raise
        wrong.append(error)
        summary.skipped.update(error.skipped)
        return
    summary.images = len(predictions.images)
    summary.doubtful += _doubtful(predictions, predictor)
    summary.skipped.update(skipped)
    _write_formats(predictions, out, config, summary)


def _doubtful(predictions: Predictions, predictor: Predictor) -> int:
    usual = predictor.calibration.usual
    return 0 if usual is None else int((predictions.confidence.mean(axis=1) < usual / 2).sum())


def _write_formats(predictions: Predictions, folder: Path, config: PredictConfig, summary: Summary) -> None:
    """Each for itself: what one tool's format cannot hold, another's can."""
    for name in config.formats:
        try:
            write_formats(predictions, [name], folder, config.min_confidence)
        except InputError as error:
            if config.strict:
                raise
            if str(error) not in summary.refused:
                summary.refused.append(str(error))


def _boxes(config: PredictConfig, sources: Sources) -> dict[str, Box]:
    if config.boxes is None:
        return {}
    return read_boxes(config.boxes, {*sources.names, *(clip.name for clip in sources.clips)})


def _write_skipped(path: Path, skipped: dict[str, str]) -> None:
    if not skipped:
        path.unlink(missing_ok=True)
        return
    with replacing(path) as temporary, open(temporary, "w", newline="", encoding="utf-8", errors="backslashreplace") as file:
        writer = csv.writer(file)
        writer.writerow(("input", "reason"))
        writer.writerows((to_cell(name), to_cell(reason)) for name, reason in skipped.items())
