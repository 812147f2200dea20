"""Parse JSON and YAML from unknown sources, within limits of size, depth and YAML aliases."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np

from kpdetect.errors import FormatError, KpdetectError
from kpdetect.files.reading import reading

LARGEST_JSON = 1 << 30
"""Largest size of a JSON file in bytes. The annotations of a million images are smaller."""
LARGEST_YAML = 200_000
"""Largest number of characters of a YAML text. The longest configuration has 20,000."""
DEEPEST = 64
"""Largest depth to which lists and mappings may be nested. The files of this project have fewer than ten levels."""
_STRING = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
_NO_BRACKETS = bytes(byte for byte in range(256) if byte not in b"[]{}")


def read_json_file(path: Path, refused: type[KpdetectError] = FormatError) -> Any:
    """Read a JSON file.

    Raises:
        InputError: the file is missing or cannot be read.
        KpdetectError: of the type `refused`; the file is not JSON, is too large, or is nested too deeply.
    """
    with reading(path, refused):
        if (size := path.stat().st_size) > LARGEST_JSON:
            raise ValueError(f"got {size:,} bytes, expected at most {LARGEST_JSON:,}")
        return _parsed_json(path.read_bytes())


def parse_json(text: str | bytes, source: Path | str, refused: type[KpdetectError] = FormatError) -> Any:
    """Parse a JSON text that was read from the file `source`.

    Raises:
        KpdetectError: of the type `refused`; the text is not JSON, is too large, or is nested too deeply.
    """
    with reading(source, refused):
        return _parsed_json(text.encode("utf-8") if isinstance(text, str) else text)


def _parsed_json(data: bytes) -> Any:
    text = data.decode("utf-8-sig")
    brackets = np.frombuffer(_STRING.sub(b"", data).translate(None, _NO_BRACKETS), np.uint8)
    depth = np.cumsum(np.where((brackets == ord("[")) | (brackets == ord("{")), 1, -1), dtype=np.int64)
    if depth.size and depth.max() > DEEPEST:
        raise ValueError(f"lists and objects are nested {depth.max():,} deep; expected at most {DEEPEST}")
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"not valid JSON ({error})") from error
    if b"\\u" in data:  # refuse lone surrogates, except those that stand for bytes of file names
        json.dumps(value, ensure_ascii=False).encode("utf-8", errors="surrogateescape")
    return value


def parse_yaml(text: str) -> Any:
    """Parse a YAML text of plain scalars, lists and mappings.

    Raises:
        Exception: an invalid text raises many types, such as YAMLError, or ValueError for an impossible date. Callers wrap the
            call in `kpdetect.files.reading.reading`, which turns them into one error that names the file.
    """
    if len(text) > LARGEST_YAML:
        raise ValueError(f"got {len(text):,} characters, expected at most {LARGEST_YAML:,}")
    from kpdetect.files.bounded_yaml import BoundedLoader

    loader = BoundedLoader(text, DEEPEST)
    try:
        return loader.get_single_data()
    finally:
        loader.dispose()  # type: ignore[no-untyped-call]
