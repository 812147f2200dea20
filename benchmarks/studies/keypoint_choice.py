"""Which of a detector's keypoints to keep, from the images of a folder, without labels; `chosen.json`.

PROJECT/chosen.json   the choice of a project of `kpdetect run` that learns more keypoints than it keeps
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from benchmarks import measurement_records
from benchmarks.metrics.keypoint_information import (
    FEWEST_IMAGES,
    Ranking,
    count_distinct,
    explained_share,
    image_components,
    lost_without,
    rank_apart,
    target_of,
)
from benchmarks.metrics.keypoint_quality import Points, Values
from kpdetect.coords import apply_affine, to_normalised
from kpdetect.data.even_spacing import evenly_spaced
from kpdetect.errors import FormatError, InputError
from kpdetect.files.atomic import read_json
from kpdetect.files.records import Count, Record, checked
from kpdetect.images.arrays import fit_image
from kpdetect.images.image_files import readable
from kpdetect.inference.predictor import BATCH, Predictor

NAME = "chosen.json"
IMAGES = 400
"""The largest number of images that are used."""
SIDE = 32
"""Side in pixels of the grey images whose variation keypoints should explain."""
Kept = int | Literal["auto"]
"""Number of keypoints to keep; `auto` keeps those that move and do not repeat a better keypoint."""


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What a detector predicts on images, and what the images show.

    Attributes:
        keypoints: [images, K, 2], normalised to the square that the network sees, for all K keypoints of the model.
        components: [images, C], principal components of the same squares in grey.
    """

    keypoints: Points
    components: Values


def look_at(predictor: Predictor, paths: Sequence[Path]) -> Seen:
    """Predict keypoints on at most `IMAGES` images, evenly spread over `paths`.

    Raises:
        InputError: fewer than 8 images can be read.
    """
    rows = evenly_spaced(len(paths), IMAGES)
    fitted = [predictor.fit(image) for _, image in readable([paths[row] for row in rows])]
    if len(fitted) < FEWEST_IMAGES:
        raise InputError(f"{len(fitted)} readable images; to compare keypoints, give at least {FEWEST_IMAGES}")
    parts = [predictor.predict_fitted(fitted[at : at + BATCH])[0] for at in range(0, len(fitted), BATCH)]
    size = (predictor.side, predictor.side)
    found = zip(fitted, np.concatenate(parts), strict=True)
    keypoints = [to_normalised(apply_affine(each.matrix, points), size) for each, points in found]
    grey = [fit_image(each.square, SIDE, "stretch")[0].mean(axis=2) for each in fitted]
    return Seen(keypoints=np.stack(keypoints), components=image_components(np.stack(grey)))


@dataclass(frozen=True, kw_only=True)
class KeypointChoice:
    """A choice among the keypoints of a model.

    Attributes:
        kept: numbers of the keypoints that are kept, ascending.
        ranking: all keypoints, the best one first.
        images: number of images that were used.
    """

    kept: tuple[int, ...]
    ranking: Ranking
    images: int

    @property
    def dropped(self) -> tuple[int, ...]:
        """Numbers of the keypoints that are not kept, ascending."""
        return tuple(sorted(set(self.ranking.order) - set(self.kept)))

    @property
    def sentence(self) -> str:
        """Describe the choice."""
        shares = _shares(self.ranking.explained, len(self.kept), self.images)
        return f"kept {len(self.kept)} of {len(self.ranking.order)} keypoints ({', '.join(map(str, self.kept))}): {shares}"

    def to_record(self, weights: str, asked: Kept) -> dict[str, Any]:
        """Convert the choice to values for JSON.

        Args:
            weights: hash of the detector's weights.
            asked: number of keypoints that was asked for.
        """
        return {
            "schema": measurement_records.CHOSEN,
            "detector": weights,
            "images": self.images,
            "asked": asked,
            "kept": list(self.kept),
            "dropped": list(self.dropped),
            "order": list(self.ranking.order),
            "explained": [round(share, 4) for share in self.ranking.explained],
        }


class ChoiceRecord(Record):
    """The parts of `chosen.json` that a later run and the report need."""

    detector: str
    images: Count
    asked: int | str
    kept: tuple[Count, ...]
    dropped: tuple[Count, ...]
    explained: tuple[float, ...]

    @property
    def reason(self) -> str:
        """Say which keypoints are kept, and why, in sentences."""
        count = len(self.kept) + len(self.dropped)
        shares = _shares(self.explained, len(self.kept), self.images)
        if self.asked == "auto":
            which = "those that move and do not repeat another keypoint"
        else:
            which = f"the {self.asked} most informative ones that lie apart"
        return (
            f"The detectors learned {count} keypoints. Kept are {len(self.kept)} ({', '.join(map(str, self.kept))}), {which}. "
            f"{shares[0].upper()}{shares[1:]}."
        )


def _shares(explained: Sequence[float], kept: int, images: int) -> str:
    """Say how much the keypoints explain that are kept, and how much all explain; or that the images are too few to tell.

    A share below 0 means that the regression on some images does worse on the others than their mean does.
    """
    if explained[kept - 1] < 0:
        return f"{images} images are too few to tell how much of the variation between images they explain"
    shares = f"they explain {100 * explained[kept - 1]:.0f} % of what varies between images"
    return f"{shares}, all {len(explained)} explain {100 * explained[-1]:.0f} %" if explained[-1] >= 0 else shares


def read_choice(path: Path) -> ChoiceRecord | None:
    """Read the choice of an earlier run; None if there is none, or if it is damaged."""
    try:
        content = read_json(path) if path.is_file() else None
        known = isinstance(content, dict) and content.get("schema") == measurement_records.CHOSEN
        choice = checked(ChoiceRecord, content, str(path), advice="remove it") if known else None
    except FormatError:
        return None
    counts = choice is not None and (len(choice.kept), len(choice.explained) - len(choice.dropped))
    return choice if counts and counts[0] == counts[1] > 0 else None


def choose_keypoints(seen: Seen, kept: Kept) -> KeypointChoice:
    """Choose informative keypoints that lie apart, see `benchmarks.metrics.keypoint_information`."""
    ranking = rank_apart(seen.keypoints, target_of(seen.keypoints, seen.components))
    count = count_distinct(seen.keypoints, ranking) if kept == "auto" else kept
    return KeypointChoice(kept=ranking.best(count), ranking=ranking, images=len(seen.keypoints))


@dataclass(frozen=True, kw_only=True)
class Information:
    """How much of the images' variation the keypoints of a model explain.

    Attributes:
        explained: share that all keypoints explain together; 1 is everything.
        lost: for each keypoint number, how much less is explained without this keypoint.
        images: number of images that were used.
    """

    explained: float
    lost: dict[int, float]
    images: int


def measure_information(predictor: Predictor, paths: Sequence[Path]) -> Information:
    """Measure how much of the images' variation the keypoints explain, those that the labels drop left out.

    Raises:
        InputError: fewer than 8 images can be read.
    """
    seen, numbers = look_at(predictor, paths), predictor.skeleton.numbers
    keypoints = seen.keypoints[:, list(numbers)]
    return Information(
        explained=explained_share(keypoints, seen.components),
        lost=dict(zip(numbers, lost_without(keypoints, seen.components).tolist(), strict=True)),
        images=len(keypoints),
    )
