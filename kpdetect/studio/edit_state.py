"""What the room Edit has changed, as the options of `kpdetect edit`: one text for drawing, for the command and for Python."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from generator.editing.editor import Editor
from generator.editing.options import Edits, read_edits
from kpdetect.config import StrictConfig

DIGITS = 2
"""Decimals of pixels, degrees, factors and shares; what is drawn is what the command says."""


class Shifted(StrictConfig):
    """Keypoints, and how far they are moved or copied."""

    keypoints: tuple[int, ...] = Field(min_length=1)
    """Numbers of keypoints."""
    by: tuple[float, float]
    """Pixels (x, y)."""


class Look(StrictConfig):
    """Keypoints that look as in another sample."""

    sample: int = Field(ge=0)
    """The other sample."""
    keypoints: tuple[int, ...] = Field(min_length=1)
    """Numbers of keypoints."""


class EditState(StrictConfig):
    """Everything that is changed on a sample."""

    pose_from: int | None = Field(None, ge=0)
    """Sample whose keypoints are taken."""
    photo: str | None = None
    """Name of an uploaded photo whose keypoints are taken instead."""
    scale: float = Field(1.0, gt=0)
    """Factor on all keypoints about their mean."""
    rotate: float = 0.0
    """Degrees, clockwise."""
    moves: tuple[Shifted, ...] = ()
    """Moved keypoints."""
    local: bool = False
    """Whether moves leave more of the rest as it is."""
    looks: tuple[Look, ...] = ()
    """Looks of other samples."""
    background_from: int | None = Field(None, ge=0)
    """Sample whose background is taken."""
    add: tuple[Shifted, ...] = ()
    """Keypoints drawn once more."""
    remove: tuple[int, ...] = ()
    """Keypoints drawn no more."""
    mix: float = Field(1.0, ge=0, le=1)
    """How far pose, looks and background go."""

    @property
    def takes(self) -> bool:
        """Whether anything is taken from elsewhere."""
        return self.pose_from is not None or self.photo is not None or bool(self.looks) or self.background_from is not None

    @property
    def empty(self) -> bool:
        """Whether nothing is changed."""
        shaped = (_text(self.scale), _text(self.rotate)) != ("1", "0")
        return not (self.takes or self.moves or self.add or self.remove or shaped)


class EditRequest(StrictConfig):
    """A sample of a model, and what is changed."""

    model: str
    """As commands take it."""
    seed: int = Field(0, ge=0)
    """First half of a sample's address."""
    truncation: float = Field(1.0, gt=0, le=1)
    """Factor on the noise."""
    sample: int = Field(0, ge=0)
    """Second half."""
    edits: EditState = EditState()
    """What is changed."""
    quick: bool = False
    """Whether a drag goes on. The picture then may differ from the command's by a grey level here and there; the one that is
    drawn when the drag ends does not."""


def options_of(state: EditState) -> dict[str, Any]:
    """The options of `kpdetect edit`, by the names of its arguments and with the texts that it is given; without the photo."""
    values: dict[str, Any] = {}
    if state.pose_from is not None:
        values["pose_from"] = state.pose_from
    if _text(state.scale) != "1":
        values["scale"] = float(_text(state.scale))
    if _text(state.rotate) != "0":
        values["rotate"] = float(_text(state.rotate))
    if state.moves:
        values["move"] = [shift_text(each) for each in state.moves]
        values["local"] = state.local
    if state.looks:
        values["appearance_from"] = [f"{look.sample}:{listed(look.keypoints)}" for look in state.looks]
    if state.background_from is not None:
        values["background_from"] = state.background_from
    if state.add:
        values["add"] = [shift_text(each) for each in state.add]
    if state.remove:
        values["remove"] = [listed(state.remove)]
    if state.takes and _text(state.mix) != "1":
        values["mix"] = float(_text(state.mix))
    return values


def edits_of(editor: Editor, state: EditState, pose: NDArray[np.float32] | None = None) -> Edits:
    """What `kpdetect edit` would do with these options; `pose` are the keypoints found in the photo.

    Raises:
        InputError: as of that command.
    """
    return Edits() if state.empty else read_edits(editor, pose=pose, **options_of(state))


def before_moves(edits: Edits) -> Edits:
    """Only what happens to keypoints before they are moved."""
    return replace(edits, moves=(), local=False, appearance_from=(), background_from=None, add=(), remove=())


def shift_text(shift: Shifted) -> str:
    """As in `--move 3:5,-2`."""
    return f"{listed(shift.keypoints)}:{_text(shift.by[0])},{_text(shift.by[1])}"


def listed(numbers: tuple[int, ...]) -> str:
    """As in `--remove 1,2`."""
    return ",".join(map(str, numbers))


def _text(value: float) -> str:
    return f"{round(value, DIGITS) + 0.0:.10g}"  # + 0.0: no -0
