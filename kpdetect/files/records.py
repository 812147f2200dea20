"""What every record that is read back from a file is made of: a frozen base, and the types of names and numbers in it.

Keys that a record does not know are ignored: a newer version may write more. What it changes in meaning has another `version`,
which is refused. Configurations are stricter, see `kpdetect.config`.
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
    """Base of a record: frozen, of exact types (a number as a text is refused), numbers finite."""

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
"""A path inside of its folder: not absolute, without `..`."""
Count = Annotated[int, Field(ge=0, lt=2**63)]
"""A whole number from 0 on that fits 64 bits."""
Positive = Annotated[int, Field(ge=1, lt=2**63)]
"""A whole number from 1 on that fits 64 bits."""
Kind = TypeVar("Kind")


def checked(
    kind: type[Kind], content: Any, source: Path | str, refused: type[KpdetectError] = FormatError, advice: str = AGAIN
) -> Kind:
    """`content`, parsed JSON of the file `source`, as a record of a kind.

    Raises:
        KpdetectError: `refused`, naming the field that is missing or of a wrong type.
    """
    with reading(source, refused, advice):
        text = json.dumps(content)  # strict types know lists from tuples in Python values, but not in JSON
        checked_value: Kind = TypeAdapter(kind).validate_json(text)
        return checked_value


def inside(folder: Path, name: str, refused: type[KpdetectError] = FormatError) -> Path:
    """The path of a file that a record names, after links.

    Raises:
        KpdetectError: `refused`; it lies outside of `folder`.
    """
    path = folder / name
    with reading(path, refused):
        if not path.resolve().is_relative_to(folder.resolve()):
            raise refused(f"{path}: this link leads out of {folder}; replace it by the file")
    return path
