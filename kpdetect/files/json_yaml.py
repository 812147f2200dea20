"""Parse JSON and YAML from unknown sources, within limits of size, depth and YAML aliases."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from kpdetect.errors import FormatError, KpdetectError
from kpdetect.files.reading import reading

LARGEST_JSON = 1 << 30
"""Largest size of a JSON file in bytes. The annotations of a million images are smaller."""
LARGEST_YAML = 200_000
"""Largest number of characters of a YAML text. The longest configuration has 20,000."""
DEEPEST = 64
"""Largest depth to which lists and mappings may be nested. The files of this project have fewer than ten levels."""
MOST_ALIASES = 10
"""Largest number of aliases (`*name`) in a YAML text. Ten aliases can enlarge a text at most e^(10/e) = 40 times."""
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


class _BoundedLoader(yaml.SafeLoader):
    """PyYAML's safe loader, with limits on depth and aliases."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.open: list[str | None] = []
        self.aliases = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        """Check the limits, then compose the node as PyYAML's safe loader does."""
        event: Any = self.peek_event()  # type: ignore[no-untyped-call]
        if isinstance(event, yaml.AliasEvent):
            self.aliases += 1
            if self.aliases > MOST_ALIASES:
                raise yaml.YAMLError(f"more than {MOST_ALIASES} aliases (*name); write the values out")
            if event.anchor in self.open:
                raise yaml.YAMLError(f"the alias *{event.anchor} lies inside its own value")
        if len(self.open) >= DEEPEST:
            raise yaml.YAMLError(f"nested more than {DEEPEST} deep")
        self.open.append(None if isinstance(event, yaml.AliasEvent) else getattr(event, "anchor", None))
        try:
            return super().compose_node(parent, index)
        finally:
            self.open.pop()


def parse_yaml(text: str) -> Any:
    """Parse a YAML text of plain scalars, lists and mappings.

    Raises:
        Exception: an invalid text raises many types, such as YAMLError, or ValueError for an impossible date. Callers wrap the
            call in `kpdetect.files.reading.reading`, which turns them into one error that names the file.
    """
    if len(text) > LARGEST_YAML:
        raise ValueError(f"got {len(text):,} characters, expected at most {LARGEST_YAML:,}")
    loader = _BoundedLoader(text)
    try:
        return loader.get_single_data()
    finally:
        loader.dispose()  # type: ignore[no-untyped-call]
