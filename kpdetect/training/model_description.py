"""What a weights file says of its model: one record, checked when the file is read.

Every key but kind and version is optional: files of earlier versions lack some. `GeneratorDescription` and
`DetectorDescription` are what such a file needs to be used. Keys of newer versions are kept, see `content`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from kpdetect.errors import CheckpointError
from kpdetect.files.reading import reading
from kpdetect.files.records import Count, Record
from kpdetect.images.arrays import CropPolicy

Keypoints = Annotated[int, Field(ge=1, le=4096)]
Side = Annotated[int, Field(ge=1, le=4096)]
Share = Annotated[float, Field(ge=-0.001, le=1.001)]
NotNegative = Annotated[float, Field(ge=0)]


class CalibrationDescription(Record):
    """Map from heatmap mass to probability, see `kpdetect.detector.calibration`."""

    mass: tuple[Share, ...] = Field(min_length=1)
    """Corner points, not falling."""
    probability: tuple[Share, ...]
    """Their values."""
    near: float | None = None
    """Distance within which a keypoint counts as found."""
    usual: Share | None = None
    """Mean confidence in held-out pairs; not in weights of earlier versions."""

    @model_validator(mode="after")
    def _rising(self) -> CalibrationDescription:
        if len(self.mass) != len(self.probability) or list(self.mass) != sorted(self.mass):
            raise ValueError("expected as many probabilities as masses, masses rising")
        return self


class LayoutDescription(Record):
    """Where keypoints lay in training, see `kpdetect.inference.second_pass.Layout`."""

    places: tuple[tuple[float, float], ...]
    """Mean place [K, 2], normalised."""
    distances: tuple[tuple[float, ...], ...]
    """Root mean square distance [K, K]."""


class ModelDescription(Record):
    """Of any weights file."""

    model_config = ConfigDict(extra="allow")

    kind: str
    """generator or detector."""
    version: int
    """Of the format."""
    config: dict[str, Any] | None = None
    """The configuration that it was trained with."""
    step: Count | None = None
    """Steps trained."""
    kept_step: Count | None = None
    """The step that the weights are of, where that is an earlier one."""
    distance: float | None = None
    """To the real images, of a generator that was stopped by it."""
    images_seen: Count | None = None
    """Images or pairs in all steps together."""
    minutes: NotNegative | None = None
    """Minutes trained."""
    training_images: Count | None = None
    """Real images it was trained on."""
    began_with: dict[str, Any] | None = None
    """The weights that training began with."""
    feature_weights: str | None = None
    """Hash of the network in whose features it was compared."""
    data: str | None = None
    """Key of the training images."""
    drawn_size: Side | None = None
    """Side of the images that a generator draws; that of its configuration unless given."""
    keypoints: Keypoints | None = None
    """K of a detector."""
    pair_size: tuple[Side, Side] | None = None
    """(height, width) of the images that a detector was trained on."""
    crop: CropPolicy | None = None
    """How a detector is shown pictures."""
    provenance: dict[str, Any] | None = None
    """What made the pairs that a detector learned from."""
    pairs: Count | None = None
    """How many."""
    held_out_percent: NotNegative | None = None
    """Error on pairs held out, in percent of the side."""
    held_out: NotNegative | None = None
    """Share of the pairs that was held out in the second stage."""
    keypoint_layout: LayoutDescription | None = None
    """Where keypoints lay in training."""
    calibration: CalibrationDescription | None = None
    """Map from heatmap mass to confidence."""
    calibrated_on: dict[str, Any] | None = None
    """The pairs that it was measured on afterwards."""
    first_stage: str | None = None
    """Hash of the detector that was trained further on real images."""
    refined: dict[str, Any] | None = None
    """Configuration of that."""
    refined_before: tuple[dict[str, Any], ...] | None = None
    """Earlier runs on real images."""
    drift: float | None = None
    """How far keypoints moved by that, normalised."""
    spread: float | None = None
    """How far keypoints lie from their mean place, normalised."""
    commit: str | None = None
    """Of the code that trained it."""
    hardware: dict[str, Any] | None = None
    """Where it was trained."""

    @property
    def content(self) -> dict[str, Any]:
        """All keys that are there, JSON-ready."""
        return self.model_dump(mode="json", exclude_unset=True)


class GeneratorDescription(ModelDescription):
    """Of a generator that can be used."""

    config: dict[str, Any]


class DetectorDescription(ModelDescription):
    """Of a detector that can be used."""

    config: dict[str, Any]
    keypoints: Keypoints
    pair_size: tuple[Side, Side]
    crop: CropPolicy

    @model_validator(mode="after")
    def _same_keypoints(self) -> DetectorDescription:
        layout, count = self.keypoint_layout, self.keypoints
        if layout is not None and {len(layout.places), len(layout.distances), *map(len, layout.distances)} != {count}:
            raise ValueError(f"keypoint_layout is not of {count} keypoints")
        return self


Kind = TypeVar("Kind", bound=ModelDescription)
KINDS: dict[str, type[ModelDescription]] = {"generator": GeneratorDescription, "detector": DetectorDescription}


def described(kind: type[Kind], text: str, source: Path) -> Kind:
    """A description from the JSON text in a weights file.

    Raises:
        CheckpointError: it is no description, or lacks what this kind needs.
    """
    with reading(source, CheckpointError, "copy the file again, or train it again"):
        try:
            return TypeAdapter(kind).validate_json(text)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            if first["type"] == "missing":
                told = f"{source}: does not say its {'.'.join(map(str, first['loc']))}; copy the file again, or train it again"
                raise CheckpointError(told) from error
            raise
