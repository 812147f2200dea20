"""Files of a project that another command replaces while the studio is open."""

from __future__ import annotations

import json
from pathlib import Path

from kpdetect.inference.prediction_record import RECORD


def replace_predictions(folder: Path, **changes: object) -> None:
    """Write another record of predictions. Images that `sizes` does not list are left out of the table, too."""
    record = json.loads((folder / RECORD).read_text()) | changes
    head, *lines = (folder / "predictions.csv").read_text().splitlines()
    kept = [line for line in lines if line.split(",")[0] in record["sizes"]]
    (folder / "predictions.csv").write_text("\n".join([head, *kept]) + "\n")
    (folder / RECORD).write_text(json.dumps(record))
