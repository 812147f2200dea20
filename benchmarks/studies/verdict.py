"""Can the keypoints be trusted? A verdict from evidence without annotations, in sentences and as `verdict.json`.

Each keypoint has one state, the first of these that applies:

still       the keypoint hardly moves over the images
lost        the keypoint follows a rotated, scaled and shifted image worse than 0.6 of its own motion
duplicate   the keypoint always lies next to a steadier keypoint and moves with it
unsteady    the keypoint follows the object, with errors above 0.3 of its own motion
steady      the keypoint follows the object

The score is high if the keypoints show many independent movements together, and if their errors are small compared with their
motion; see `benchmarks.metrics.keypoint_quality.keypoint_score`. Keypoints that crowd one spot move together, so their score is
lower even if each of them is steady.

A verdict is evidence, not a measured error: a steady keypoint may lie on a point of the object that is of no use.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from benchmarks import measurement_records
from benchmarks.metrics.keypoint_quality import STILL_PERCENT, errors_of_score, keypoint_score
from benchmarks.studies.evidence import Evidence
from kpdetect.config import StrictConfig, build_config
from kpdetect.errors import ConfigError, FormatError
from kpdetect.files.atomic import read_json, write_json
from kpdetect.training.forecast import GENERATOR, MATCHED_DETECTOR
from kpdetect.training.stage_choice import StageChoice, StageScore

NAME = "verdict.json"
State = Literal["steady", "unsteady", "duplicate", "lost", "still"]
STEADY_SHARE, LOST_SHARE = 0.3, 0.6
"""Bounds of a keypoint's `noise`: a keypoint is steady up to the first, and lost above the second."""
PHRASES = {
    "unsteady": ("follows the object with errors", "follow the object with errors"),
    "duplicate": ("is a duplicate", "are duplicates"),
    "lost": ("does not follow the object", "do not follow the object"),
    "still": ("hardly moves", "hardly move"),
}
"""For each state except steady, the phrases for one keypoint and for several keypoints."""
CAUTION = "This is evidence without labels, not a measured error: look at the images, or measure on a few annotated ones."
"""The last sentence of every verdict."""
LITTLE_SCORE = 0.5
"""The verdict explains a score below this."""
LITTLE_REACH, LITTLE_HULL = 0.5, 0.5
"""The verdict mentions the shares of the object near keypoints, and in their hull, if they are below these values."""


class KeypointVerdict(StrictConfig):
    """The verdict on one keypoint.

    Errors are divided by the error of a keypoint that does not depend on the image (the floor). So 0 is a perfect keypoint, and
    1 a keypoint that does not depend on the image.
    """

    number: int
    """The model's number of the keypoint."""
    state: State
    """State of the keypoint; the module's docstring defines the states."""
    repeats: int | None = None
    """Number of the keypoint that a duplicate repeats; null for other states."""
    motion_percent: float
    """Standard deviation over the images, in percent of the side."""
    noise: float
    """Error on rotated, scaled and shifted images, as a share of the keypoint's motion; 10 for a keypoint that never moves."""
    view_error: float
    """Error on rotated, scaled and shifted images, as a share of the floor."""
    mirror_error: float
    """Error on mirrored images after left and right keypoints are matched, as a share of the floor."""
    redrawn_error: float | None = None
    """Error in images drawn with the keypoints of real images, as a share of the floor; null without a generator."""
    nearest: int | None = None
    """Number of the nearest other keypoint; null for a single keypoint."""
    nearest_percent: float | None = None
    """Mean distance to the nearest other keypoint, in percent of the side; null for a single keypoint."""
    shared_motion: float
    """Share of the keypoint's motion that the nearest keypoint has too, 0 to 1."""
    known_to_other: float | None = None
    """Share of the motion that another detector's keypoints explain; null without another detector."""


class Verdict(StrictConfig):
    """The verdict on a detector, as in `verdict.json`."""

    detector: str
    """Hash of the detector's weights."""
    generator: str | None = None
    """Hash of the generator's weights; null without a generator."""
    other: str | None = None
    """Hash of the weights of the other detector; null without another detector."""
    images: int
    """Number of images that were used."""
    images_seen: int | None = None
    """Number of images that the generator saw in training; null if it is not known."""
    matched_seen: int | None = None
    """Number of images that the first detector of the method `correspondence` saw in training; null with another method, or if
    it is not known."""
    score: float
    """Score without labels, 0 to 1: of `movements` and the keypoints' `noise`, see
    `benchmarks.metrics.keypoint_quality.keypoint_score`."""
    movements: float
    """Number of independent movements that the keypoints show together above their errors."""
    within_reach: float | None = None
    """Share of the object within a tenth of the side of a keypoint, 0 to 1; null if it is not known."""
    within_hull: float | None = None
    """Share of the object in the keypoints' convex hull, 0 to 1; null if it is not known."""
    coverage_unknown: str | None = None
    """Why `within_reach` and `within_hull` are not known; null if they are."""
    keypoints: tuple[KeypointVerdict, ...]
    """One entry per keypoint."""
    chosen: str | None = None
    """Stage of the project that trained the detector, if it was chosen among several; else null."""
    stages: tuple[StageScore, ...] = ()
    """Scores of all detectors of the project among which this one was chosen; empty without a choice."""
    sentences: tuple[str, ...] = ()
    """The verdict in words."""


def judge_keypoints(
    evidence: Evidence,
    *,
    detector: str,
    generator: str | None = None,
    other: str | None = None,
    images_seen: int | None = None,
    matched_seen: int | None = None,
) -> Verdict:
    """Judge keypoints from evidence.

    Args:
        evidence: evidence on the keypoints; see `benchmarks.studies.evidence`.
        detector: hash of the detector's weights.
        generator: hash of the generator's weights; None if the evidence does not use a generator.
        other: hash of the other detector's weights; None without another detector.
        images_seen: number of images that the generator saw in training; None if it is not known.
        matched_seen: number of images that the first detector saw in training if it learned from matches (the method
            `correspondence`); None if it did not, or if the number is not known.
    """
    keypoints = tuple(_keypoint(evidence, place) for place in range(len(evidence.numbers)))
    coverage = evidence.coverage
    verdict = Verdict(
        detector=detector,
        generator=generator,
        other=other,
        images=evidence.images,
        images_seen=images_seen,
        matched_seen=matched_seen,
        score=_short(keypoint_score(evidence.movements, evidence.noise)),
        movements=_short(evidence.movements),
        within_reach=None if coverage.within_reach is None else _short(coverage.within_reach),
        within_hull=None if coverage.within_hull is None else _short(coverage.within_hull),
        coverage_unknown=coverage.unknown,
        keypoints=keypoints,
    )
    return verdict.model_copy(update={"sentences": tuple(sentences(verdict))})


def with_choice(verdict: Verdict, choice: StageChoice | None) -> Verdict:
    """Add the choice among a project's detectors to the verdict on the chosen one, or replace an earlier one."""
    said = tuple(sentences(verdict))
    if choice is None:
        return verdict.model_copy(update={"chosen": None, "stages": (), "sentences": said})
    added = {"chosen": choice.chosen, "stages": choice.stages, "sentences": (*said, choice.sentence)}
    return verdict.model_copy(update=added)


def _keypoint(evidence: Evidence, place: int) -> KeypointVerdict:
    near, numbers = evidence.neighbours, evidence.numbers
    alone, redrawn, known = near.nearest[place] < 0, evidence.redrawn_error, evidence.known_to_other
    return KeypointVerdict(
        number=numbers[place],
        state=_state(evidence, place),
        repeats=numbers[evidence.duplicates[place]] if _state(evidence, place) == "duplicate" else None,
        motion_percent=_short(evidence.motion[place]),
        noise=_short(evidence.noise[place]),
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
    if evidence.noise[place] > LOST_SHARE:
        return "lost"
    if place in evidence.duplicates:
        return "duplicate"
    return "steady" if evidence.noise[place] <= STEADY_SHARE else "unsteady"


def _short(value: float) -> float:
    return round(float(value), 3)


def sentences(verdict: Verdict) -> list[str]:
    """Describe a verdict in sentences."""
    of_state = {state: [point for point in verdict.keypoints if point.state == state] for state in PHRASES}
    steady, count = sum(point.state == "steady" for point in verdict.keypoints), len(verdict.keypoints)
    said = [f"{steady} of {count} keypoints {'is' if steady == 1 else 'are'} steady."]
    for state, (one, several) in PHRASES.items():
        if points := of_state[state]:
            originals = f" (of {_listed([point.repeats for point in points])})" if state == "duplicate" else ""
            said.append(f"{_listed([point.number for point in points])} {one if len(points) == 1 else several}{originals}.")
    said += [_movements(verdict), _errors(verdict), *_coverage(verdict)]
    if known := [point.known_to_other for point in verdict.keypoints if point.known_to_other is not None]:
        share = f"{100 * max(0.0, sum(known) / len(known)):.0f} %"
        said.append(f"The other detector's keypoints explain {share} of the keypoints' motion.")
    return said + _too_little_training(verdict)


def _movements(verdict: Verdict) -> str:
    most = 2 * len(verdict.keypoints)
    shown = f"{verdict.movements:.0f} of at most {most} independent movements"
    said = f"Together the keypoints show {shown} (score {verdict.score:.2f})"
    return f"{said}: most of them move together, or are unsteady." if verdict.score < LITTLE_SCORE else f"{said}."


def _errors(verdict: Verdict) -> str:
    """Say which errors detectors with such a score had on annotated images."""
    (low, high), (lowest, median, highest) = errors_of_score(verdict.score)
    scores = f"below {high}" if low == 0 else f"of {low} or more" if high == 1 else f"of {low} to {high}"
    return (
        f"Of 106 measured detectors, those with a score {scores} had {lowest:.2f} to {highest:.2f} of the mean shape's error "
        f"(median {median:.2f}; 1: nothing learned)."
    )


def _too_little_training(verdict: Verdict) -> list[str]:
    """Say which network saw too few images; no sentences if none did."""
    trained = ("generator", verdict.images_seen, GENERATOR), ("first detector", verdict.matched_seen, MATCHED_DETECTOR)
    return [
        f"The {network} saw {seen:,} images and needs {guidance.fewest:,} to {guidance.plenty:,}: train longer; the same "
        "command with a larger budget continues the training."
        for network, seen, guidance in trained
        if seen is not None and seen < guidance.fewest
    ]


def _coverage(verdict: Verdict) -> list[str]:
    """Describe the coverage; no sentences if it is good."""
    if verdict.within_reach is None or verdict.within_hull is None:
        return (
            [f"How much of the object has keypoints is unknown: {verdict.coverage_unknown}."]
            if verdict.coverage_unknown
            else []
        )
    said = []
    if verdict.within_hull < LITTLE_HULL and len(verdict.keypoints) > 2:
        said.append(f"The keypoints enclose {100 * verdict.within_hull:.0f} % of the object; its outer parts have none.")
    if verdict.within_reach < LITTLE_REACH:
        said.append(f"Keypoints are near {100 * verdict.within_reach:.0f} % of the object; parts of it have none.")
    return said


def _listed(numbers: list[int | None]) -> str:
    """List numbers as in "1, 2 and 3"."""
    names = [str(number) for number in numbers]
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))


def write_verdict(verdict: Verdict, path: Path) -> None:
    """Write `verdict.json`.

    Raises:
        OutputError: the file cannot be written.
    """
    write_json(path, {"schema": measurement_records.VERDICT, **verdict.model_dump(mode="json")})


def read_verdict(path: Path) -> Verdict:
    """Read `verdict.json`.

    Raises:
        InputError: the file is missing.
        FormatError: the file is damaged, or not a verdict.
    """
    content = read_json(path)
    schema = content.pop("schema", None) if isinstance(content, dict) else None
    if schema in measurement_records.EARLIER_VERDICTS:
        raise FormatError(
            f"{path}: judged by an earlier version, whose score means something else; run `kpdetect report` again"
        )
    if schema != measurement_records.VERDICT:
        raise FormatError(f"{path}: not a verdict of kpdetect; run `kpdetect report` again")
    try:
        return build_config(Verdict, content, source=str(path))
    except ConfigError as error:
        raise FormatError(f"{error}; run `kpdetect report` again") from error
