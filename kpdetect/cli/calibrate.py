"""`kpdetect calibrate`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kpdetect.cli import options


def command(
    model: Annotated[Path, typer.Argument(help="A trained detector: project folder, run folder or weights file.")],
    pairs: Annotated[Path, typer.Argument(help="Folder of shards of the kind that it was trained on.")],
    device: options.DeviceOption = options.Device.auto,
) -> None:
    """Measure a detector's confidence anew, and how its keypoints lie; its network stays as it is."""
    from kpdetect.inference.recalibrate import recalibrate

    weights, count = recalibrate(model, pairs, device.value)
    print(f"calibrated on {count:,} pairs: {weights}")
