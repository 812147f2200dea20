"""Files of arrays with a key, which tells the images and settings that the arrays belong to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from kpdetect.errors import FormatError
from kpdetect.files.atomic import replacing
from kpdetect.files.reading import reading

Made = TypeVar("Made")


def write_arrays(path: Path, key: str, values: Mapping[str, Any]) -> None:
    """Write arrays and numbers to a file (.npz)."""
    with replacing(path) as temporary, open(temporary, "wb") as file:
        np.savez(file, key=np.array(key), **values)


def read_arrays(path: Path, key: str | None, made: Callable[[dict[str, Any]], Made]) -> Made | None:
    """Read the arrays, and make an object from them. Return None if there is no file, or it has another key; None accepts any.

    Raises:
        FormatError: the file is damaged, or an array is missing.
    """
    if not path.exists():
        return None
    with reading(path, FormatError, "remove it to compute it again"), np.load(path, allow_pickle=False) as file:
        return made({name: file[name] for name in file.files}) if key in (None, str(file["key"])) else None
