"""Editing by name and in pixels: split samples of a trained generator into parts, change them and draw them again.

    editor = Editor.load("flies-64", seed=0)
    fly, other = editor.sample(3), editor.sample(5)
    image = editor.draw(editor.move(fly, "4", (6, -2)))[0]

The methods that edit return new `Parts` and leave their arguments unchanged. Pixels are those of the generated image, x to the
right, y down. A method raises InputError if the architecture does not support the edit, or if the parts are of another model.
Parts may leave the frame between edits; `draw` raises InputError if a part is outside.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, SupportsIndex

import numpy as np
import torch
from numpy.typing import NDArray

from generator.editing import parts as editing
from generator.keypoints import Parts
from generator.sample_sheet import to_uint8
from generator.stream import PairStream
from kpdetect.coords import to_pixels
from kpdetect.errors import CheckpointError, InputError
from kpdetect.images.arrays import Image
from kpdetect.inference.labels import Labels, read_labels
from kpdetect.training.checkpoints import find_weights
from kpdetect.training.runtime import DeviceName, resolve_runtime

ALL = "all"
"""The name that selects every keypoint."""
Which = SupportsIndex | str | Sequence[SupportsIndex | str] | NDArray[np.integer]
"""A choice of keypoints: a number, a name, several of them separated by commas, `all`, or a sequence of numbers and names."""


@dataclass(frozen=True, kw_only=True)
class Sampled(Parts):
    """Parts that record the generator they come from.

    Attributes:
        generator: hash of the generator's weights file.
    """

    generator: str


class Editor:
    """A trained generator that edits its samples.

    Attributes:
        stream: the generator and its samples.
        names: the names of all K keypoints, from `kpdetect label`; the default name of keypoint 3 is `keypoint3`.
    """

    def __init__(self, stream: PairStream, labels: Labels | None = None) -> None:
        self.stream, self.names = stream, (labels or Labels()).skeleton_names(stream.keypoints)

    @classmethod
    def load(cls, model: Path | str, device: DeviceName = "auto", *, seed: int = 0, truncation: float = 1.0) -> Editor:
        """Load a generator from weights, a run folder, a project folder or a name of `kpdetect models`.

        Raises:
            CheckpointError: there is no generator at `model`.
            ConfigError: the labels file next to the detector's weights does not fit the generator's keypoints.
            InputError: an unusable device or truncation.
        """
        path = Path(model)
        stream = PairStream(path, resolve_runtime(device, "float32"), seed=seed, truncation=truncation)
        try:
            detector = find_weights(path, "detector")
        except CheckpointError:  # a generator alone has no names
            return cls(stream)
        return cls(stream, read_labels(detector, stream.keypoints))

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of the images."""
        return self.stream.size

    def sample(self, index: SupportsIndex) -> Parts:
        """Return the parts of one sample, as a batch of one. `kpdetect generate` draws the same sample as its image `index`."""
        number = _integer(index)
        if number is None or not 0 <= number < 2**63:
            raise InputError(f"sample {index}: no such sample; expected a whole number, 0 or more")
        parts = self.stream.parts(number, number + 1)
        return Sampled(**{part.name: getattr(parts, part.name) for part in fields(Parts)}, generator=self.stream.hash)

    @torch.no_grad()
    def draw(self, parts: Parts) -> Image:
        """Draw parts as uint8 RGB images [batch, height, width, 3].

        Raises:
            InputError: a part is outside of the frame.
        """
        self._require_own(parts)
        self.require_inside(parts, "draw")
        return to_uint8(self.stream.network.draw(parts).image)

    def keypoints_px(self, parts: Parts) -> NDArray[np.float32]:
        """Return the positions of the parts [batch, parts, 2] in pixels; NaN for removed parts."""
        places = to_pixels(parts.keypoints.float().cpu().numpy(), self.size)
        if parts.presence is not None:
            places[parts.presence.cpu().numpy() == 0] = np.nan
        return places

    def numbers(self, which: Which) -> tuple[int, ...]:
        """Return the numbers of the chosen keypoints.

        Raises:
            InputError: the model has no such keypoint.
        """
        if isinstance(which, str):
            items: Iterable[Any] = which.split(",") if which != ALL else range(self.stream.keypoints)
        else:
            items = which if _integer(which) is None and isinstance(which, Iterable) else [which]
        return tuple(dict.fromkeys(self._number(item) for item in items))

    def _number(self, item: SupportsIndex | str) -> int:
        text = str(item).strip()
        if isinstance(item, str):
            number = int(text) if text.isdecimal() else self.names.index(text) if text in self.names else None
        else:
            number = _integer(item)
        if number is None or not 0 <= number < self.stream.keypoints:
            last = self.stream.keypoints - 1
            raise InputError(f"keypoint '{text}': expected 0 to {last}, a name from `kpdetect label`, or {ALL}")
        return number

    def move(self, parts: Parts, which: Which, by_px: tuple[float, float], *, local: bool = False) -> Parts:
        """Shift keypoints by (x, y) pixels; with `local`, distant image regions change less (`editing.parts.moved`)."""
        self._require_keypoints(parts)
        if local and self.stream.network.config.start != "positional":
            raise InputError("local: this model has a learned start (model.start=learned); its moves are local without it")
        return editing.moved(parts, self.numbers(which), self._normalised(by_px), local=local)

    def place(self, parts: Parts, which: Which, at_px: tuple[float, float], *, local: bool = False) -> Parts:
        """Put one keypoint of one image at (x, y) in pixels.

        Raises:
            InputError: several keypoints are chosen, or the place is outside of the image.
        """
        self._require_keypoints(parts)
        numbers = self.numbers(which)
        if len(numbers) != 1:
            raise InputError(f"place: got keypoints {list(numbers)}, expected one keypoint; place them one by one")
        at_x, at_y = _pair("place", at_px)
        height, width = self.size
        if not (abs(at_x + 0.5 - width / 2) <= width / 2 and abs(at_y + 0.5 - height / 2) <= height / 2):
            raise InputError(f"place: ({at_x:g}, {at_y:g}) is outside of the image of {width}x{height} pixels")
        x, y = to_pixels(parts.keypoints[0, numbers[0]].float().cpu().numpy(), self.size)
        return self.move(parts, numbers, (at_x - float(x), at_y - float(y)), local=local)

    def turn(self, parts: Parts, *, scale: float = 1.0, degrees: float = 0.0) -> Parts:
        """Scale all keypoints about their mean, and turn them clockwise."""
        self._require_keypoints(parts)
        if not (math.isfinite(scale) and scale > 0 and math.isfinite(degrees)):
            raise InputError(f"scale {scale}, degrees {degrees}: expected a factor above 0 and an angle in degrees")
        return editing.turned(parts, scale=scale, degrees=degrees)

    def pose(self, parts: Parts, source: Parts | NDArray[np.floating], share: float = 1.0) -> Parts:
        """Take the keypoints of another sample, or normalised keypoints [K, 2], such as a detector's prediction in a photo."""
        self._require_keypoints(parts)
        _require_share(share)
        if isinstance(source, Parts):
            self._require_own(source, parts)
            return editing.posed(parts, source.keypoints[:, : source.own], share)
        shape, count = np.shape(source), self.stream.keypoints
        if shape != (count, 2):
            raise InputError(f"pose: got shape {list(shape)}, expected [{count}, 2]; give one (x, y) per keypoint")
        keypoints = np.array(source, np.float32)
        if not np.isfinite(keypoints).all():
            raise InputError("pose: a keypoint is not finite; give another pose")
        return editing.posed(parts, torch.from_numpy(keypoints), share)

    def appearance(self, parts: Parts, other: Parts, which: Which = ALL, share: float = 1.0) -> Parts:
        """Take the appearance of keypoints from another sample."""
        self._require_keypoints(parts)
        self._require_own(other, parts)
        _require_share(share)
        kind = self.stream.network.config.embedding
        if kind in ("none", "constant"):
            raise InputError(f"appearance: a model with model.embedding={kind} gives its parts the same look in every sample")
        return editing.with_appearance(parts, other, self.numbers(which), share)

    def background(self, parts: Parts, other: Parts, share: float = 1.0) -> Parts:
        """Take the background of another sample."""
        self._require_own(parts)
        self._require_own(other, parts)
        _require_share(share)
        config = self.stream.network.config
        if not config.separate_background and not config.background_part:
            raise InputError("background: this model has no separate background (model.background_part=false)")
        return editing.with_background(parts, other, share)

    def add(self, parts: Parts, which: Which, by_px: tuple[float, float]) -> Parts:
        """Draw keypoints a second time, shifted by (x, y) pixels."""
        self._require_keypoints(parts)
        return editing.copied(parts, self.numbers(which), self._normalised(by_px))

    def remove(self, parts: Parts, which: Which) -> Parts:
        """Remove keypoints and their added copies."""
        self._require_keypoints(parts)
        return editing.without(parts, self.numbers(which))

    def require_inside(self, parts: Parts, what: str) -> None:
        """Check that all parts are inside the frame. The error message begins with `what`.

        Raises:
            InputError: a part is outside of the frame.
        """
        outside = ~(parts.keypoints.abs() <= 1).all(dim=-1)  # true for NaN
        for row, place in outside.nonzero().tolist():
            x, y = to_pixels(parts.keypoints[row, place].float().cpu().numpy(), self.size)
            height, width = self.size
            raise InputError(
                f"{what}: keypoint {parts.numbers[place]} would be at ({x:.1f}, {y:.1f}), outside of the image of "
                f"{width}x{height} pixels; move it less"
            )

    def _normalised(self, by_px: tuple[float, float]) -> tuple[float, float]:
        height, width = self.size
        x, y = _pair("by_px", by_px)
        return 2 * x / width, 2 * y / height

    def _require_keypoints(self, parts: Parts) -> None:
        if self.stream.network.config.style == "adain":
            raise InputError("a model without keypoints (model.style=adain): only its background can be edited")
        self._require_own(parts)

    def _require_own(self, parts: Parts, other: Parts | None = None) -> None:
        """Check that parts are of this model; with `other`, also that they have one image or as many images as `other`."""
        if not isinstance(parts, Parts):
            raise InputError(f"parts: got {type(parts).__name__}, expected Parts, such as the result of editor.sample(0)")
        ours = not isinstance(parts, Sampled) or parts.generator == self.stream.hash
        if not ours or parts.own != self.stream.keypoints:
            raise InputError("parts: they come from another model; take them from this editor's sample()")
        if other is not None and len(parts.keypoints) not in (1, len(other.keypoints)):
            raise InputError(f"parts of {len(parts.keypoints)} images, expected 1 or {len(other.keypoints)}")


def _integer(item: Any) -> int | None:
    """Return an integer of any type; None for other values and for booleans."""
    if isinstance(item, (bool, np.bool_)):
        return None
    try:
        return operator.index(item)
    except TypeError:
        return None


def _pair(what: str, values: Any) -> tuple[float, float]:
    try:
        x, y = (float(value) for value in values)
        if not (math.isfinite(x) and math.isfinite(y)):
            raise ValueError
    except (TypeError, ValueError):
        raise InputError(f"{what} {values}: expected (x, y) in pixels, for example (5, -2)") from None
    return x, y


def _require_share(share: float) -> None:
    if not 0 <= share <= 1:
        raise InputError(f"share {share}: expected a number from 0 to 1")
