"""Predictions of image files, with the results in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from kpdetect.inference.config import PredictConfig
from kpdetect.inference.image_job import predict_into
from kpdetect.inference.predictions import Predictions
from kpdetect.inference.predictor import Box, Predictor


def predict_images(
    predictor: Predictor,
    paths: Sequence[Path],
    root: Path,
    out: Path,
    config: PredictConfig,
    boxes: Mapping[str, Box] | None = None,
) -> tuple[Predictions, dict[str, str]]:
    """Predict image files, and read the results: the predictions, and why images were skipped."""
    outcome = predict_into(predictor, paths, root, out, config, boxes)
    return Predictions.read(out), outcome.skipped
