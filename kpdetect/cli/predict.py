"""`kpdetect predict`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from kpdetect.cli import options
from kpdetect.messages import warn_of_skipped

Model = Annotated[Path, typer.Argument(help="A trained detector: project folder, run folder or weights file.")]
Inputs = Annotated[
    list[str], typer.Argument(metavar="INPUT...", help="Images, folders, videos, quoted patterns or webcam:0, in any mix.")
]
Formats = Annotated[
    str,
    typer.Option(
        "--format",
        help="Also write these formats, separated by commas: dlc-csv,dlc-h5,coco,sleap,yolo,label-studio,parquet.",
    ),
]
Overlays = Annotated[
    int,
    typer.Option(
        help="Number of images to draw the keypoints on; -1 for all. With 0, no overlays of images or videos are written."
    ),
]
MinConfidence = Annotated[
    float,
    typer.Option(
        min=0,
        max=1,
        help="Keypoints below this confidence count as missing in every format except predictions.csv.",
    ),
]
MaxSide = Annotated[int, typer.Option(min=32, help="Longest side of overlays, in pixels.")]
Stride = Annotated[int, typer.Option(min=1, help="Use every Nth frame of a video.")]
Start = Annotated[int, typer.Option(min=0, help="Number of the first frame to use; videos start with 0.")]
End = Annotated[int | None, typer.Option(min=1, help="Number of the frame to stop before. (default: the last frame)")]
Trail = Annotated[
    int, typer.Option(min=0, help="Number of earlier frames whose keypoints an overlay video shows as a fading trail.")
]
H264 = Annotated[bool, typer.Option("--h264", help="Write overlay videos as H.264, which every browser plays.")]
Smooth = Annotated[bool, typer.Option("--smooth", help="Smooth the keypoints of videos over time with a one-euro filter.")]
SmoothCutoff = Annotated[
    float, typer.Option(help="Cut-off frequency of the filter at rest, in hertz. Lower values smooth more.")
]
SmoothBeta = Annotated[
    float,
    typer.Option(min=0, help="Rise of the cut-off with speed, in hertz per image side and second. Higher values lag less."),
]
TwoPass = Annotated[
    bool, typer.Option("--two-pass", help="Predict, crop the image to the keypoints, and predict again on the crop.")
]
Margin = Annotated[
    float | None,
    typer.Option(
        min=0,
        help="Border of the crop of --two-pass, as a share of the longer side of the keypoints' bounding box. "
        "(default: as in training if the weights record it, else 0.4)",
    ),
]
Scales = Annotated[
    str,
    typer.Option(help="Average the predictions on squares of these relative sizes, separated by commas: 1,0.9,0.8."),
]
FlipAverage = Annotated[
    bool, typer.Option("--flip-average", help="Average the predictions on the image and on its mirror image.")
]
Boxes = Annotated[
    Path | None,
    typer.Option(
        "--crop-boxes",
        metavar="FILE",
        help="CSV file image,left,top,width,height. Images are predicted inside their box; others whole.",
    ),
]
Overwrite = Annotated[
    bool, typer.Option("--overwrite", help="Predict again, also inputs that this model has already predicted.")
]


def command(
    ctx: typer.Context,
    model: Model,
    inputs: Inputs,
    out: options.Out,
    formats: Formats = "csv",
    overlays: Overlays = 200,
    min_confidence: MinConfidence = 0.0,
    max_side: MaxSide = 1920,
    stride: Stride = 1,
    start: Start = 0,
    end: End = None,
    trail: Trail = 10,
    h264: H264 = False,
    smooth: Smooth = False,
    smooth_cutoff: SmoothCutoff = 1.0,
    smooth_beta: SmoothBeta = 20.0,
    two_pass: TwoPass = False,
    margin: Margin = None,
    scales: Scales = "1",
    flip_average: FlipAverage = False,
    boxes: Boxes = None,
    overwrite: Overwrite = False,
    strict: options.Strict = False,
    engine: options.EngineOption = options.Engine.auto,
    device: options.DeviceOption = options.Device.auto,
) -> None:
    """Detect keypoints in images and videos. Writes a table in pixels of the original images, and overlays.

    Under torchrun each process predicts a part of the images and some of the videos.
    """
    from kpdetect.config import build_config
    from kpdetect.errors import InputError
    from kpdetect.inference.config import PredictConfig
    from kpdetect.inference.prediction_job import predict_inputs
    from kpdetect.training.peers import Peers

    values = {name: ctx.params[name] for name in PredictConfig.model_fields if name not in ("formats", "scales")}
    values["formats"] = tuple(name.strip() for name in formats.split(",") if name.strip())
    values["scales"] = _scales(scales)
    config = build_config(PredictConfig, values, source="predict")
    result = predict_inputs(model, inputs, out, config, device.value, peers=Peers.here())
    if result.images:
        print(f"predictions: {out / 'predictions.csv'} ({result.images:,} images)")
        if overlays:
            some = f" ({overlays:,} of them; --overlays -1 draws all)" if 0 < overlays < result.images else ""
            print(f"overlays: {out / 'overlays'}{some}")
    for folder, frames in result.clips:
        print(f"video: {folder} ({frames:,} frames)")
    if result.doubtful:
        total = result.images + sum(frames for _, frames in result.clips)
        doubt = f"in {result.doubtful:,} of {total:,} images or frames the confidence is less than half of the usual one"
        advice = "check that they show the same kind of object as the training images, at the same size in the image"
        print(f"warning: {doubt}; {advice}", file=sys.stderr)
    listed = f"inputs, listed in {out / 'skipped.csv'}"
    for what, names in (("skipped", result.skipped.keys() - result.gaps), ("predicted with gaps:", result.gaps)):
        if names:
            warn_of_skipped(listed, [reason for name, reason in result.skipped.items() if name in names], what)
    if result.refused:
        raise InputError("; ".join(result.refused))


def _scales(text: str) -> tuple[float, ...]:
    from kpdetect.errors import InputError

    try:
        return tuple(float(number) for number in text.split(","))
    except ValueError as error:
        raise InputError(f"--scales {text}: expected numbers separated by commas, such as 1,0.9,0.8") from error
