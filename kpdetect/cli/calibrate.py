"""`kpdetect calibrate`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from kpdetect.cli import options


def command(
    model: Annotated[
        Path, typer.Argument(help="A trained detector: project folder, run folder, weights file or shipped name.")
    ],
    pairs: Annotated[Path, typer.Argument(help="Folder of shards from the generator that the detector was trained on.")],
    out: Annotated[
        Path, typer.Option("--out", "-o", help="Folder for a copy of the model with the new calibration. MODEL stays as it is.")
    ],
    device: options.DeviceOption = options.Device.auto,
) -> None:
    """Calibrate a detector's confidence again and measure the layout of its keypoints. The network stays as it is."""
    from kpdetect.inference.packing import pack_calibrated
    from kpdetect.inference.recalibration import DOUBTFUL

    measured = pack_calibrated(model, pairs, out, device.value)
    share, usual = measured["calibrated_on"]["found"], measured["calibration"]["usual"]
    print(f"found: {100 * share:.1f} % of the keypoints of held-out pairs; mean confidence on augmented pairs: {usual:.2f}")
    if share < DOUBTFUL:
        reason = f"the detector finds only {100 * share:.0f} % of the keypoints, so the confidence in {out} may be wrong"
        advice = "give pairs of the generator that the detector was trained on"
        print(f"warning: {pairs}: {reason}; {advice}", file=sys.stderr)
    print(f"model: {out} (reliability.png compares the confidence with the share of keypoints that are right)")
