"""The verdict on keypoints in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kpdetect.training.forecast import GENERATOR, MATCHED_DETECTOR

if TYPE_CHECKING:
    from benchmarks.studies.verdict import Verdict

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
ERRORS = {
    (0.8, 1.0): (0.07, 0.18, 0.54),
    (0.7, 0.8): (0.20, 0.42, 0.61),
    (0.6, 0.7): (0.24, 0.52, 0.71),
    (0.5, 0.6): (0.44, 0.61, 0.73),
    (0.3, 0.5): (0.62, 0.78, 0.82),
    (0.0, 0.3): (0.60, 0.74, 1.00),
}
"""For scores from a lower to an upper bound: lowest, median and highest error of the measured detectors, as shares of the mean
shape's error (docs/howto/measure.md)."""
LITTLE_REACH, LITTLE_HULL = 0.5, 0.5
"""The verdict mentions the shares of the object near keypoints, and in their hull, if they are below these values."""


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
    low, high = next(bounds for bounds in ERRORS if verdict.score >= bounds[0])
    lowest, median, highest = ERRORS[low, high]
    scores = f"below {high}" if low == 0 else f"above {low}" if high == 1 else f"of {low} to {high}"
    return (
        f"In measurements, detectors with a score {scores} had {lowest:.2f} to {highest:.2f} of the mean shape's error "
        f"(median {median:.2f})."
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
