"""Which of a project's detectors is used: the one that `kpdetect run` chose by its score, as PROJECT/stages.json says."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

from kpdetect.errors import FormatError
from kpdetect.files.atomic import read_json, write_json
from kpdetect.files.hashes import file_hash
from kpdetect.files.records import Count, Record, checked
from kpdetect.messages import log

NAME = "stages.json"
SCHEMA = "kpdetect-stages"
CERTAIN = 0.95
"""A score counts as better than another one if it is better in at least this share of the resamplings of the images."""


class StageScore(Record):
    """The score of one of a project's detectors."""

    stage: str
    """Folder of the detector in the project: `detector`, `refined`, or `taught-1` and so on."""
    weights: str
    """Hash of the detector's weights."""
    score: float
    """Score without labels (see `benchmarks.studies.verdict`) of all keypoints that the detector learned, 0 to 1."""
    low: float
    """Lower end of the interval that holds 90 % of the scores of resampled images."""
    high: float
    """Upper end of this interval."""
    rises: float | None = None
    """Share of the resamplings in which the score is better than that of the stage before; null for the first stage."""


class StageChoice(Record):
    """The choice among a project's detectors, as in `stages.json`."""

    chosen: str
    """Stage of the detector that is used."""
    images: Count
    """Number of images that the scores come from."""
    stages: tuple[StageScore, ...]
    """One entry for each detector, in the order in which they were trained."""
    sentence: str
    """Why this detector is used."""

    def is_of(self, weights: Mapping[str, Path]) -> bool:
        """Tell whether the choice was made among exactly those of these weights files, given by stage, that exist."""
        there = {stage: _hash(path) for stage, path in weights.items() if path.is_file()}
        return {each.stage: each.weights for each in self.stages} == there

    def rises_at(self, stage: str) -> bool:
        """Tell whether a stage's score is better than that of the stage before it, beyond the noise of the images."""
        return any(each.stage == stage and (each.rises or 0.0) >= CERTAIN for each in self.stages)


def stage_title(stage: str) -> str:
    """Name the detector of a stage, as it stands in a sentence."""
    titles = {"detector": "the first detector", "refined": "the refined detector"}
    return titles.get(stage, f"the detector of round {stage.rsplit('-', 1)[-1]}")


def sentence_start(text: str) -> str:
    """Write the first letter of a text as a capital."""
    return text[:1].upper() + text[1:]


def write_choice(choice: StageChoice, project: Path) -> None:
    """Write `stages.json` into a project.

    Raises:
        OutputError: the file cannot be written.
    """
    write_json(project / NAME, {"schema": SCHEMA, **choice.model_dump(mode="json")})


def read_choice(project: Path) -> StageChoice | None:
    """Read the choice of a project, which may be outdated; None if there is none, or, with a warning, if it is damaged."""
    path = project / NAME
    if not path.is_file():
        return None
    try:
        content = read_json(path)
        if not isinstance(content, dict) or content.pop("schema", None) != SCHEMA:
            raise FormatError(f"{path}: not a choice among detectors; `kpdetect run` chooses again")
        return checked(StageChoice, content, path, advice="`kpdetect run` chooses again")
    except FormatError as error:
        log.warning(f"{error}. The project's last detector is used")
        return None


def current_choice(project: Path, weights: Mapping[str, Path]) -> StageChoice | None:
    """Return a project's choice if it was made among exactly these weights files, given by stage; else None."""
    choice = read_choice(project)
    return choice if choice is not None and choice.is_of(weights) else None


def in_order_of_use(project: Path, weights: Mapping[str, Path]) -> list[Path]:
    """Order the weights files of a project's detectors: the chosen one, then the others from the last to the first."""
    there = {stage: path for stage, path in weights.items() if path.is_file()}
    choice = current_choice(project, there) if len(there) > 1 else None
    last_first = list(reversed(there.values()))
    return last_first if choice is None or choice.chosen not in there else [there[choice.chosen], *last_first]


def _hash(path: Path) -> str:
    status = path.stat()
    return _known_hash(path, status.st_mtime_ns, status.st_size)


@lru_cache(maxsize=64)
def _known_hash(path: Path, modified: int, size: int) -> str:
    """Compute the hash of a file once for each time of modification and size."""
    return file_hash(path)
