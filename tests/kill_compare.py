"""What a folder of results holds, by value: without times, machines and the order of keys."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Any

VOLATILE = {"time", "seconds", "rate", "minutes", "environment", "generator_minutes", "hardware", "stamp"}
"""Keys of what differs between equal runs."""

_HASH = re.compile(r"\b[0-9a-f]{16}\b|\b[0-9a-f]{64}\b")
_SHEET = re.compile(r"samples/\d+\.png$")
_NOT_TEXT = re.compile(r"data:image/\w+;base64,[\w+/=]+|\d{4}-\d\d-\d\dT[\d:+]+")
"""Of a page or a table: pictures, some of which show how fast a training was, and times."""


def snapshot(folder: Path, *, hashes: bool = True) -> dict[str, Any]:
    """Comparable content of every file below a folder, by name; hidden files too. Without `hashes`, all of those are equal."""
    found = {path.relative_to(folder).as_posix(): _content(path) for path in sorted(folder.rglob("*")) if path.is_file()}
    return found if hashes else {name: _without_hashes(content) for name, content in found.items()}


def differences(expected: dict[str, Any], found: dict[str, Any]) -> list[str]:
    """In words, what is missing, left over or different."""
    return [
        *(f"{name} is missing" for name in expected.keys() - found.keys()),
        *(f"{name} is left over" for name in found.keys() - expected.keys()),
        *(f"{name} differs" for name in expected.keys() & found.keys() if expected[name] != found[name]),
    ]


def without_last_measurements(expected: dict[str, Any], found: dict[str, Any]) -> dict[str, Any]:
    """`found` without what a training adds when it is asked to stop: it measures its last step once, and draws a sheet of it.

    A line of losses (it has `images`) must always be there; of the measurements only those that `expected` has count.
    """
    kept = {name: content for name, content in found.items() if name in expected or not _SHEET.search(name)}
    for name, lines in kept.items():
        if name.endswith("metrics.jsonl"):
            kept[name] = [line for line in lines if "images" in line or line in expected.get(name, [])]
    return kept


def _without_hashes(value: Any) -> Any:
    if isinstance(value, str):
        return _HASH.sub("hash", value)
    if isinstance(value, dict):
        return {_without_hashes(name): _without_hashes(item) for name, item in value.items() if name not in ("bytes", "sha256")}
    return type(value)(map(_without_hashes, value)) if isinstance(value, list | tuple) else value


def _content(path: Path) -> Any:
    if path.suffix in (".html", ".md"):
        return _NOT_TEXT.sub("", path.read_text()).replace(path.parents[1].name, "PROJECT")
    if path.suffix in (".yaml", ".csv"):
        return path.read_text()
    if path.name == "environment.json":
        return "environment"
    if path.suffix == ".json":
        return _stable(json.loads(path.read_text()))
    if path.suffix == ".jsonl":
        return [_stable(json.loads(line)) for line in path.read_text().splitlines()]
    if path.suffix == ".safetensors":
        from safetensors import safe_open

        with safe_open(path, "numpy") as file:
            facts = {name: _stable(_parsed(text)) for name, text in (file.metadata() or {}).items()}
            return facts, {name: file.get_tensor(name).tobytes() for name in file.keys()}  # noqa: SIM118
    if path.suffix == ".pt":
        import torch

        return _stable(torch.load(path, weights_only=True))
    if path.suffix == ".h5":
        return _hdf5(path)
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text


def _stable(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _stable(item) for key, item in value.items() if str(key) not in VOLATILE}
    if isinstance(value, list | tuple):
        return [_stable(item) for item in value]
    return value.numpy().tobytes() if hasattr(value, "numpy") else value


def _hdf5(path: Path) -> dict[str, Any]:
    import h5py
    import numpy as np

    found: dict[str, Any] = {}

    def note(name: str, item: Any) -> None:
        attributes = {key: str(value) for key, value in item.attrs.items() if key not in VOLATILE}
        found[name] = (attributes, np.asarray(item[()]).tolist() if isinstance(item, h5py.Dataset) else None)

    with h5py.File(path, "r") as file:
        note("/", file)
        file.visititems(note)
    return found
