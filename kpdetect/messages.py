"""Messages of the library: the logger `kpdetect`, which is silent until a program adds a handler.

The command line shows warnings and information on standard error. A Python program sees them with
`logging.basicConfig(level=logging.INFO)`.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Sequence


class _Writable(logging.Filter):
    """A filter that writes undecodable bytes of file names as \\xe9, so that every stream and file can hold the message."""

    def filter(self, record: logging.LogRecord) -> bool:
        text = re.sub("[\udc80-\udcff]", lambda byte: f"\\x{ord(byte[0]) & 0xFF:02x}", record.getMessage())
        record.msg, record.args = text.encode("utf-8", "backslashreplace").decode("utf-8"), ()
        return True


log = logging.getLogger("kpdetect")
log.addFilter(_Writable())
log.addHandler(logging.NullHandler())
log.setLevel(logging.INFO)
log.propagate = True

SHOWN = 5
"""Largest number of reasons in a warning about several inputs."""


def warn_of_skipped(subject: str, reasons: Sequence[str], what: str = "skipped") -> None:
    """Warn that inputs were skipped, and give the first `SHOWN` reasons. `what` names another outcome than "skipped"."""
    lines = [f"{what} {len(reasons)} {subject}:", *(f"  {reason}" for reason in reasons[:SHOWN])]
    if len(reasons) > SHOWN:
        lines.append(f"  and {len(reasons) - SHOWN} more")
    log.warning("\n".join(lines))


def say(lines: Iterable[tuple[int, str]]) -> None:
    """Log lines, each at its level."""
    for level, line in lines:
        log.log(level, line)
