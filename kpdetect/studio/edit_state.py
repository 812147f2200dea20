"""The edits of the studio's Edit page, stored as options of `kpdetect edit`.

The picture, the command and the Python program are all made from these options, so they agree."""

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
"""Number of decimals of pixels, degrees, factors and shares. Values are rounded before drawing, so that the command agrees."""


class Shifted(StrictConfig):
    """Keypoints, and the distance by which they are moved or copied."""

    keypoints: tuple[int, ...] = Field(min_length=1)
    """Numbers of keypoints."""
    by: tuple[float, float]
    """Distance (x, y) in pixels."""


class Look(StrictConfig):
    """Keypoints that take their appearance from another sample."""

    sample: int = Field(ge=0)
    """Number of the other sample."""
    keypoints: tuple[int, ...] = Field(min_length=1)
    """Numbers of keypoints."""


class EditState(StrictConfig):
    """All edits of one sample."""

    pose_from: int | None = Field(None, ge=0)
    """Number of the sample from which the positions of all keypoints are taken; None to keep them."""
    photo: str | None = None
    """Name of an uploaded photo from which the positions of all keypoints are taken instead."""
    scale: float = Field(1.0, gt=0)
    """Factor by which all keypoints are scaled about their mean."""
    rotate: float = 0.0
    """Angle in degrees by which all keypoints are rotated clockwise."""
    moves: tuple[Shifted, ...] = ()
    """Keypoints that are moved."""
    local: bool = False
    """Whether a move changes less of the rest of the image."""
    looks: tuple[Look, ...] = ()
    """Keypoints that take their appearance from other samples."""
    background_from: int | None = Field(None, ge=0)
    """Number of the sample from which the background is taken; None to keep it."""
    add: tuple[Shifted, ...] = ()
    """Keypoints of which a copy is drawn."""
    remove: tuple[int, ...] = ()
    """Numbers of keypoints that are not drawn."""
    mix: float = Field(1.0, ge=0, le=1)
    """Share by which pose, appearance and background change towards the other sample, 0 to 1."""

    @property
    def takes(self) -> bool:
        """Whether anything is taken from another sample or a photo."""
        return self.pose_from is not None or self.photo is not None or bool(self.looks) or self.background_from is not None

    @property
    def empty(self) -> bool:
        """Whether nothing is changed."""
        shaped = (_text(self.scale), _text(self.rotate)) != ("1", "0")
        return not (self.takes or self.moves or self.add or self.remove or shaped)


class EditRequest(StrictConfig):
    """A sample of a model, and its edits."""

    model: str
    """Text that names the model, as commands take it."""
    seed: int = Field(0, ge=0)
    """Random seed of the samples."""
    truncation: float = Field(1.0, gt=0, le=1)
    """Factor on the generator's input noise. Lower values give more typical samples."""
    sample: int = Field(0, ge=0)
    """Number of the sample. Together with the seed it decides the sample."""
    edits: EditState = EditState()
    """Edits of the sample."""
    quick: bool = False
    """Whether the user is dragging. During a drag, pixels may differ from the command's picture by one grey level."""


def options_of(state: EditState) -> dict[str, Any]:
    """Return the options of `kpdetect edit` as texts, by the names of its arguments, without the photo."""
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
    """Make the edits that `kpdetect edit` makes with these options.

    Args:
        editor: editor of the model.
        state: the edits of the page.
        pose: keypoints that were predicted on the photo; None without a photo.

    Raises:
        InputError: an option is invalid, as in `kpdetect edit`.
    """
    return Edits() if state.empty else read_edits(editor, pose=pose, **options_of(state))


def before_moves(edits: Edits) -> Edits:
    """Return only those edits that change keypoints before single keypoints are moved."""
    return replace(edits, moves=(), local=False, appearance_from=(), background_from=None, add=(), remove=())


def shift_text(shift: Shifted) -> str:
    """Write a shift as in `--move 3:5,-2`."""
    return f"{listed(shift.keypoints)}:{_text(shift.by[0])},{_text(shift.by[1])}"


def listed(numbers: tuple[int, ...]) -> str:
    """Write numbers as in `--remove 1,2`."""
    return ",".join(map(str, numbers))


def _text(value: float) -> str:
    return f"{round(value, DIGITS) + 0.0:.10g}"  # + 0.0 turns -0.0 into 0.0
