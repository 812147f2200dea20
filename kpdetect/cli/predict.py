"""`kpdetect predict`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from kpdetect.cli import options
from kpdetect.messages import warn_of_skipped

Inputs = Annotated[
    list[str],
    typer.Argument(
        metavar="INPUT...",
        help="Images, folders, videos, tar, HDF5 or Parquet files of images, file patterns in quotes, or webcam:0. "
        "Several inputs may be mixed.",
    ),
]
Formats = Annotated[
    str,
    typer.Option(
        "--format",
        help="Formats to write in addition to predictions.csv, separated by commas: dlc-csv, dlc-h5, coco, sleap, yolo, "
        "label-studio, parquet.",
    ),
]
Overlays = Annotated[
    int,
    typer.Option(
        help="Number of overlays to write: copies of images with their keypoints drawn. -1: all images. 0: none. "
        "For each video one overlay video is written, unless the number is 0."
    ),
]
MinConfidence = Annotated[
    float,
    typer.Option(
        min=0,
        max=1,
        help="Mark keypoints below this confidence as missing, in every format except predictions.csv.",
    ),
]
MaxSide = Annotated[int, typer.Option(min=32, help="Longest side of the overlays in pixels. Larger images are reduced.")]
Stride = Annotated[int, typer.Option(min=1, help="Use only every Nth frame of a video.")]
Start = Annotated[int, typer.Option(min=0, help="Number of the first video frame to use. Frames are counted from 0.")]
End = Annotated[
    int | None, typer.Option(min=1, help="Stop before the video frame of this number. (default: use all frames to the end)")
]
Trail = Annotated[
    int,
    typer.Option(
        min=0, help="In the overlay of a video, also show the keypoints of this many earlier frames, as a fading trail."
    ),
]
H264 = Annotated[bool, typer.Option("--h264", help="Write the overlays of videos as H.264, which every browser plays.")]
Smooth = Annotated[bool, typer.Option("--smooth", help="Smooth the keypoints of videos over time with a one-euro filter.")]
SmoothCutoff = Annotated[
    float,
    typer.Option(help="With --smooth: cut-off frequency in hertz for keypoints that do not move. Lower values smooth more."),
]
SmoothBeta = Annotated[
    float,
    typer.Option(
        min=0,
        help="With --smooth: increase of the cut-off frequency in hertz, for a keypoint speed of one image side per second. "
        "Higher values lag less behind fast motion.",
    ),
]
TwoPass = Annotated[
    bool, typer.Option("--two-pass", help="Find the keypoints, crop the image around them, and find them again in the crop.")
]
Margin = Annotated[
    float | None,
    typer.Option(
        min=0,
        help="With --two-pass: border of the crop, as a fraction of the longer side of the keypoints' bounding box. "
        "(default: as in training if the weights record it, else 0.4)",
    ),
]
Scales = Annotated[
    str,
    typer.Option(
        help="Predict on squares of these relative sizes around the same centre, and average the keypoints. Example: 1,0.9,0.8."
    ),
]
FlipAverage = Annotated[
    bool, typer.Option("--flip-average", help="Predict on the image and on its mirror image, and average the keypoints.")
]
Boxes = Annotated[
    Path | None,
    typer.Option(
        "--crop-boxes",
        metavar="FILE",
        help="CSV file with the columns image,left,top,width,height in pixels. Keypoints are sought inside the box. "
        "Images without a row are used whole.",
    ),
]
Overwrite = Annotated[
    bool,
    typer.Option(
        "--overwrite", help="Predict all inputs again, also those that already have predictions of this model in the folder."
    ),
]


def command(
    ctx: typer.Context,
    model: options.Detector,
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
    precision: options.PrecisionOption = options.Precision.auto,
    device: options.DeviceOption = options.Device.auto,
) -> None:
    """Find keypoints in images and videos.

    The results are a table, predictions.csv, in pixels of the original images, and overlays with the keypoints drawn.
    Under torchrun each process takes some of the images and videos.
    """
    from kpdetect.config import build_config
    from kpdetect.errors import InputError
    from kpdetect.inference.config import PredictConfig
    from kpdetect.inference.prediction_job import predict_inputs
    from kpdetect.training.processes import Peers

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
