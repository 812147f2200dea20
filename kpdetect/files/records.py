"""The base of all records that are read from files, and types of names and numbers in records.

Unknown keys in a record are ignored, because a newer version may write more keys. A record with a changed meaning has another
`version`, which is refused. Configurations are stricter, see `kpdetect.config`.
"""

from __future__ import annotations

import json
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter

from kpdetect.errors import FormatError, KpdetectError
from kpdetect.files.names import leads_out
from kpdetect.files.reading import AGAIN, reading, shortened


class Record(BaseModel):
    """The base of a record: frozen, with exact types (a number as text is refused) and finite numbers."""

    model_config = ConfigDict(
        frozen=True, strict=True, extra="ignore", allow_inf_nan=False, protected_namespaces=(), use_attribute_docstrings=True
    )


def _bare(name: str) -> str:
    if leads_out(name) or len(PurePosixPath(name).parts) != 1 or "\\" in name or name != PurePosixPath(name).name:
        raise ValueError(f"'{shortened(name, 60)}' is not a plain file name; expected the name of a file in the same folder")
    return name


def _relative(name: str) -> str:
    if leads_out(name):
        raise ValueError(f"'{shortened(name, 60)}' leads out of its folder; expected a name inside the folder")
    return name


BareName = Annotated[str, AfterValidator(_bare)]
"""The name of a file in the same folder: no separator, no `..`, not absolute."""
RelativeName = Annotated[str, AfterValidator(_relative)]
"""A path inside its folder: not absolute, without `..`."""
Count = Annotated[int, Field(ge=0, lt=2**63)]
"""A whole number of at least 0 that fits 64 bits."""
Positive = Annotated[int, Field(ge=1, lt=2**63)]
"""A whole number of at least 1 that fits 64 bits."""
Kind = TypeVar("Kind")


def checked(
    kind: type[Kind], content: Any, source: Path | str, refused: type[KpdetectError] = FormatError, advice: str = AGAIN
) -> Kind:
    """Check `content`, the parsed JSON of the file `source`, and convert it to a record.

    Raises:
        KpdetectError: `refused`; a field is missing or has a wrong type. The message names it.
    """
    with reading(source, refused, advice):
        text = json.dumps(content)  # strict types distinguish lists and tuples in Python values, but not in JSON
        checked_value: Kind = TypeAdapter(kind).validate_json(text)
        return checked_value


def inside(folder: Path, name: str, refused: type[KpdetectError] = FormatError) -> Path:
    """Make the path of a file that a record names, and check its target if it is a link.

    Raises:
        KpdetectError: `refused`; the file lies outside of `folder`.
    """
    path = folder / name
    with reading(path, refused):
        if not path.resolve().is_relative_to(folder.resolve()):
            raise refused(f"{path}: this link leads out of {folder}; replace it by the file")
    return path
