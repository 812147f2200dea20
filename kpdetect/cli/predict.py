"""`kpdetect predict`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from kpdetect.cli import options
from kpdetect.messages import warn_of_skipped


def command(
    ctx: typer.Context,
    model: Annotated[Path, typer.Argument(help="A trained detector: project folder, run folder or weights file.")],
    inputs: Annotated[
        list[str], typer.Argument(metavar="INPUT...", help="Images, folders, videos, quoted patterns, webcam:0; any mix.")
    ],
    out: options.Out,
    formats: Annotated[
        str, typer.Option("--format", help="Also for other tools: dlc-csv,dlc-h5,coco,sleap,yolo,label-studio (commas).")
    ] = "csv",
    overlays: Annotated[int, typer.Option(help="Overlays of images, spread over them; -1 for all; 0: no video either.")] = 200,
    min_confidence: Annotated[float, typer.Option(min=0, max=1, help="Less counts as missing, save in the long CSV.")] = 0.0,
    max_side: Annotated[int, typer.Option(min=32, help="Largest longer side of overlays in pixels.")] = 1920,
    stride: Annotated[int, typer.Option(min=1, help="Use every Nth frame of a video.")] = 1,
    start: Annotated[int, typer.Option(min=0, help="First frame of a video.")] = 0,
    end: Annotated[int | None, typer.Option(min=1, help="Frame before which a video ends.")] = None,
    trail: Annotated[int, typer.Option(min=0, help="Frames of fading trail in an overlay video.")] = 10,
    h264: Annotated[bool, typer.Option("--h264", help="Write overlay videos as H.264, which every browser plays.")] = False,
    smooth: Annotated[bool, typer.Option("--smooth", help="Smooth videos over time (one-euro filter).")] = False,
    smooth_cutoff: Annotated[float, typer.Option(help="Hertz at rest; less is smoother.")] = 1.0,
    smooth_beta: Annotated[float, typer.Option(min=0, help="Hertz per image side and second; more lags less.")] = 20.0,
    two_pass: Annotated[bool, typer.Option("--two-pass", help="Predict, crop to the keypoints, predict again.")] = False,
    margin: Annotated[
        float | None,
        typer.Option(
            min=0,
            help="Border of that crop, a share of the keypoints' box; default: as in training if the weights say it, else 0.4.",
        ),
    ] = None,
    scales: Annotated[str, typer.Option(help="Average over squares of these relative sizes (commas): 1,0.9,0.8.")] = "1",
    flip_average: Annotated[bool, typer.Option("--flip-average", help="Average with the mirror image.")] = False,
    boxes: Annotated[
        Path | None,
        typer.Option("--crop-boxes", metavar="FILE", help="CSV image,left,top,width,height: predict inside these boxes."),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Predict again what this model predicted already.")] = False,
    strict: options.Strict = False,
    device: options.DeviceOption = options.Device.auto,
) -> None:
    """Write keypoints of images and videos as a table (original pixels), and overlays."""
    from kpdetect.config import build_config
    from kpdetect.errors import InputError
    from kpdetect.inference.config import PredictConfig
    from kpdetect.inference.prediction_job import predict_inputs

    values = {name: ctx.params[name] for name in PredictConfig.model_fields if name not in ("formats", "scales")}
    values["formats"] = tuple(name.strip() for name in formats.split(",") if name.strip())
    values["scales"] = _scales(scales)
    config = build_config(PredictConfig, values, source="predict")
    summary = predict_inputs(model, inputs, out, config, device.value)
    if summary.images:
        print(f"predictions: {out / 'predictions.csv'} ({summary.images:,} images)")
        if overlays:
            print(f"overlays: {out / 'overlays'}")
    for folder, frames in summary.clips:
        print(f"video: {folder} ({frames:,} frames)")
    if summary.doubtful:
        total = summary.images + sum(frames for _, frames in summary.clips)
        told = f"warning: in {summary.doubtful:,} of {total:,} images or frames the model is less than half as sure as usual"
        print(f"{told}; do they show what it was trained on, framed likewise?", file=sys.stderr)
    if summary.skipped:
        warn_of_skipped(f"inputs, listed in {out / 'skipped.csv'}", list(summary.skipped.values()))
    if summary.refused:
        raise InputError("; ".join(summary.refused))


def _scales(text: str) -> tuple[float, ...]:
    from kpdetect.errors import InputError

    try:
        return tuple(float(number) for number in text.split(","))
    except ValueError as error:
        raise InputError(f"--scales {text}: expected numbers separated by commas, such as 1,0.9,0.8") from error
