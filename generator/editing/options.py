"""What `kpdetect edit` does to a sample, read from its options.

Edits apply in this order, whatever the order of the options: pose, scale and rotation, moves, appearance, background, added
parts, removed parts.
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
"""Samples edited by one command."""


@dataclass(frozen=True, kw_only=True)
class Shift:
    """Keypoints, and by how many pixels (x, y)."""

    keypoints: tuple[int, ...]
    by_px: tuple[float, float]


@dataclass(frozen=True, kw_only=True)
class Donor:
    """A sample, and the keypoints whose appearance is taken from it."""

    sample: int
    keypoints: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class Edits:
    """What is changed.

    Attributes:
        pose_from: sample whose keypoints are taken.
        pose: keypoints [K, 2], normalised, taken instead.
        scale, degrees: of all keypoints about their mean; clockwise.
        moves: shifted keypoints; those of one keypoint add up.
        local: whether moves leave more of what is far from them as it is, see `generator.editing.parts.moved`.
        appearance_from: samples whose embeddings are taken.
        background_from: sample whose background is taken.
        add: keypoints drawn once more, so far from where they are.
        remove: keypoints no longer drawn.
        share: in [0, 1], how far pose, appearance and background go towards those that are taken.
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
        """The parts of a sample, edited.

        Raises:
            InputError: the model has no part in an edit.
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
        """What is taken, and the sample it is taken from."""
        found = [] if self.pose_from is None else [("pose", self.pose_from)]
        found += [(f"look {_listed(donor.keypoints)}", donor.sample) for donor in self.appearance_from]
        return found if self.background_from is None else [*found, ("background", self.background_from)]

    def to_record(self) -> dict[str, Any]:
        """JSON-ready, without what is not changed."""
        values = asdict(self) | {"pose": None if self.pose is None else self.pose.tolist()}
        return {each.name: values[each.name] for each in fields(self) if values[each.name] != each.default}


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
    """Edits from the options' texts.

    Args:
        editor: knows the keypoints.
        pose_from, pose, scale, local, background_from: as in `Edits`.
        rotate: degrees.
        move, add: `K:DX,DY`, pixels.
        appearance_from: `J` or `J:K`.
        remove: `K`.
        mix: `Edits.share`.

    Raises:
        InputError: a text that cannot be read, an unknown keypoint, options that contradict each other, or none.
    """
    moves, added = _shifts(editor, "--move", move), _shifts(editor, "--add", add)
    donors = tuple(_donor(editor, text) for text in appearance_from)
    removed = tuple(dict.fromkeys(number for text in remove for number in editor.numbers(text)))
    if not (math.isfinite(rotate) and math.isfinite(scale) and scale > 0):
        raise InputError(f"--scale {scale}, --rotate {rotate}: expected a factor above 0 and an angle in degrees")
    taken = pose_from is not None or pose is not None or bool(donors) or background_from is not None
    if local and not moves:
        raise InputError("--local: nothing is moved; give --move too")
    if mix is not None and not taken:
        raise InputError("--mix: nothing to mix with; give --pose-from, --appearance-from or --background-from too")
    if not (taken or moves or added or removed or (scale, rotate) != (1, 0)):
        raise InputError("nothing to edit; give --move, --appearance-from, --remove or another edit, see kpdetect edit --help")
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
    """What is named one by one has to be drawn; `all` may include what another option removes."""
    named = {"--move": [text.rpartition(":")[0] for text in move], "--add": [text.rpartition(":")[0] for text in add]}
    named["--appearance-from"] = [text.partition(":")[2] for text in appearance_from]
    removed = {number for text in remove for number in editor.numbers(text)}
    for option, texts in named.items():
        for number in (number for text in texts if text not in ("", ALL) for number in editor.numbers(text)):
            if number in removed:
                raise InputError(f"{option} and --remove contradict each other: keypoint {number} is in both; leave one out")
    counts = Counter(number for donor in donors for number in donor.keypoints)
    for number, count in counts.items():
        if count > 1:
            raise InputError(f"--appearance-from: keypoint {number} is taken from {count} samples; take it from one")


def _shifts(editor: Editor, option: str, texts: Iterable[str]) -> tuple[Shift, ...]:
    return tuple(_shift(editor, option, text) for text in texts)


def _shift(editor: Editor, option: str, text: str) -> Shift:
    which, _, numbers = text.rpartition(":")
    try:
        x, y = (float(number) for number in numbers.split(","))
        if not (which and math.isfinite(x) and math.isfinite(y)):
            raise ValueError
    except ValueError:
        raise InputError(f"{option} {text}: expected KEYPOINT:X,Y in pixels, for example {option} 3:5,-2") from None
    return Shift(keypoints=editor.numbers(which), by_px=(x, y))


def _donor(editor: Editor, text: str) -> Donor:
    sample, colon, which = text.partition(":")
    if colon and not which:
        raise InputError(f"--appearance-from {text}: expected SAMPLE or SAMPLE:KEYPOINTS, for example 5:0,3")
    return Donor(sample=read_sample(sample, "--appearance-from"), keypoints=editor.numbers(which if colon else ALL))


def read_sample(text: str, option: str) -> int:
    """The number of a sample.

    Raises:
        InputError: it is none.
    """
    if not (text.strip().isdecimal() and int(text) < 2**63):
        raise InputError(f"{option} {text}: no such sample; expected a number from 0 on")
    return int(text)


def read_samples(text: str) -> list[int]:
    """Numbers of samples, as in `0-7` or `3,5` or both.

    Raises:
        InputError: something else, or more than `MOST`.
    """
    found: dict[int, None] = {}
    for item in text.split(","):
        first, dash, last = item.partition("-")
        start = read_sample(first, "--samples")
        stop = read_sample(last, "--samples") if dash else start
        if stop < start or stop - start >= MOST:
            raise InputError(f"--samples {text}: expected ranges such as 0-7 of at most {MOST:,} samples")
        found |= dict.fromkeys(range(start, stop + 1))
    if len(found) > MOST:
        raise InputError(f"--samples {text}: {len(found):,} samples; expected at most {MOST:,}")
    return list(found)


def _listed(keypoints: Sequence[int]) -> str:
    return ",".join(map(str, keypoints)) if len(keypoints) <= 3 else f"{len(keypoints)} parts"
