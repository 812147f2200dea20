"""A picture of how well confidence keeps its word."""

from __future__ import annotations

import io
from pathlib import Path

from kpdetect.detector.calibration import Reliability
from kpdetect.files import replacing


def write_reliability_plot(before: Reliability, after: Reliability, path: Path) -> None:
    """Said against true probability, before and after calibration; on the dotted diagonal they agree.

    Raises:
        OutputError: the file cannot be written.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.5, 4.2), layout="constrained")
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1], ":", color="0.5")
    for table, name, style in ((before, "heatmap mass", "s--"), (after, "calibrated", "o-")):
        axes.plot(
            table.said, table.true, style, label=f"{name}: error {table.error:.3f}", color="0.55" if table is before else "0.0"
        )
    axes.set(
        xlabel="confidence", ylabel="share of keypoints found", xlim=(0, 1), ylim=(0, 1.02), title="Held-out pairs and decoys"
    )
    axes.legend(loc="upper left")
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=120)
    with replacing(path) as temporary:
        temporary.write_bytes(content.getvalue())
