"""`kpdetect calibrate`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from kpdetect.cli import options


def command(
    model: Annotated[Path, typer.Argument(help="A trained detector: project, run folder, weights or a name.")],
    pairs: Annotated[Path, typer.Argument(help="Folder of shards of the kind that it was trained on.")],
    out: Annotated[
        Path, typer.Option("--out", "-o", help="Folder for a copy of the model that knows; the model stays as it is.")
    ],
    device: options.DeviceOption = options.Device.auto,
) -> None:
    """Measure a detector's confidence anew, and how its keypoints lie; its network stays as it is."""
    from kpdetect.inference.packing import pack_calibrated
    from kpdetect.inference.recalibration import DOUBTFUL

    measured = pack_calibrated(model, pairs, out, device.value)
    share, usual = measured["calibrated_on"]["found"], measured["calibration"]["usual"]
    print(f"found: {100 * share:.1f} % of the keypoints of held-out pairs; mean confidence in them, varied: {usual:.2f}")
    if share < DOUBTFUL:
        told = (
            f"warning: {pairs}: only {100 * share:.0f} % of the keypoints are found, so {out} may be wrong about its confidence"
        )
        print(f"{told}; give pairs of the generator that the detector was trained on", file=sys.stderr)
    print(f"model: {out} (reliability.png: how well it keeps its word)")
