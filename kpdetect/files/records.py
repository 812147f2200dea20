"""The base class of records that are read from files, and types of the names and numbers in them.

Unknown keys in a record are ignored, because a newer version of kpdetect may write more keys. If the meaning of a record
changes, its `version` changes too, and older versions of kpdetect refuse it. Configurations are stricter, see
`kpdetect.config`.
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
    """The base class of records.

    Records are frozen. Types must match exactly (a number written as text is refused), and numbers must be finite.
    """

    model_config = ConfigDict(frozen=True, strict=True, extra="ignore", allow_inf_nan=False, protected_namespaces=())


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
"""A path relative to the record's folder, and inside it: not absolute, without `..`."""
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
        KpdetectError: of the type `refused`; a field is missing or has a wrong type. The message names the field.
    """
    with reading(source, refused, advice):
        text = json.dumps(content)  # strict types would refuse a list for a tuple in Python values, but not in JSON
        checked_value: Kind = TypeAdapter(kind).validate_json(text)
        return checked_value


def inside(folder: Path, name: str, refused: type[KpdetectError] = FormatError) -> Path:
    """Return the path of a file in `folder` that a record names. If it is a link, its target must lie in the folder too.

    Raises:
        KpdetectError: of the type `refused`; the file lies outside `folder`.
    """
    path = folder / name
    with reading(path, refused):
        if not path.resolve().is_relative_to(folder.resolve()):
            raise refused(f"{path}: this link leads out of {folder}; replace it by the file")
    return path
