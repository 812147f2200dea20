"""The edits of a sample, read from the options of `kpdetect edit`.

The order of the options makes no difference. Edits always apply in this order: pose, scale and rotation, moves, appearance,
background, added parts, removed parts.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from generator.editing.editor import ALL, Editor
from generator.keypoints import Parts
from kpdetect.errors import InputError

MOST = 1_000
"""The largest number of samples per command."""


@dataclass(frozen=True, kw_only=True)
class Shift:
    """Keypoints and their shift (x, y) in pixels."""

    keypoints: tuple[int, ...]
    by_px: tuple[float, float]


@dataclass(frozen=True, kw_only=True)
class Donor:
    """A sample, and the keypoints whose appearance is taken from it."""

    sample: int
    keypoints: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class Edits:
    """The changes to a sample.

    Attributes:
        pose_from: number of the sample whose keypoints are taken; None to keep the keypoints.
        pose: normalised keypoints [K, 2] to take instead of a sample's; None without them.
        scale, degrees: factor and clockwise rotation of all keypoints about their mean.
        moves: shifts of keypoints; several shifts of one keypoint add up.
        local: whether moves change distant image regions less, see `generator.editing.parts.moved`.
        appearance_from: samples whose embeddings are taken, each for some keypoints.
        background_from: number of the sample whose background is taken; None to keep the background.
        add: keypoints drawn a second time, and the shift of the copy.
        remove: keypoints that are not drawn.
        share: in [0, 1], weight of the pose, appearance and background of the other samples.
    """

    pose_from: int | None = None
    pose: NDArray[np.float32] | None = field(default=None, compare=False)
    scale: float = 1.0
    degrees: float = 0.0
    moves: tuple[Shift, ...] = ()
    local: bool = False
    appearance_from: tuple[Donor, ...] = ()
    background_from: int | None = None
    add: tuple[Shift, ...] = ()
    remove: tuple[int, ...] = ()
    share: float = 1.0

    def apply(self, editor: Editor, parts: Parts) -> Parts:
        """Apply the edits to the parts of a sample.

        Raises:
            InputError: the model does not support an edit.
        """
        pose = self.pose if self.pose_from is None else editor.sample(self.pose_from)
        if pose is not None:
            parts = editor.pose(parts, pose, self.share)
        if (self.scale, self.degrees) != (1, 0):
            parts = editor.turn(parts, scale=self.scale, degrees=self.degrees)
        for move in self.moves:
            parts = editor.move(parts, move.keypoints, move.by_px, local=self.local)
        for donor in self.appearance_from:
            parts = editor.appearance(parts, editor.sample(donor.sample), donor.keypoints, self.share)
        if self.background_from is not None:
            parts = editor.background(parts, editor.sample(self.background_from), self.share)
        for copy in self.add:
            parts = editor.add(parts, copy.keypoints, copy.by_px)
        return editor.remove(parts, self.remove) if self.remove else parts

    @property
    def sources(self) -> list[tuple[str, int]]:
        """The properties that are taken from other samples, each with the number of that sample."""
        sources = [] if self.pose_from is None else [("pose", self.pose_from)]
        sources += [(f"look {_listed(donor.keypoints)}", donor.sample) for donor in self.appearance_from]
        return sources if self.background_from is None else [*sources, ("background", self.background_from)]

    def to_record(self) -> dict[str, Any]:
        """Return the edits as a JSON-ready record, without the fields that have their default values."""
        values = asdict(self) | {"pose": None if self.pose is None else self.pose.tolist()}
        return {edit.name: values[edit.name] for edit in fields(self) if values[edit.name] != edit.default}


def read_edits(
    editor: Editor,
    *,
    pose_from: int | None = None,
    pose: NDArray[np.float32] | None = None,
    scale: float = 1.0,
    rotate: float = 0.0,
    move: Sequence[str] = (),
    local: bool = False,
    appearance_from: Sequence[str] = (),
    background_from: int | None = None,
    add: Sequence[str] = (),
    remove: Sequence[str] = (),
    mix: float | None = None,
) -> Edits:
    """Read edits from the texts of the options.

    Args:
        editor: the editor, which knows the names of the keypoints.
        pose_from, pose, scale, local, background_from: as in `Edits`.
        rotate: clockwise rotation of all keypoints about their mean, in degrees.
        move, add: texts `K:DX,DY`, keypoint K and its shift in pixels.
        appearance_from: texts `J` or `J:K`: sample J, and keypoint K (without K, all keypoints).
        remove: keypoints to remove.
        mix: see `Edits.share`; None for 1.

    Raises:
        InputError: a text cannot be read, a keypoint is unknown, options contradict each other, or there is no edit.
    """
    moves, added = _shifts(editor, "move", move), _shifts(editor, "add", add)
    donors = tuple(_donor(editor, text) for text in appearance_from)
    removed = tuple(dict.fromkeys(number for text in remove for number in editor.numbers(text)))
    if not (math.isfinite(rotate) and math.isfinite(scale) and scale > 0):
        raise InputError(f"`scale={scale}`, `rotate={rotate}`: expected a factor above 0 and an angle in degrees")
    taken = pose_from is not None or pose is not None or bool(donors) or background_from is not None
    if local and not moves:
        raise InputError("`local`: there is no move; give `move` too")
    if mix is not None and not taken:
        raise InputError("`mix`: there is no second sample; give `pose_from`, `appearance_from` or `background_from` too")
    if not (taken or moves or added or removed or (scale, rotate) != (1, 0)):
        raise InputError("nothing to edit; give `move`, `appearance_from`, `remove` or another edit of `kpdetect edit`")
    _require_consistent(editor, move, appearance_from, add, remove, donors)
    return Edits(
        pose_from=pose_from,
        pose=pose,
        scale=scale,
        degrees=rotate,
        moves=moves,
        local=local,
        appearance_from=donors,
        background_from=background_from,
        add=added,
        remove=removed,
        share=1.0 if mix is None else mix,
    )


def _require_consistent(
    editor: Editor,
    move: Sequence[str],
    appearance_from: Sequence[str],
    add: Sequence[str],
    remove: Sequence[str],
    donors: Sequence[Donor],
) -> None:
    """Check that no option names a keypoint that is also removed; `all` may include removed keypoints."""
    named = {"move": [text.rpartition(":")[0] for text in move], "add": [text.rpartition(":")[0] for text in add]}
    named["appearance_from"] = [text.partition(":")[2] for text in appearance_from]
    removed = {number for text in remove for number in editor.numbers(text)}
    for option, texts in named.items():
        for number in (number for text in texts if text not in ("", ALL) for number in editor.numbers(text)):
            if number in removed:
                raise InputError(f"`{option}` and `remove` contradict each other: keypoint {number} is in both; leave one out")
    counts = Counter(number for donor in donors for number in donor.keypoints)
    for number, count in counts.items():
        if count > 1:
            raise InputError(f"`appearance_from`: keypoint {number} comes from {count} samples; expected one")


def _shifts(editor: Editor, option: str, texts: Iterable[str]) -> tuple[Shift, ...]:
    return tuple(_shift(editor, option, text) for text in texts)


def _shift(editor: Editor, option: str, text: str) -> Shift:
    which, _, numbers = text.rpartition(":")
    try:
        x, y = (float(number) for number in numbers.split(","))
        if not (which and math.isfinite(x) and math.isfinite(y)):
            raise ValueError
    except ValueError:
        raise InputError(f"`{option}={text}`: expected KEYPOINT:X,Y in pixels, for example `{option}=3:5,-2`") from None
    return Shift(keypoints=editor.numbers(which), by_px=(x, y))


def _donor(editor: Editor, text: str) -> Donor:
    sample, colon, which = text.partition(":")
    if colon and not which:
        raise InputError(f"`appearance_from={text}`: expected SAMPLE or SAMPLE:KEYPOINTS, for example 5:0,3")
    return Donor(sample=read_sample(sample, "appearance_from"), keypoints=editor.numbers(which if colon else ALL))


def read_sample(text: str, option: str) -> int:
    """Read the number of a sample; `option` is the parameter that the message names.

    Raises:
        InputError: the text is not the number of a sample.
    """
    if not (text.strip().isdecimal() and int(text) < 2**63):
        raise InputError(f"`{option}={text}`: no such sample; expected a whole number, 0 or more")
    return int(text)


def read_samples(text: str) -> list[int]:
    """Read numbers of samples, such as `0-7`, `3,5` or `0-7,12`.

    Raises:
        InputError: the text does not list samples, or lists more than `MOST`.
    """
    numbers: dict[int, None] = {}
    for item in text.split(","):
        first, dash, last = item.partition("-")
        start = read_sample(first, "samples")
        stop = read_sample(last, "samples") if dash else start
        if stop < start or stop - start >= MOST:
            raise InputError(f"`samples={text}`: expected ranges such as 0-7 of at most {MOST:,} samples")
        numbers |= dict.fromkeys(range(start, stop + 1))
    if len(numbers) > MOST:
        raise InputError(f"`samples={text}`: {len(numbers):,} samples; expected at most {MOST:,}")
    return list(numbers)


def _listed(keypoints: Sequence[int]) -> str:
    return ",".join(map(str, keypoints)) if len(keypoints) <= 3 else f"{len(keypoints)} parts"
