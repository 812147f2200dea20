"""How the minutes of `kpdetect run` are divided among its stages, and how many pairs its detector needs."""

from __future__ import annotations

from pathlib import Path

from kpdetect.data.schema import MANIFEST, Manifest
from kpdetect.project.config import ProjectConfig, with_enough_steps
from kpdetect.training.checkpoints import CHECKPOINT, round_folder
from kpdetect.training.checkpoints import REFINED as REFINED_STAGE
from kpdetect.training.forecast import rounded
from kpdetect.training.loop import UNLIMITED

REFINED = {"generator": 5.0, "pairs": 0.5, "detector": 2.0, "refine": 2.5, "round": 1.5}
"""Weights by which the stages share the minutes if the detector is refined on real images. Each round has the last one."""
PLAIN = {"generator": 6.5, "pairs": 0.7, "detector": 2.8, "refine": 0.0, "round": 1.5}
"""Weights by which the stages share the minutes if the detector is not refined."""
MATCHED = {
    True: {"pairs": 0.0, "detector": 5.0, "refine": 2.0, "round": 3.0},
    False: {"pairs": 0.0, "detector": 5.0, "refine": 0.0, "round": 3.0},
}
"""The weights of the method `correspondence`, with and without refinement. Matching features counts in addition. Rounds gain
more than refinement, because they correct wrong matches (docs/log/any-folder.md)."""
LEAST_MINUTES = 4.0
"""With fewer minutes the detector is neither refined nor followed by a round. On cartoon faces both gain in a training of 4.4
minutes (docs/log/any-folder.md, two processes); shorter ones are not measured."""
LOOKS = 2
"""How often the detector sees each pair, if time ends its training, and the pupil of a round each image. Every look is changed
in another random way."""
LEAST_PAIRS = 1_000
"""Smallest number to which a short training lowers `PairsConfig.count` or `RoundsConfig.images`."""


def share_of(stage: str, refined: bool, rounds: int = 0, method: str = "gan") -> float:
    """Compute the share of a project's minutes that one stage gets, 0 to 1.

    Args:
        stage: `generator`, `pairs`, `detector`, `refine` or `round`, which is one round of self-training.
        refined: whether the detector is refined on real images.
        rounds: number of rounds of self-training in the project.
        method: `gan` or `correspondence`, which trains no generator.
    """
    weights = MATCHED[refined] if method == "correspondence" else REFINED if refined else PLAIN
    return weights[stage] / (sum(weights.values()) + weights["round"] * (rounds - 1))


def sharing_rounds(settings: ProjectConfig) -> int:
    """Count the rounds that have a share of the minutes of their own.

    With the method `correspondence`, the trainings end when they have seen enough images. An automatic number of rounds has
    the share of one round, and the further rounds use what the trainings leave.
    """
    rounds = settings.rounds
    return min(1, rounds.count) if settings.method == "correspondence" and rounds.stops else rounds.count


def has_later_stages(out: Path) -> bool:
    """Whether the refinement or a round of a project has begun."""
    return any((out / stage / CHECKPOINT).exists() for stage in (REFINED_STAGE, round_folder(1)))


def affordable(settings: ProjectConfig, minutes: float | None, out: Path | None = None) -> ProjectConfig:
    """Return the settings without refinement and rounds if the minutes are too few for them to gain.

    A project in `out` that has them already keeps them, because their minutes would train earlier stages, which discards them.
    If the minutes end the trainings of the method `correspondence`, also limit the images that they see.
    """
    if minutes is None or settings.method == "imm":
        return settings
    if settings.method == "correspondence":
        settings = with_enough_steps(settings, least=UNLIMITED)
    if minutes >= LEAST_MINUTES or (out is not None and has_later_stages(out)):
        return settings
    return settings.model_copy(update={"refined": False, "rounds": settings.rounds.model_copy(update={"count": 0})})


def omission(settings: ProjectConfig, minutes: float | None, out: Path | None = None) -> str | None:
    """Describe which stages `affordable` leaves out. None if it leaves none out."""
    kept = affordable(settings, minutes, out)
    names = ["refinement"] * (settings.refined > kept.refined) + ["self-training"] * (settings.rounds.count > kept.rounds.count)
    if not names:
        return None
    advice = f"from `minutes={LEAST_MINUTES:g}` on the project includes {'them' if len(names) > 1 else 'it'}"
    return f"{minutes:g} minutes are too short for {' and '.join(names)}; {advice}"


def pairs_needed(settings: ProjectConfig, most: int) -> int:
    """Compute how many pairs to generate if the detector has use for `most` of them."""
    return min(settings.pairs.count, max(LEAST_PAIRS, rounded(most)))


def images_of_round(settings: ProjectConfig, seen: int) -> int:
    """Compute how many images the teacher of a round predicts if its pupil sees `seen` images, counting repeated ones."""
    return min(settings.rounds.images, max(LEAST_PAIRS, rounded(seen // LOOKS)))


def has_begun_to_learn(out: Path) -> bool:
    """Tell whether the first detector of a project has begun to learn from its pairs."""
    return (out / "detector" / CHECKPOINT).exists()


def pairs_in_use(out: Path) -> int:
    """Count the pairs of a project from which its detector has begun to learn. 0 if there is no such detector."""
    folder = out / "pairs"
    return Manifest.read(folder).count if (folder / MANIFEST).exists() and has_begun_to_learn(out) else 0
