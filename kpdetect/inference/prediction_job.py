"""Predict all inputs of a command: the images together, each video separately. Write the requested formats and a summary."""

from __future__ import annotations

import csv
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from kpdetect.errors import InputError
from kpdetect.files.atomic import replacing
from kpdetect.files.folders import new_folder
from kpdetect.files.names import below, to_cell
from kpdetect.inference.boxes import read_boxes
from kpdetect.inference.config import PredictConfig
from kpdetect.inference.earlier_results import OVERLAYS
from kpdetect.inference.formats.choice import write_formats
from kpdetect.inference.formats.yolo import FOLDER as YOLO
from kpdetect.inference.image_job import predict_into
from kpdetect.inference.parts_table import NoneReadableError, Outcome
from kpdetect.inference.predictions import VIDEOS, Predictions
from kpdetect.inference.predictions_folder import PredictedFolder
from kpdetect.inference.predictor import Box, Predictor
from kpdetect.inference.sources import Clip, Sources, find_sources
from kpdetect.inference.video_job import predict_clip
from kpdetect.progress import Listener, listening
from kpdetect.training.processes import ALONE, Peers
from kpdetect.training.runtime import DeviceName

if TYPE_CHECKING:
    import pandas as pd

SKIPPED = "skipped.csv"
IMAGES = ""
"""The name of the images among the parts of a result."""


@dataclass
class PredictResult:
    """The result of `kpdetect.predict`.

    Attributes:
        path: folder of the results.
        folders: the written predictions of the images, under the name "", and of every video, under its name.
        doubtful: number of images and frames whose mean confidence is below half of the detector's usual mean confidence.
        skipped: why inputs could not be read, or not to their end, by their paths relative to the common folder of all inputs.
        gaps: the names in `skipped` that have predictions all the same: videos that lack some frames or the overlay video.
        refused: why requested formats could not be written. The other formats are written.
        wrong: why the images together, or single videos, have no predictions.
    """

    path: Path
    folders: dict[str, PredictedFolder] = field(default_factory=dict)
    doubtful: int = 0
    skipped: dict[str, str] = field(default_factory=dict)
    gaps: set[str] = field(default_factory=set)
    refused: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    def add(self, other: PredictResult) -> None:
        """Add the results of further inputs."""
        self.folders |= other.folders
        self.doubtful += other.doubtful
        self.skipped |= other.skipped
        self.gaps |= other.gaps
        self.refused += [reason for reason in other.refused if reason not in self.refused]
        self.wrong += other.wrong

    @property
    def images(self) -> int:
        """Number of predicted images."""
        return self.folders[IMAGES].count if IMAGES in self.folders else 0

    @property
    def clips(self) -> list[tuple[Path, int]]:
        """Folder and number of frames of every predicted video."""
        return [(folder.path, folder.count) for name, folder in self.folders.items() if name != IMAGES]

    @property
    def parts(self) -> dict[str, Predictions]:
        """The predictions of the images, under the name "", and of every video, under its name.

        Predictions of more than `KEPT` (100,000) images or frames are read from their folder when they are first used.
        """
        return {name: folder.predictions for name, folder in self.folders.items()}

    @property
    def videos(self) -> dict[str, Predictions]:
        """The predictions of every video, by the name of its folder in `path`/videos."""
        return {name: predictions for name, predictions in self.parts.items() if name != IMAGES}

    @property
    def predictions(self) -> Predictions:
        """The predictions of the images, or of the video if the only input is a video.

        Raises:
            InputError: there are images and a video, or several videos; use `parts` or `to_pandas`.
        """
        if len(self.folders) != 1:
            names = ", ".join(name or "images" for name in self.folders)
            raise InputError(
                f"{self.path}: there are several predictions ({names}); take them from `parts`, or call to_pandas()"
            )
        return next(iter(self.folders.values())).predictions

    def to_pandas(self) -> pd.DataFrame:
        """Make one table of all keypoints, see `Predictions.to_pandas`. With videos, its first column is `video`."""
        import pandas as pd

        tables = []
        for name, predictions in self.parts.items():
            table = predictions.to_pandas()
            if name != IMAGES:
                table.insert(0, "video", name)
            tables.append(table)
        return pd.concat(tables, ignore_index=True)


def predict_inputs(
    model: Path | str,
    inputs: Path | str | Sequence[Path | str],
    out: Path | str,
    config: PredictConfig | None = None,
    device: DeviceName = "auto",
    *,
    progress: Listener | None = None,
    peers: Peers = ALONE,
) -> PredictResult:
    """Predict keypoints in files, folders, glob patterns and webcams.

    Args:
        model: project folder, detector run folder, weights file, or name of a model that comes with the package.
        inputs: one input or several, see `kpdetect.inference.sources`.
        out: folder of the results. Each video has a folder `out`/videos/NAME.
        config: settings of the prediction, and of the files that it writes.
        device: `auto`, `cpu` or `cuda`.
        progress: function that is called with the progress of the work.
        peers: processes that make this call together. The first one returns all results, the others return none.

    Raises:
        InputError: an input does not exist, nothing is readable, or, under `strict`, an input or a format is refused.
        CheckpointError: there is no detector at `model`.
        OutputError: `out` cannot be written.
    """
    model, out, config = Path(model), Path(out), config or PredictConfig()
    several = [inputs] if isinstance(inputs, str | Path) else inputs
    with listening(progress):
        predictor = Predictor.load(model, device, engine=config.engine, precision=config.precision)
        if peers.world > 1:
            predictor.chooses = False  # all processes use the same engine
        sources = find_sources([str(text) for text in several], out)
        _require_apart(sources, out)
        if config.strict and sources.skipped:
            raise InputError(next(iter(sources.skipped.values())))
        job = _Job(predictor, sources, out, config, _boxes(config, sources), peers)
        with new_folder(out):
            return job.run()


class _Job:
    """The predictions of one command. `result` holds the results so far."""

    def __init__(
        self,
        predictor: Predictor,
        sources: Sources,
        out: Path,
        config: PredictConfig,
        boxes: dict[str, Box],
        peers: Peers,
    ) -> None:
        self.predictor, self.sources, self.out, self.config, self.boxes = predictor, sources, out, config, boxes
        self.peers, self.result = peers, PredictResult(out, skipped=dict(sources.skipped))

    def run(self) -> PredictResult:
        """Predict the images, then the videos. Each process takes a part of them, and the first one has all results."""
        if self.sources.images:
            self._predict_images()
        clips = self.sources.clips
        done = self.peers.gathered([self._predict_clip(clip) for clip in self.peers.share(clips)])
        if not self.peers.is_main:
            return PredictResult(self.out)
        for number in range(len(clips)):
            self.result.add(done[number % self.peers.world][number // self.peers.world])
        if self.result.wrong and not self.result.folders:
            raise InputError(self.result.wrong[0])
        for folder in self.result.folders.values():
            folder.keep()
        _write_skipped(self.out / SKIPPED, self.result.skipped)
        return self.result

    def _predict_images(self) -> None:
        sources = self.sources
        try:
            outcome = predict_into(self.predictor, sources.images, sources.root, self.out, self.config, self.boxes, self.peers)
        except NoneReadableError as error:
            if self.config.strict or not sources.clips:
                raise
            self.result.add(PredictResult(self.out, skipped=error.skipped, wrong=[str(error)]))
            return
        if self.peers.is_main:
            self.result.add(self._finished(IMAGES, self.out, outcome))
            self.result.skipped |= outcome.skipped

    def _predict_clip(self, clip: Clip) -> PredictResult:
        folder, name = below(self.out / VIDEOS, clip.name), self.sources.clip_file(clip)
        try:
            predictions, note = predict_clip(self.predictor, clip, folder, self.config, self.boxes)
        except InputError as error:
            if self.config.strict:
                raise
            return PredictResult(self.out, skipped={name: str(error)}, wrong=[str(error)])
        outcome = Outcome()
        outcome.add(predictions.confidence, self.predictor.calibration.usual)
        result = self._finished(clip.name, folder, outcome)
        if note:
            result.skipped[name] = note
            result.gaps.add(name)
            if self.config.strict:
                raise InputError(note)
        return result

    def _finished(self, name: str, folder: Path, outcome: Outcome) -> PredictResult:
        """Write the requested formats. If one format cannot be written, write the others."""
        predictions = PredictedFolder(folder, outcome.count)
        result = PredictResult(self.out, {name: predictions}, outcome.doubtful)
        refused = None if self.config.strict else result.refused
        write_formats(predictions, self.config.formats, folder, self.config.min_confidence, refused)
        return result


def _require_apart(sources: Sources, out: Path) -> None:
    """Check that no result would overwrite an input."""
    places = [Path(os.path.realpath(out / name)) for name in (OVERLAYS, VIDEOS, YOLO)]
    real = cache(os.path.realpath)
    for path in chain(sources.images, (clip.source for clip in sources.clips if isinstance(clip.source, Path))):
        target = Path(os.path.realpath(path) if os.path.islink(path) else real(path.parent))
        if any(target.is_relative_to(place) for place in places):
            raise InputError(f"{path}: this input lies in a folder of results of `out={out}`; give another `out`")


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
