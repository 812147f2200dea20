"""The inputs, settings and limits of one call of `run_project`, and the training jobs of its stages."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypedDict

from generator.training.job import GeneratorJob
from kpdetect.data.training_images import TrainingImages
from kpdetect.detector.job import DetectorJob
from kpdetect.project.budget import has_later_stages, images_of_round, share_of, sharing_rounds
from kpdetect.project.config import FIRST, LEAST_REFINED, ProjectConfig
from kpdetect.project.detector_choice import reason_to_end
from kpdetect.refinement.job import RefineJob
from kpdetect.training.checkpoints import CHECKPOINT, REFINED, round_folder, round_number
from kpdetect.training.forecast import rounded
from kpdetect.training.price import progress_in
from kpdetect.training.runtime import Runtime

OVERRUN = 1.02
"""The first detector uses minutes of the refinement if it trains for longer than this factor times its share. Its last step,
which time does not interrupt, does not count."""
REFINED_COST = 3.0
"""How many times as long an image takes in the refinement as in the training of the first detector, roughly, on any machine."""
LEAST_ROUND = 0.75
"""Share of the minutes of a round that must be left for another round to begin."""
LEAST_USED = 0.75
"""If the trainings of a project have used this share of its minutes, a training is not continued at the cost of later ones."""
Last = Literal["generator", "detector", "report"]
"""The last stage of a project: training the generator, training the last detector, or writing the report."""


class Limits(TypedDict):
    """The part of a job that all trainings share; see `TrainingJob`."""

    out: Path
    runtime: Runtime
    minutes: float | None


class Patience(TypedDict, total=False):
    """The part of a job that lets a training go on beyond its minutes; see `kpdetect.training.budget.Budget`."""

    least_steps: int
    most_minutes: float
    least_left: float


@dataclass(frozen=True, kw_only=True)
class Training:
    """A stage that trains a network.

    Attributes:
        stage: `generator`, `detector`, `refine`, `imm` or `round`.
        job: the inputs, settings and limits of the training.
    """

    stage: str
    job: GeneratorJob | DetectorJob | RefineJob

    @property
    def progress(self) -> tuple[int, float]:
        """The steps that are trained, and the seconds that they took."""
        return progress_in(self.job.out, "generator" if isinstance(self.job, GeneratorJob) else "detector")

    @property
    def is_finished(self) -> bool:
        """Whether the stage has used up its steps or its minutes."""
        (step, used), job = self.progress, self.job
        return step > 0 and job.budget(job.config.steps).is_used_up(step, used)

    @property
    def round(self) -> int:
        """The number of the round to which the training belongs; 0 if to none."""
        return round_number(self.job.out.name) or 0

    @property
    def title(self) -> str:
        """The name of the trained network, as it stands in a sentence."""
        titles = {"refine": "refined detector", "imm": "detector", "round": f"detector of {self.job.out.name}"}
        return titles.get(self.stage, self.stage)


@dataclass(frozen=True, kw_only=True)
class ProjectJob:
    """The inputs, settings and limits of one call of `run_project`.

    Attributes:
        images: the images of the project.
        out: project folder.
        settings: configuration of the project, with the stages that its minutes can pay for.
        runtime: device and precision.
        minutes: training time of all stages together; None if steps alone limit the project.
        init_generator, init_detector: models with whose weights the generator and the first detector start.
        last: the last stage to run. The training stages up to it share the minutes.
        whole: configuration of the project with all stages, also those that the minutes cannot pay for. None: `settings`.
    """

    images: TrainingImages
    out: Path
    settings: ProjectConfig
    runtime: Runtime
    minutes: float | None = None
    init_generator: Path | None = None
    init_detector: Path | None = None
    last: Last = "report"
    whole: ProjectConfig | None = None

    def share(self, stage: str) -> float | None:
        """Compute the training minutes of a stage; None if steps alone limit the project."""
        if self.minutes is None:
            return None
        if self.settings.method == "imm" or self.last == "generator":
            return self.minutes
        return self.minutes * share_of(stage, self.settings.refined, sharing_rounds(self.settings), self.settings.method)

    def share_of_more_minutes(self, stage: str) -> float:
        """Compute the share that a stage has of the minutes of a longer project. The advice to give more minutes uses it."""
        whole = self.whole or self.settings
        return 1.0 if self.last == "generator" else share_of(stage, whole.refined, sharing_rounds(whole), whole.method)

    @property
    def first_detector_first(self) -> bool:
        """Whether the first detector has all minutes until it has seen `FIRST` images."""
        return self.minutes is not None and self.settings.method == "correspondence" and self.settings.rounds.stops

    def overruns(self, seconds: float) -> bool:
        """Whether a first detector that trains for this time uses minutes of the refinement, which is then left out."""
        share = self.share("detector")
        return self.first_detector_first and share is not None and seconds > 60 * OVERRUN * share

    def reason_without_refinement(self) -> str | None:
        """Say why the first detector is not refined after its training; None if it is refined."""
        rate, used = self._first_speed()
        if self.overruns(used):
            return "the first detector needed its minutes"
        seen = self.images_refined(rate)
        if not used or not self.refines_too_little(seen):
            return None
        return f"it would see about {rounded(seen):,} images, and with fewer than {LEAST_REFINED:,} it gains nothing"

    def images_refined(self, rate: float) -> int:
        """Estimate how many images the refinement sees.

        Args:
            rate: images per second of the first detector's training.
        """
        config, share = self.settings.refine, self.share("refine")
        most = config.steps * config.batch
        return most if share is None else min(most, int(60 * share * rate / REFINED_COST))

    def refines_too_little(self, seen: float) -> bool:
        """Whether time ends a refinement after this number of images, so few that it is left out."""
        config = self.settings.refine
        return self.first_detector_first and seen < min(LEAST_REFINED, config.steps * config.batch)

    def _first_speed(self) -> tuple[float, float]:
        """Return the images per second of the first detector's training so far, and its seconds; zeros before it begins."""
        steps, seconds = next((each.progress for each in self.trainings if each.stage == "detector"), (0, 0.0))
        return (steps * self.settings.detector.batch / seconds if seconds else 0.0), seconds

    def may_omit_round(self, number: int) -> bool:
        """Whether a round may be left out: with an automatic number of rounds each one after the first, and the first one too
        if the first detector may use its minutes."""
        return self.settings.rounds.stops and (number > 1 or (number == 1 and self.first_detector_first))

    def reason_without_round(self, number: int) -> str | None:
        """Say why a round is left out after the trainings before it; None if it is not."""
        if not self.may_omit_round(number):
            return None
        return reason_to_end(self.out, number) if self.allows_round(number) else "the minutes are used up"

    def allows_round(self, number: int) -> bool:
        """Whether the minutes of the project allow this round after the trainings before it."""
        return self.leaves_a_round(self._seconds_before_round(number))

    def leaves_a_round(self, used: float) -> bool:
        """Whether the minutes of the project leave time for a round after trainings of `used` seconds."""
        share = self.share("round")
        return self.minutes is None or share is None or used + 60 * LEAST_ROUND * share <= 60 * self.minutes

    def images_of_round(self, number: int) -> int:
        """Compute the largest number of images that the teacher of a round predicts. If time limits the round, it depends on
        the speed of the first detector's training."""
        config, minutes = self.round_job(number).config, self.minutes_of_round(number)
        seen = config.steps * config.batch
        rate, seconds = self._first_speed()
        if minutes is not None and seconds:
            seen = min(seen, int(60 * minutes * rate))
        return images_of_round(self.settings, seen)

    @property
    def trainings(self) -> tuple[Training, ...]:
        """The stages that train a network, in order."""
        settings = self.settings
        if self.last == "generator":
            return (Training(stage="generator", job=self.generator_job),)
        if settings.method == "imm":
            return (Training(stage="imm", job=self.imm_job),)
        rounds = [Training(stage="round", job=self.round_job(number)) for number in range(1, settings.rounds.count + 1)]
        return (*self._before_rounds, *rounds)

    @property
    def _before_rounds(self) -> tuple[Training, ...]:
        """The stages that train a network before the first round, in order."""
        settings = self.settings
        detector = Training(stage="detector", job=self.detector_job)
        refined = [Training(stage="refine", job=self.refine_job)] if settings.refined else []
        generator = [] if settings.method == "correspondence" else [Training(stage="generator", job=self.generator_job)]
        return (*generator, detector, *refined)

    @property
    def generator_job(self) -> GeneratorJob:
        """The training of the generator, without the pretrained networks that its settings name."""
        return GeneratorJob(
            images=self.images,
            config=self.settings.generator,
            initial=self.init_generator,
            share=self.share_of_more_minutes("generator"),
            **self._limits("generator", "generator"),
        )

    @property
    def detector_job(self) -> DetectorJob:
        """The training of the first detector on the project's pairs."""
        pairs, config = self.out / "pairs", self.settings.detector
        patience = Patience()
        if self.first_detector_first and self.minutes is not None:
            later = has_later_stages(self.out)
            idle = 0.0 if later or not self.settings.rounds.count else LEAST_ROUND * (self.share("round") or 0.0)
            if not self._is_settled("detector"):
                patience = Patience(least_steps=math.ceil(FIRST / config.batch), most_minutes=self.minutes, least_left=idle)
        limits = self._limits("detector", "detector")
        return DetectorJob(pairs=pairs, config=config, initial=self.init_detector, **limits, **patience)

    @property
    def refine_job(self) -> RefineJob:
        """The training of the first detector on the real images."""
        model, pairs, config = self.out / "detector", self.out / "pairs", self.settings.refine
        return RefineJob(images=self.images, config=config, model=model, pairs=pairs, **self._limits("refine", REFINED))

    @property
    def imm_job(self) -> RefineJob:
        """The training of a detector by the method `imm` (Jakab et al. 2018)."""
        return RefineJob(images=self.images, config=self.settings.refine, **self._limits("imm", "detector"))

    def round_job(self, number: int) -> DetectorJob:
        """Describe the training of the pupil of a round of self-training, which starts from its teacher's weights."""
        folder, config = self.out / round_folder(number), self.settings.rounds.pupil(self.settings.detector)
        minutes = 0.0 if self._is_settled(folder.name) else self.minutes_of_round(number)
        return DetectorJob(pairs=folder / "pairs", config=config, out=folder, runtime=self.runtime, minutes=minutes)

    def minutes_of_round(self, number: int, used: float | None = None) -> float | None:
        """Compute the training minutes of a round. None if steps alone limit the project.

        An automatic number of rounds uses all minutes: if fewer would be left than another round needs, the round uses them.

        Args:
            number: number of the round, counted from 1.
            used: seconds of the trainings before the round. None: the time that they have taken so far.
        """
        share = self.share("round")
        if self.minutes is None or share is None or not self.may_omit_round(number):
            return share
        left = self.minutes - (self._seconds_before_round(number) if used is None else used) / 60
        followed = number < self.settings.rounds.count and left - share >= LEAST_ROUND * share
        return share if followed else max(LEAST_ROUND * share, left)

    def _seconds_before_round(self, number: int) -> float:
        """Return the training time in seconds of all trainings before a round."""
        rounds = [progress_in(self.out / round_folder(earlier), "detector")[1] for earlier in range(1, number)]
        return sum(rounds) + sum(training.progress[1] for training in self._before_rounds)

    def _limits(self, stage: str, folder: str) -> Limits:
        minutes = 0.0 if self._is_settled(folder) else self.share(stage)
        return Limits(out=self.out / folder, runtime=self.runtime, minutes=minutes)

    def _is_settled(self, folder: str) -> bool:
        """Whether a training is not continued although another number of rounds gives it a larger share: a later training has
        begun, which would be discarded, and the minutes have hardly grown."""
        if self.minutes is None or not self.first_detector_first:
            return False
        stages = ["detector", REFINED, *(round_folder(number) for number in range(1, self.settings.rounds.count + 1))]
        if not any((self.out / later / CHECKPOINT).exists() for later in stages[stages.index(folder) + 1 :]):
            return False
        return sum(progress_in(self.out / stage, "detector")[1] for stage in stages) >= 60 * self.minutes * LEAST_USED
