"""Editing by name and in pixels: a trained generator whose samples are taken apart, changed and drawn again.

    editor = Editor.load("flies-64", seed=0)
    fly, other = editor.sample(3), editor.sample(5)
    image = editor.draw(editor.move(fly, "4", (6, -2)))[0]

Every method returns new `Parts` and leaves those it was given alone. Pixels are those of the generated image, x to the right, y
down. What a model's architecture has no part in is refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from generator import editing
from generator.keypoints import Parts
from generator.sheet import to_uint8
from generator.stream import PairStream
from kpdetect.checkpoints import find_weights
from kpdetect.coords import to_pixels
from kpdetect.errors import CheckpointError, InputError
from kpdetect.images import Image
from kpdetect.inference.labels import Labels, read_labels
from kpdetect.runtime import DeviceName, resolve_runtime

ALL = "all"
"""What stands for every keypoint."""
Which = int | str | Sequence[int | str]
"""Keypoints: a number, a name, `all`, several with commas, or a sequence of numbers and names."""


class Editor:
    """A generator to edit with.

    Attributes:
        stream: the generator and its samples.
        names: of all K keypoints, from `kpdetect label`; `keypoint3` and the like without.
    """

    def __init__(self, stream: PairStream, labels: Labels | None = None) -> None:
        self.stream, self.names = stream, (labels or Labels()).skeleton_names(stream.keypoints)

    @classmethod
    def load(cls, model: Path | str, device: DeviceName = "auto", *, seed: int = 0, truncation: float = 1.0) -> Editor:
        """A trained generator from weights, a run folder, a project folder or a name of `kpdetect models`.

        Raises:
            CheckpointError: no generator there.
            ConfigError: the labels beside the detector's weights do not fit.
            InputError: an unusable device or truncation.
        """
        path = Path(model)
        stream = PairStream(path, resolve_runtime(device, "float32"), seed=seed, truncation=truncation)
        try:
            beside = find_weights(path, "detector")
        except CheckpointError:  # a generator alone has no names
            return cls(stream)
        return cls(stream, read_labels(beside, stream.keypoints))

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of the images."""
        return self.stream.size

    def sample(self, index: int) -> Parts:
        """What image `index` of `kpdetect generate` is drawn from; a batch of one."""
        if not 0 <= index < 2**63:
            raise InputError(f"sample {index}: there is none; samples are numbered from 0")
        return self.stream.parts(index, index + 1)

    @torch.no_grad()
    def draw(self, parts: Parts) -> Image:
        """Images uint8 RGB [batch, height, width, 3]."""
        return to_uint8(self.stream.network.draw(parts).image)

    def keypoints_px(self, parts: Parts) -> NDArray[np.float32]:
        """Where parts are [batch, parts, 2] in pixels; NaN for those that have been removed."""
        places = to_pixels(parts.keypoints.float().cpu().numpy(), self.size)
        if parts.presence is not None:
            places[parts.presence.cpu().numpy() == 0] = np.nan
        return places

    def numbers(self, which: Which) -> tuple[int, ...]:
        """Numbers of keypoints.

        Raises:
            InputError: one that the model has not.
        """
        if which == ALL:
            return tuple(range(self.stream.keypoints))
        items = which.split(",") if isinstance(which, str) else [which] if isinstance(which, int) else which
        return tuple(dict.fromkeys(self._number(item) for item in items))

    def _number(self, item: int | str) -> int:
        text = str(item).strip()
        number = int(text) if text.isdecimal() else self.names.index(text) if text in self.names else -1
        if not 0 <= number < self.stream.keypoints:
            last = self.stream.keypoints - 1
            raise InputError(f"keypoint '{text}': expected 0 to {last}, a name from `kpdetect label`, or {ALL}")
        return number

    def move(self, parts: Parts, which: Which, by_px: tuple[float, float], *, local: bool = False) -> Parts:
        """Shift keypoints by (x, y) pixels; `local` leaves more of what is far from them as it is, see `editing.moved`."""
        self._require_keypoints()
        if local and self.stream.network.config.start != "positional":
            raise InputError("local: this model's start is learned (model.start=learned); its moves are local without")
        return editing.moved(parts, self.numbers(which), self._normalised(by_px), local=local)

    def place(self, parts: Parts, which: int | str, at_px: tuple[float, float], *, local: bool = False) -> Parts:
        """Put one keypoint of one image at (x, y) in pixels."""
        (number,) = self.numbers(which)
        x, y = to_pixels(parts.keypoints[0, number].float().cpu().numpy(), self.size)
        return self.move(parts, number, (at_px[0] - float(x), at_px[1] - float(y)), local=local)

    def turn(self, parts: Parts, *, scale: float = 1.0, degrees: float = 0.0) -> Parts:
        """Scale all keypoints about their mean, and turn them clockwise."""
        self._require_keypoints()
        if not scale > 0:
            raise InputError(f"scale {scale}: expected a number above 0")
        return editing.turned(parts, scale=scale, degrees=degrees)

    def pose(self, parts: Parts, source: Parts | NDArray[np.floating], share: float = 1.0) -> Parts:
        """Keypoints of another sample, or normalised ones [K, 2], such as a detector finds in a photo."""
        self._require_keypoints()
        if isinstance(source, Parts):
            return editing.posed(parts, source.keypoints[:, : source.own], share)
        if source.shape != (self.stream.keypoints, 2):
            raise InputError(f"a pose of {len(source)} keypoints, expected {self.stream.keypoints}: not of this model")
        return editing.posed(parts, torch.from_numpy(np.asarray(source, np.float32)), share)

    def appearance(self, parts: Parts, other: Parts, which: Which = ALL, share: float = 1.0) -> Parts:
        """How keypoints of another sample look."""
        self._require_keypoints()
        kind = self.stream.network.config.embedding
        if kind in ("none", "constant"):
            raise InputError(f"appearance: a model with model.embedding={kind} draws its parts alike in every sample")
        return editing.with_appearance(parts, other, self.numbers(which), share)

    def background(self, parts: Parts, other: Parts, share: float = 1.0) -> Parts:
        """The background of another sample."""
        config = self.stream.network.config
        if not config.separate_background and not config.background_part:
            raise InputError("background: this model has none of its own (model.background_part=false)")
        return editing.with_background(parts, other, share)

    def add(self, parts: Parts, which: Which, by_px: tuple[float, float]) -> Parts:
        """Draw keypoints once more, (x, y) pixels from where they are."""
        self._require_keypoints()
        return editing.copied(parts, self.numbers(which), self._normalised(by_px))

    def remove(self, parts: Parts, which: Which) -> Parts:
        """Draw keypoints, and what was added of them, no more."""
        self._require_keypoints()
        return editing.without(parts, self.numbers(which))

    def require_inside(self, parts: Parts, what: str) -> None:
        """Check that no part has left the frame; `what` begins the message.

        Raises:
            InputError: one has.
        """
        outside = (parts.keypoints.abs() > 1).any(dim=-1)
        for row, place in outside.nonzero().tolist():
            x, y = to_pixels(parts.keypoints[row, place].float().cpu().numpy(), self.size)
            height, width = self.size
            raise InputError(
                f"{what}: keypoint {parts.numbers[place]} would be at ({x:.1f}, {y:.1f}), outside of the image of "
                f"{width}x{height} pixels; move it less"
            )

    def _normalised(self, by_px: tuple[float, float]) -> tuple[float, float]:
        height, width = self.size
        return 2 * by_px[0] / width, 2 * by_px[1] / height

    def _require_keypoints(self) -> None:
        if self.stream.network.config.style == "adain":
            raise InputError("a model without keypoints (model.style=adain): only its background can be edited")
