"""skipped.csv: the images that could not be read, with the reasons."""

from __future__ import annotations

import csv
from pathlib import Path

from kpdetect.files.atomic import replacing
from kpdetect.files.names import shown, to_cell
from kpdetect.messages import warn_of_skipped


def write_skipped(out: Path, skipped: list[tuple[str, str]]) -> None:
    """Write the names and reasons, and log a warning. If no image was skipped, remove the list of an earlier call."""
    if not skipped:
        (out / "skipped.csv").unlink(missing_ok=True)
        return
    with replacing(out / "skipped.csv") as temporary, open(temporary, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("image", "reason"))
        writer.writerows((to_cell(name), to_cell(shown(reason))) for name, reason in skipped)
    warn_of_skipped(f"unreadable images, listed in {out / 'skipped.csv'}", [reason for _, reason in skipped])
