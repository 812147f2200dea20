"""The progress of a project as a small file, which other processes can read."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from kpdetect.errors import OutputError
from kpdetect.files.atomic import replacing
from kpdetect.progress import Status, listening

NOTE = "progress.json"
"""Name of the progress file in the project's folder. It exists while the project runs."""
NOTE_SECONDS = 2.0
"""Seconds between two updates of the progress file."""


@contextmanager
def noted_in(folder: Path, **entries: Any) -> Iterator[None]:
    """Write the progress of all work in the `with` block to the file `NOTE` in a folder, with further entries.

    The work does not fail if the file cannot be written. The file is removed when the work ends or fails. If the process is
    killed, the file stays.
    """
    note = _Note(folder / NOTE, entries)
    note.write({})
    try:
        with listening(note):
            yield
    finally:
        with suppress(OSError):
            note.path.unlink(missing_ok=True)


class _Note:
    def __init__(self, path: Path, entries: dict[str, Any]) -> None:
        self.path, self.entries, self.last = path, entries, float("-inf")

    def __call__(self, status: Status) -> None:
        if status.ended or time.monotonic() - self.last >= NOTE_SECONDS:
            self.last = time.monotonic()
            left = None if status.remaining is None else round(status.remaining)
            rate = round(status.rate, 2)
            self.write({"unit": status.unit, "done": status.done, "total": status.total, "rate": rate, "seconds_left": left})

    def write(self, values: dict[str, Any]) -> None:
        text = json.dumps({**self.entries, **values, "time": round(time.time(), 1)})
        with suppress(OutputError), replacing(self.path, durable=False) as temporary:
            temporary.write_text(text + "\n", encoding="utf-8")
