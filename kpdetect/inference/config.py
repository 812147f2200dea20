"""Every choice of `kpdetect predict`."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from kpdetect.config import StrictConfig
from kpdetect.inference.formats.choice import require_formats
from kpdetect.training.runtime import EngineName

SCALES = (0.25, 2.0)
"""Smallest and largest square that may be looked at, relative to what is otherwise."""


def require_scales(scales: tuple[float, ...]) -> tuple[float, ...]:
    """Sizes of squares to look at, as they are.

    Raises:
        PydanticCustomError: none, or one that is out of range; a validator's error.
    """
    low, high = SCALES
    if not scales or not all(low <= scale <= high for scale in scales):
        raise PydanticCustomError(
            "scales", "expected numbers from {low} to {high}, such as 1,0.9,0.8", {"low": low, "high": high}
        )
    return scales


class PredictConfig(StrictConfig):
    """How inputs are predicted, and what is written."""

    engine: EngineName = "auto"
    """What computes the network, see `kpdetect.inference.engine`; the record says which one did."""
    formats: tuple[str, ...] = ()
    """Formats of other tools to write beside the long CSV, see `kpdetect.inference.formats.choice`."""
    overlays: int = 200
    """Overlays of images to write, spread evenly over them; negative for all. Videos get an overlay video unless it is 0."""
    min_confidence: float = Field(0.0, ge=0, le=1)
    """Keypoints of less confidence are not drawn, and count as missing in every format but the long CSV."""
    max_side: int = Field(1920, ge=32)
    """Overlays are scaled down until their longer side has at most this many pixels; coordinates are never touched."""
    strict: bool = False
    """Stop at what cannot be read instead of skipping it."""
    overwrite: bool = False
    """Predict again what was predicted already with the same model and settings."""
    stride: int = Field(1, ge=1)
    """Predict every Nth frame of a video."""
    start: int = Field(0, ge=0)
    """First frame of a video."""
    end: int | None = Field(None, ge=1)
    """Frame before which a video ends; None for its own end."""
    trail: int = Field(10, ge=0)
    """Earlier frames whose keypoints an overlay video shows as fading lines."""
    h264: bool = False
    """Write overlay videos as H.264 instead of MPEG-4 part 2."""
    boxes: Path | None = None
    """CSV `image,left,top,width,height`: predict inside these boxes; inputs it does not name are predicted whole."""
    two_pass: bool = False
    """Predict, crop to the box around the keypoints, predict again there."""
    margin: float | None = Field(None, ge=0)
    """Border of that box, as a share of its longer side, on every side; None: the object is framed as in training, where the
    weights say how that was, else 0.4 (`second_look.border`)."""
    scales: tuple[float, ...] = (1.0,)
    """Average over squares of these sizes about one middle; 1 is what is otherwise looked at, 0.8 shows less of it, larger."""
    flip_average: bool = False
    """Average with the prediction on the mirror image."""
    smooth: bool = False
    """Smooth videos over time with a one-euro filter."""
    smooth_cutoff: float = Field(1.0, gt=0)
    """Cut-off frequency in hertz of a keypoint at rest: less is smoother and lags more."""
    smooth_beta: float = Field(20.0, ge=0)
    """Hertz added to the cut-off per image side and second of speed: more follows fast motion closer."""

    @field_validator("formats")
    @classmethod
    def _known(cls, formats: tuple[str, ...]) -> tuple[str, ...]:
        require_formats(formats)
        return formats

    _sizes = field_validator("scales")(require_scales)

    @field_validator("end")
    @classmethod
    def _after_start(cls, end: int | None, others: ValidationInfo) -> int | None:
        if end is not None and end <= (start := others.data.get("start", 0)):
            raise PydanticCustomError("order", "expected more than start, {start}", {"start": start})
        return end

    def choices(self) -> dict[str, object]:
        """The fields that a finished result must share to be used again."""
        return self.model_dump(mode="json", exclude={"formats", "strict", "overwrite"})
