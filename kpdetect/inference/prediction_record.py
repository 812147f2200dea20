"""`predictions.json`: the record beside a table of predictions."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from pydantic import ConfigDict, Field, model_validator

from kpdetect.files.json_yaml import read_json_file
from kpdetect.files.records import Count, Record, RelativeName, checked
from kpdetect.skeleton import MOST_KEYPOINTS, SkeletonRecord

RECORD = "predictions.json"
AGAIN = "run `kpdetect predict` again"
Size = tuple[Annotated[int, Field(ge=1, le=1 << 24)], Annotated[int, Field(ge=1, le=1 << 24)]]
"""(height, width) in pixels."""


class ClipRecord(Record):
    """The video that was predicted."""

    name: RelativeName
    """What the video is called."""
    rate: Annotated[float, Field(gt=0)]
    """Frames a second."""
    size: Size
    """(height, width) of every frame."""
    frames: Count = 0
    """Frames in the table."""


class PredictionRecord(Record):
    """Of images it has `sizes`, of a video `clip`. Keys of other versions are kept in `content`."""

    model_config = ConfigDict(extra="allow")

    keypoints: Annotated[int, Field(ge=1, le=MOST_KEYPOINTS)]
    """Keypoints in the table for each image."""
    skeleton: SkeletonRecord | None = None
    """Their names, links and pairs; none in records of earlier versions."""
    sizes: dict[RelativeName, Size] | None = None
    """(height, width) of each image by name."""
    clip: ClipRecord | None = None
    """The video."""
    model: str = "unknown"
    """Hash of the weights."""
    description: dict[str, Any] = Field(default_factory=dict)
    """What the weights file says of itself."""
    settings: dict[str, Any] = Field(default_factory=dict)
    """What was asked for."""
    engine: str | None = None
    """What computed the network; None in records of earlier versions."""
    source: str | None = None
    """Folder or file that was predicted."""
    files: dict[str, str] | None = None
    """Hash of each image; None in records of earlier versions."""
    skipped: dict[str, str] = Field(default_factory=dict)
    """What could not be read, and why."""

    @model_validator(mode="after")
    def _one_kind(self) -> PredictionRecord:
        if (self.sizes is None) == (self.clip is None):
            raise ValueError("expected either sizes of images or a clip")
        return self

    @property
    def content(self) -> dict[str, Any]:
        """All keys, JSON-ready."""
        return self.model_dump(mode="json", exclude_unset=True)


def read_prediction_record(folder: Path) -> PredictionRecord:
    """The record of a predictions folder.

    Raises:
        InputError: it is missing.
        FormatError: it is damaged; the field is named.
    """
    path = folder / RECORD
    return checked(PredictionRecord, read_json_file(path), path, advice=f"not a record of predictions, {AGAIN}")
