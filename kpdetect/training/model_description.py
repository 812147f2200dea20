"""The description inside a weights file: a record that is checked when the file is read.

In `ModelDescription`, every key except kind and version is optional, because files of earlier versions lack some keys.
`GeneratorDescription` and `DetectorDescription` list the keys that a usable file needs. Unknown keys, which newer versions may
have written, are kept, see `content`.
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
    """The map from heatmap mass to probability, see `kpdetect.detector.calibration`."""

    mass: tuple[Share, ...] = Field(min_length=1)
    """Heatmap masses of the corner points, equal or rising, in [0, 1]."""
    probability: tuple[Share, ...]
    """Probabilities of the corner points, in [0, 1]."""
    near: float | None = None
    """Distance from the true place within which a keypoint counts as found, in normalised units."""
    usual: Share | None = None
    """Mean confidence of the keypoints in held-out pairs; None in weights files of earlier versions."""

    @model_validator(mode="after")
    def _rising(self) -> CalibrationDescription:
        if len(self.mass) != len(self.probability) or list(self.mass) != sorted(self.mass):
            raise ValueError("expected as many probabilities as masses, and rising masses")
        return self


class LayoutDescription(Record):
    """The layout of the keypoints in training images, see `kpdetect.inference.second_pass.Layout`."""

    places: tuple[tuple[float, float], ...]
    """Mean place of each keypoint [K, 2], normalised."""
    distances: tuple[tuple[float, ...], ...]
    """Root mean square distance between each two keypoints [K, K], in normalised units."""


class ModelDescription(Record):
    """The description in any weights file."""

    model_config = ConfigDict(extra="allow")

    kind: str
    """Kind of the model: `generator` or `detector`."""
    version: int
    """Version of the format of weights files."""
    config: dict[str, Any] | None = None
    """The configuration of the training."""
    step: Count | None = None
    """Number of training steps."""
    kept_step: Count | None = None
    """The step that the weights are from; None if they are from the last step."""
    distance: float | None = None
    """Distance between the images of a generator and the real images; None if training was not stopped by this distance."""
    images_seen: Count | None = None
    """Number of images or pairs that training has shown in all steps, counting repeated ones."""
    minutes: NotNegative | None = None
    """Training time in minutes."""
    training_images: Count | None = None
    """Number of real images in the training data."""
    began_with: dict[str, Any] | None = None
    """Record of the weights that the training started from; None if they were random."""
    feature_weights: str | None = None
    """Hash of the trained network in whose features images were compared; None if there was none."""
    data: str | None = None
    """Key of the training images, see `kpdetect.training.data_key`."""
    drawn_size: Side | None = None
    """Side in pixels of the images that a generator draws; None: the side in its configuration."""
    keypoints: Keypoints | None = None
    """Number of keypoints of a detector."""
    pair_size: tuple[Side, Side] | None = None
    """(height, width) in pixels of the images that a detector was trained on."""
    crop: CropPolicy | None = None
    """How a detector crops images to a square: centre, pad or stretch."""
    provenance: dict[str, Any] | None = None
    """The model and settings that made a detector's pairs."""
    pairs: Count | None = None
    """Number of pairs that a detector was trained on; None if they were drawn during the training."""
    held_out_percent: NotNegative | None = None
    """Mean distance between a detector's keypoints and the true ones on held-out pairs, in percent of the image's side."""
    held_out: NotNegative | None = None
    """Share of the pairs that was held out while the detector was refined."""
    keypoint_layout: LayoutDescription | None = None
    """Layout of a detector's keypoints in training images."""
    calibration: CalibrationDescription | None = None
    """Map from a detector's heatmap mass to its confidence."""
    calibrated_on: dict[str, Any] | None = None
    """Record of the pairs on which `kpdetect calibrate` calibrated the confidence again; None if it was not used."""
    first_stage: str | None = None
    """Hash of the detector that was refined on real images; None if none was."""
    refined: dict[str, Any] | None = None
    """Configuration of a detector's training on real images; None if it was trained on pairs alone."""
    refined_before: tuple[dict[str, Any], ...] | None = None
    """Records of earlier trainings on real images, the oldest first."""
    drift: float | None = None
    """Mean distance by which the training on real images moved the keypoints, in normalised units."""
    spread: float | None = None
    """Standard deviation of the keypoints within an image, in normalised units."""
    commit: str | None = None
    """Git commit of the code that trained the model."""
    hardware: dict[str, Any] | None = None
    """Hardware that trained the model."""

    @property
    def content(self) -> dict[str, Any]:
        """All existing keys, as values for JSON."""
        return self.model_dump(mode="json", exclude_unset=True)


class GeneratorDescription(ModelDescription):
    """The description in a generator's weights file, with all keys that its use needs."""

    config: dict[str, Any]


class DetectorDescription(ModelDescription):
    """The description in a detector's weights file, with all keys that its use needs."""

    config: dict[str, Any]
    keypoints: Keypoints
    pair_size: tuple[Side, Side]
    crop: CropPolicy

    @model_validator(mode="after")
    def _same_keypoints(self) -> DetectorDescription:
        layout, count = self.keypoint_layout, self.keypoints
        if layout is not None and {len(layout.places), len(layout.distances), *map(len, layout.distances)} != {count}:
            raise ValueError(f"keypoint_layout: expected {count} keypoints")
        return self


Kind = TypeVar("Kind", bound=ModelDescription)
KINDS: dict[str, type[ModelDescription]] = {"generator": GeneratorDescription, "detector": DetectorDescription}


def described(kind: type[Kind], text: str, source: Path) -> Kind:
    """Parse the JSON text in a weights file.

    Raises:
        CheckpointError: the text is not a description, or lacks a key that this kind needs.
    """
    with reading(source, CheckpointError, "copy the file again, or train it again"):
        try:
            return TypeAdapter(kind).validate_json(text)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            if first["type"] == "missing":
                key = ".".join(map(str, first["loc"]))
                raise CheckpointError(
                    f"{source}: the description lacks {key}; copy the file again, or train the model again"
                ) from error
            raise
