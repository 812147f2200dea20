"""The settings of `kpdetect predict`."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from kpdetect.config import StrictConfig
from kpdetect.inference.formats.choice import require_formats
from kpdetect.inference.scales import Scales
from kpdetect.training.runtime import EngineName, Precision


class PredictConfig(StrictConfig):
    """The settings of a prediction, and of the files that it writes."""

    engine: EngineName = "auto"
    """Implementation that computes the network, see `kpdetect.inference.engine`. The record names it."""
    precision: Precision = "auto"
    """Number format of the network. `auto` is bfloat16 where the hardware supports it, else float32."""
    formats: tuple[str, ...] = ()
    """Formats of other tools to write in addition to predictions.csv, see `kpdetect.inference.formats.choice`."""
    overlays: int = 200
    """Number of images to draw keypoints on, chosen evenly; negative for all. With 0, no overlay videos are written either."""
    min_confidence: float = Field(0.0, ge=0, le=1)
    """Keypoints below this confidence are not drawn, and count as missing in every format except predictions.csv."""
    max_side: int = Field(1920, ge=32)
    """Longest side of overlays, in pixels. Larger overlays are scaled down. This does not change the written coordinates."""
    strict: bool = False
    """Stop at an unreadable input instead of skipping it."""
    overwrite: bool = False
    """Predict every input again, even if the same model has already predicted it with the same settings."""
    stride: int = Field(1, ge=1)
    """Predict every Nth frame of a video."""
    start: int = Field(0, ge=0)
    """Number of the first frame to predict; a video starts with frame 0."""
    end: int | None = Field(None, ge=1)
    """Number of the frame to stop before; None for the end of the video."""
    trail: int = Field(10, ge=0)
    """Number of earlier frames whose keypoints an overlay video shows as fading lines."""
    h264: bool = False
    """Write overlay videos as H.264 instead of MPEG-4 part 2."""
    boxes: Path | None = None
    """CSV file of boxes: `image,left,top,width,height`. An input is predicted inside its box, or whole if it has none."""
    two_pass: bool = False
    """Predict, crop to the box around the keypoints, and predict again on the crop."""
    margin: float | None = Field(None, ge=0)
    """Border of the crop of `two_pass`, on every side, as a share of the longer side of the keypoints' bounding box. null: the
    crop frames the object as training images did. If the weights do not record this, the border is 0.4."""
    scales: Scales = (1.0,)
    """Predict on squares of these relative sizes around the same centre, and average the predictions. 1 is the usual square;
    0.8 shows a smaller part of the image, enlarged."""
    flip_average: bool = False
    """Average the predictions on the image and on its mirror image."""
    smooth: bool = False
    """Smooth the keypoints of videos over time with a one-euro filter."""
    smooth_cutoff: float = Field(1.0, gt=0)
    """Cut-off frequency of the filter at rest, in hertz. Lower values smooth more and lag more."""
    smooth_beta: float = Field(20.0, ge=0)
    """Rise of the cut-off frequency with speed, in hertz per (image side / second). Higher values lag less in fast motion."""

    @field_validator("formats")
    @classmethod
    def _known(cls, formats: tuple[str, ...]) -> tuple[str, ...]:
        require_formats(formats)
        return formats

    @field_validator("end")
    @classmethod
    def _after_start(cls, end: int | None, others: ValidationInfo) -> int | None:
        if end is not None and end <= (start := others.data.get("start", 0)):
            raise PydanticCustomError("order", "expected more than start, {start}", {"start": start})
        return end

    def choices(self) -> dict[str, object]:
        """Return the fields that change the predictions. Finished predictions are used again only if these fields are equal."""
        return self.model_dump(mode="json", exclude={"formats", "strict", "overwrite"})
