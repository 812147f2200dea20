"""Can these keypoints be trusted? A verdict from label-free evidence, in sentences and as `verdict.json`.

Each keypoint is in one state, the first of these that applies:

still       it hardly moves over the images
lost        it does not follow the object when the image is turned, scaled and shifted
duplicate   it always lies beside a steadier keypoint and moves with it
unsteady    it follows, with errors
steady      it follows

A verdict is evidence, not a measured error: keypoints may be steady and still lie where nobody wants them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from benchmarks import measurement_records
from benchmarks.studies.evidence import Evidence
from kpdetect.config import StrictConfig, build_config
from kpdetect.errors import ConfigError, FormatError
from kpdetect.files.atomic import read_json, write_json
from kpdetect.training.forecast import KEYPOINT_IMAGES, MASK_IMAGES

NAME = "verdict.json"
State = Literal["steady", "unsteady", "duplicate", "lost", "still"]
STILL_PERCENT = 0.5
"""A keypoint whose standard deviation is below this share of the side hardly moves."""
STEADY_SHARE, LOST_SHARE = 0.3, 0.6
"""Errors under views, as a share of those of keypoints that never move: steady below the first, lost above the second."""
LITTLE_REACH = 0.5
"""Share of the foreground near keypoints below which a sentence says so."""


class KeypointVerdict(StrictConfig):
    """One keypoint; shares of a floor are 0 for a perfect keypoint and 1 for one that looks at no image."""

    number: int
    """The model's number."""
    state: State
    """See the module's text."""
    repeats: int | None = None
    """Of a duplicate: the number of the keypoint that it repeats."""
    motion_percent: float
    """Standard deviation over the images, in percent of the side."""
    view_error: float
    """Error on turned, scaled and shifted images, as a share of the floor."""
    mirror_error: float
    """Error on mirrored images after matching, as a share of the floor."""
    redrawn_error: float | None = None
    """Error in images drawn with the keypoints of real ones, as a share of the floor; null without a generator."""
    nearest: int | None = None
    """Number of the nearest other keypoint; null for a single keypoint."""
    nearest_percent: float | None = None
    """Mean distance to it, in percent of the side."""
    shared_motion: float
    """Share of its motion that the nearest keypoint has too."""
    known_to_other: float | None = None
    """Share of its motion that another detector's keypoints explain; null without one."""


class Verdict(StrictConfig):
    """What is said of a detector."""

    detector: str
    """Hash of the detector's weights."""
    generator: str | None = None
    """Hash of the generator's weights, where one was looked at."""
    other: str | None = None
    """Hash of another detector's weights, where one was compared."""
    images: int
    """Images that were looked at."""
    images_seen: int | None = None
    """Images that the generator saw in training; null where that is not known."""
    score: float
    """Mean over keypoints of 1 - error under views (0 for one that is still, lost or a duplicate); 0 to 1."""
    within_reach: float | None = None
    """Share of the drawn foreground within a tenth of the side of a keypoint; null where that is not known."""
    keypoints: tuple[KeypointVerdict, ...]
    """One entry a keypoint."""
    sentences: tuple[str, ...] = ()
    """The verdict in words."""


def judge_keypoints(
    evidence: Evidence,
    *,
    detector: str,
    generator: str | None = None,
    other: str | None = None,
    images_seen: int | None = None,
) -> Verdict:
    """The verdict on evidence.

    Args:
        evidence: see `benchmarks.studies.evidence`.
        detector: hash of the detector's weights.
        generator: hash of the generator's weights, if it was part of the evidence.
        other: hash of the other detector's weights, if there was one.
        images_seen: images that the generator saw in training, where that is known.
    """
    keypoints = tuple(_keypoint(evidence, place) for place in range(len(evidence.numbers)))
    useful = [max(0.0, 1 - each.view_error) if each.state in ("steady", "unsteady") else 0.0 for each in keypoints]
    verdict = Verdict(
        detector=detector,
        generator=generator,
        other=other,
        images=evidence.images,
        images_seen=images_seen,
        score=round(sum(useful) / len(useful), 3),
        within_reach=None if evidence.within_reach is None else round(evidence.within_reach, 3),
        keypoints=keypoints,
    )
    return verdict.model_copy(update={"sentences": tuple(sentences(verdict))})


def _keypoint(evidence: Evidence, place: int) -> KeypointVerdict:
    near, numbers = evidence.neighbours, evidence.numbers
    alone, redrawn, known = near.nearest[place] < 0, evidence.redrawn_error, evidence.known_to_other
    return KeypointVerdict(
        number=numbers[place],
        state=_state(evidence, place),
        repeats=numbers[evidence.duplicates[place]] if _state(evidence, place) == "duplicate" else None,
        motion_percent=_short(evidence.motion[place]),
        view_error=_short(evidence.view_error[place]),
        mirror_error=_short(evidence.mirror_error[place]),
        redrawn_error=None if redrawn is None else _short(redrawn[place]),
        nearest=None if alone else numbers[int(near.nearest[place])],
        nearest_percent=None if alone else _short(near.distance[place]),
        shared_motion=_short(near.shared[place]),
        known_to_other=None if known is None else _short(known[place]),
    )


def _state(evidence: Evidence, place: int) -> State:
    if evidence.motion[place] < STILL_PERCENT:
        return "still"
    if evidence.view_error[place] > LOST_SHARE:
        return "lost"
    if place in evidence.duplicates:
        return "duplicate"
    return "steady" if evidence.view_error[place] <= STEADY_SHARE else "unsteady"


def _short(value: float) -> float:
    return round(float(value), 3)


def sentences(verdict: Verdict) -> list[str]:
    """A verdict in words."""
    of_state = {state: [each for each in verdict.keypoints if each.state == state] for state in PHRASES}
    steady, count = sum(each.state == "steady" for each in verdict.keypoints), len(verdict.keypoints)
    said = [f"{steady} of {count} keypoints {'is' if steady == 1 else 'are'} steady."]
    for state, (one, several) in PHRASES.items():
        if found := of_state[state]:
            originals = f" (of {_listed([each.repeats for each in found])})" if state == "duplicate" else ""
            said.append(f"{_listed([each.number for each in found])} {one if len(found) == 1 else several}{originals}.")
    if known := [each.known_to_other for each in verdict.keypoints if each.known_to_other is not None]:
        said.append(f"The other detector explains {100 * max(0.0, sum(known) / len(known)):.0f} % of their motion.")
    if verdict.within_reach is not None and verdict.within_reach < LITTLE_REACH:
        said.append(f"Keypoints are near {100 * verdict.within_reach:.0f} % of the object; parts of it have none.")
    if verdict.images_seen is not None and verdict.images_seen < KEYPOINT_IMAGES:
        needed = MASK_IMAGES if verdict.images_seen < MASK_IMAGES else KEYPOINT_IMAGES
        purpose = "a mask needs" if needed == MASK_IMAGES else "keypoints need"
        seen = f"The generator saw {verdict.images_seen:,} images and {purpose} about {needed:,}"
        said.append(f"{seen}: train longer, the same command with a larger budget continues.")
    return said


PHRASES = {
    "unsteady": ("follows the object with errors", "follow the object with errors"),
    "duplicate": ("is a duplicate", "are duplicates"),
    "lost": ("does not follow the object", "do not follow the object"),
    "still": ("hardly moves", "hardly move"),
}
"""What is said of keypoints that are not steady, of one and of several."""
CAUTION = "This is evidence without labels, not a measured error: look at the images, or measure on a few annotated ones."
"""Stands below every verdict."""


def _listed(numbers: list[int | None]) -> str:
    """1, 2 and 3."""
    names = [str(number) for number in numbers]
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))


def write_verdict(verdict: Verdict, path: Path) -> None:
    """Write `verdict.json`.

    Raises:
        OutputError: it cannot be written.
    """
    write_json(path, {"schema": measurement_records.VERDICT, **verdict.model_dump(mode="json")})


def read_verdict(path: Path) -> Verdict:
    """Read `verdict.json`.

    Raises:
        InputError: the file is missing.
        FormatError: it is damaged, or something else.
    """
    content = read_json(path)
    if not isinstance(content, dict) or content.pop("schema", None) != measurement_records.VERDICT:
        raise FormatError(f"{path}: not a verdict of kpdetect; run `kpdetect report` again")
    try:
        return build_config(Verdict, content, source=str(path))
    except ConfigError as error:
        raise FormatError(f"{error}; run `kpdetect report` again") from error
