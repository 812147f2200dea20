"""The description inside a weights file: a record that is checked when the file is read.

Every key except kind and version is optional, because files of earlier versions lack some. `GeneratorDescription` and
`DetectorDescription` list the keys that a usable file needs. Keys of newer versions are kept, see `content`.
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
    """Masses of the corner points, not falling."""
    probability: tuple[Share, ...]
    """Probabilities of the corner points."""
    near: float | None = None
    """Distance within which a keypoint counts as found, in normalised units."""
    usual: Share | None = None
    """Mean confidence on held-out pairs; not in weights of earlier versions."""

    @model_validator(mode="after")
    def _rising(self) -> CalibrationDescription:
        if len(self.mass) != len(self.probability) or list(self.mass) != sorted(self.mass):
            raise ValueError("expected as many probabilities as masses, and rising masses")
        return self


class LayoutDescription(Record):
    """The layout of the keypoints in training, see `kpdetect.inference.second_pass.Layout`."""

    places: tuple[tuple[float, float], ...]
    """Mean place of each keypoint [K, 2], normalised."""
    distances: tuple[tuple[float, ...], ...]
    """Root mean square distance of each two keypoints [K, K], normalised."""


class ModelDescription(Record):
    """The description in any weights file."""

    model_config = ConfigDict(extra="allow")

    kind: str
    """Kind of the model: generator or detector."""
    version: int
    """Version of the format."""
    config: dict[str, Any] | None = None
    """The configuration of the training."""
    step: Count | None = None
    """Number of training steps."""
    kept_step: Count | None = None
    """The step of the weights, if they are not those of the last step."""
    distance: float | None = None
    """Distance of a generator's images to the real images, if the training stopped by this distance."""
    images_seen: Count | None = None
    """Number of images or pairs in all steps together."""
    minutes: NotNegative | None = None
    """Training time in minutes."""
    training_images: Count | None = None
    """Number of real images in the training data."""
    began_with: dict[str, Any] | None = None
    """The weights that the training started from."""
    feature_weights: str | None = None
    """Hash of the network in whose features images were compared."""
    data: str | None = None
    """Key of the training images."""
    drawn_size: Side | None = None
    """Side of the images that a generator draws; by default that of its configuration."""
    keypoints: Keypoints | None = None
    """K of a detector."""
    pair_size: tuple[Side, Side] | None = None
    """(height, width) of the images that a detector was trained on."""
    crop: CropPolicy | None = None
    """Crop policy of a detector."""
    provenance: dict[str, Any] | None = None
    """The model and settings that made a detector's pairs."""
    pairs: Count | None = None
    """Number of pairs."""
    held_out_percent: NotNegative | None = None
    """Mean error on held-out pairs, in percent of the image's side."""
    held_out: NotNegative | None = None
    """Share of the pairs that was held out while the detector was refined."""
    keypoint_layout: LayoutDescription | None = None
    """Layout of the keypoints in training."""
    calibration: CalibrationDescription | None = None
    """Map from heatmap mass to confidence."""
    calibrated_on: dict[str, Any] | None = None
    """The pairs of a later calibration by `kpdetect calibrate`."""
    first_stage: str | None = None
    """Hash of the detector that was refined."""
    refined: dict[str, Any] | None = None
    """Configuration of the training on real images."""
    refined_before: tuple[dict[str, Any], ...] | None = None
    """Records of earlier trainings on real images."""
    drift: float | None = None
    """Mean distance by which the training on real images moved the keypoints, normalised."""
    spread: float | None = None
    """Standard deviation of the keypoints within an image, normalised."""
    commit: str | None = None
    """Git commit of the code that trained the model."""
    hardware: dict[str, Any] | None = None
    """Hardware of the training."""

    @property
    def content(self) -> dict[str, Any]:
        """All existing keys, as values for JSON."""
        return self.model_dump(mode="json", exclude_unset=True)


class GeneratorDescription(ModelDescription):
    """The description of a usable generator."""

    config: dict[str, Any]


class DetectorDescription(ModelDescription):
    """The description of a usable detector."""

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
