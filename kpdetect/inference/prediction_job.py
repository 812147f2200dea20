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
from kpdetect.inference.sources import Clip, Sources, find_sources
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
    predictor, sources = Predictor.load(model, device, engine=config.engine), find_sources(inputs, out)
    _require_apart(sources, out)
    if config.strict and sources.skipped:
        raise InputError(next(iter(sources.skipped.values())))
    job = _Job(predictor, sources, out, config, _boxes(config, sources))
    with new_folder(out):
        return job.run()


class _Job:
    """Everything that one command predicts; `summary` says what it has done so far."""

    def __init__(self, predictor: Predictor, sources: Sources, out: Path, config: PredictConfig, boxes: dict[str, Box]) -> None:
        self.predictor, self.sources, self.out, self.config, self.boxes = predictor, sources, out, config, boxes
        self.summary = Summary(skipped=dict(sources.skipped))
        self.wrong: list[InputError] = []

    def run(self) -> Summary:
        """Predict the images, then each video."""
        if self.sources.images:
            self._predict_images()
        for clip in self.sources.clips:
            self._predict_clip(clip)
        if self.wrong and not self.summary.images and not self.summary.clips:
            raise self.wrong[0]
        _write_skipped(self.out / SKIPPED, self.summary.skipped)
        return self.summary

    def _predict_images(self) -> None:
        sources = self.sources
        try:
            predictions, skipped = predict_images(
                self.predictor, sources.images, sources.root, self.out, self.config, self.boxes
            )
        except NoneReadableError as error:
            if self.config.strict or not sources.clips:
                raise
            self.wrong.append(error)
            self.summary.skipped.update(error.skipped)
            return
        self.summary.images = len(predictions.images)
        self.summary.skipped.update(skipped)
        self._finish(predictions, self.out)

    def _predict_clip(self, clip: Clip) -> None:
        folder, name = below(self.out / VIDEOS, clip.name), self.sources.clip_file(clip)
        try:
            predictions, note = predict_clip(self.predictor, clip, folder, self.config, self.boxes)
        except InputError as error:
            self.wrong.append(error)
            self.summary.skipped[name] = str(error)
            if self.config.strict:
                raise
            return
        self.summary.clips.append((folder, len(predictions.images)))
        self._finish(predictions, folder)
        if note:
            self.summary.skipped[name] = note
            if self.config.strict:
                raise InputError(note)

    def _finish(self, predictions: Predictions, folder: Path) -> None:
        """Count doubtful images and write the formats, each for itself: what one tool's format cannot hold, another's can."""
        usual = self.predictor.calibration.usual
        if usual is not None:
            self.summary.doubtful += int((predictions.confidence.mean(axis=1) < usual / 2).sum())
        for name in self.config.formats:
            try:
                write_formats(predictions, [name], folder, self.config.min_confidence)
            except InputError as error:
                if self.config.strict:
                    raise
                if str(error) not in self.summary.refused:
                    self.summary.refused.append(str(error))


def _require_apart(sources: Sources, out: Path) -> None:
    """Refuse inputs that a result could be written over."""
    places = [Path(os.path.realpath(out / name)) for name in (OVERLAYS, VIDEOS, YOLO)]
    for path in [*sources.images, *(clip.source for clip in sources.clips if isinstance(clip.source, Path))]:
        if any(Path(os.path.realpath(path)).is_relative_to(place) for place in places):
            raise InputError(f"{path}: lies where --out {out} gets its results; give another --out")


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
