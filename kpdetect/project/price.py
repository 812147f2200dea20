"""A forecast of the time, memory and disk that a project needs on this machine, measured before its first stage begins.

Each unfinished training stage runs a few real steps on a sample of the images, and their result is discarded. The speed of
drawing pairs is measured with an untrained generator. If a stage has work left, all later stages are forecast from their
beginning, because they run again.
"""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np

from generator.training.batches import cached_side
from generator.training.cost import drawing_rate, sampled_generator_price
from generator.training.job import GeneratorJob
from kpdetect.data.sample import Sample
from kpdetect.data.schema import MANIFEST, Manifest
from kpdetect.data.shard import encode_jpeg
from kpdetect.detector.cost import finding_rate, pairs_price
from kpdetect.detector.job import DetectorJob
from kpdetect.discovery.matcher import feature_counts, first_look
from kpdetect.images.arrays import Image, fit_image
from kpdetect.project.budget import LOOKS, has_begun_to_learn, images_of_round, pairs_in_use, pairs_needed
from kpdetect.project.config import ProjectConfig
from kpdetect.project.detector_choice import has_scores
from kpdetect.project.feature_network import feature_rate
from kpdetect.project.generator_training import with_feature_network
from kpdetect.project.job import ProjectJob, Training
from kpdetect.project.sample_pairs import SamplePairs
from kpdetect.project.setting_names import in_project, project_key, settings_of
from kpdetect.refinement.cost import sampled_refine_price
from kpdetect.training.forecast import (
    DETECTOR,
    GENERATOR,
    MATCHED_DETECTOR,
    Guidance,
    Line,
    Needs,
    duration,
    needs_lines,
    outlook_lines,
    rounded,
    speed_line,
)
from kpdetect.training.price import MOST_SECONDS, Price

OUTLOOK: dict[str, dict[str, Guidance]] = {
    "gan": {"generator": GENERATOR, "detector": DETECTOR},
    "correspondence": {"detector": MATCHED_DETECTOR},
}
"""What is known about the number of images that a stage needs, by method and stage."""

MOST_OF_THE_MINUTES = 0.85
"""If the trainings need a smaller share of the minutes, the forecast says so."""
SHORT_STEPS = 100
"""Trainings of at most this many steps are not measured, because they end before a measurement would."""
ENCODED = 16
"""Number of images that are encoded to measure the disk space of a generated pair."""


class Work(NamedTuple):
    """Work other than training.

    Attributes:
        verb: what the machine does, such as `reads`.
        amount: number of items.
        what: name of the items, such as `images`.
        rate: number of items per second.
    """

    verb: str
    amount: int
    what: str
    rate: float

    @property
    def seconds(self) -> float:
        """The duration of the work in seconds."""
        return self.amount / self.rate

    @property
    def line(self) -> Line:
        """The line of the forecast about this work, with its `logging` level."""
        done = f"{rounded(self.amount):,} in {duration(self.seconds)}"
        return logging.INFO, f"this machine {self.verb} {self.rate:,.1f} {self.what} a second: {done}"


@dataclass(frozen=True, kw_only=True)
class ProjectPrice:
    """A forecast of a project, from measurements of its training stages.

    Attributes:
        job: the project.
        seconds: largest duration of all measurements together.
    """

    job: ProjectJob
    seconds: float = MOST_SECONDS

    @property
    def settings(self) -> ProjectConfig:
        """The configuration of the project."""
        return self.job.settings

    @cached_property
    def left(self) -> tuple[Training, ...]:
        """The first unfinished training stage and all later ones."""
        trainings = self.job.trainings
        left_out = "refine" if self.job.reason_without_refinement() is not None else None
        places = [at for at, each in enumerate(trainings) if not (each.is_finished or each.stage == left_out)]
        left = trainings[min(places) :] if places else ()
        number = left[0].round if left else 0
        unknown = self.job.allows_round(number) and not has_scores(self.job.out)  # the run computes the scores first
        return left if unknown or self.job.reason_without_round(number) is None else ()

    @property
    def lines_unless_short(self) -> list[Line]:
        """The lines of the forecast; empty if the remaining training is shorter than a measurement of it."""
        return [] if all(training.job.config.steps <= SHORT_STEPS for training in self.left) else self.lines()

    @property
    def text(self) -> str:
        """The lines of the forecast as one text."""
        return "\n".join(line for _, line in self.lines()) or f"{self.job.out}: everything is trained already"

    def lines(self) -> list[Line]:
        """Measure the remaining training stages, and describe the time, memory and disk that the project needs.

        Warnings are among the lines. If no work is left, there are no lines.
        """
        if not self.left:
            return []
        sample = self.sample
        needs = [
            price.needs._replace(batch=project_key(price.needs.batch, training.stage)) for training, price in self.expected
        ]
        works = [Work("reads", sample.folder_count, "images", sample.rate)]
        if any(training.stage == "detector" for training in self.left):
            works += self._matches() if self.settings.method == "correspondence" else [self._pairs_left(needs)]
        works += self._predictions()
        forecasts = [replace(price.forecast, stage=training.title) for training, price in self.expected]
        lines = [work.line for work in works if work.amount]
        lines += [speed_line(forecast) for forecast in forecasts]
        trained = sum(forecast.seconds for forecast in forecasts)
        lines.append((logging.INFO, f"in all it takes about {duration(trained + sum(work.seconds for work in works))}"))
        lines += self._spare_minutes(trained)
        lines += needs_lines(max(needs)._replace(disk=sum(each.disk for each in needs)))
        return [*lines, *self._outlook()]

    def _spare_minutes(self, seconds: float) -> list[Line]:
        """Say that the trainings end before the minutes do, if they take this many seconds more."""
        minutes = self.job.minutes
        used = seconds + sum(training.progress[1] for training in self.job.trainings)
        if minutes is None or self.settings.method != "correspondence" or used > 60 * minutes * MOST_OF_THE_MINUTES:
            return []
        need = f"the trainings need about {duration(used)} of the {minutes:g}"
        return [(logging.INFO, f"{need}: with more images, the keypoints became worse in measurements")]

    def _outlook(self) -> list[Line]:
        """Say whether the generator and the first detector will see enough images. Advice is given for one of them."""
        lines: list[Line] = []
        for training, price in zip(self.left, self.prices, strict=True):
            guidance = OUTLOOK.get(self.settings.method, {}).get(training.stage)
            if guidance is not None:
                said = outlook_lines(price.forecast, guidance, self.job.share_of_more_minutes(training.stage))
                lines += [(level, in_project(line, training.stage)) for level, line in said]
        few = [line for line in lines if line[0] == logging.WARNING]
        return few[:1] or lines

    @cached_property
    def expected(self) -> tuple[tuple[Training, Price], ...]:
        """The trainings in `left` with their prices, without those for which the minutes will not suffice."""
        trainings, found = self.job.trainings, []
        used = sum(training.progress[1] for training in trainings[: len(trainings) - len(self.left)])
        refined = math.inf  # unless `left` leaves the refinement out
        for training, price in zip(self.left, self.prices, strict=True):
            if self.job.may_omit_round(training.round) and not self.job.leaves_a_round(used):
                break
            if training.stage == "detector":
                refined = self.job.images_refined(price.forecast.rate)
            if training.stage == "refine" and (self.job.overruns(used) or self.job.refines_too_little(refined)):
                continue
            if training.round:
                price = replace(price, forecast=price.forecast.within(self.job.minutes_of_round(training.round, used)))
            used += price.forecast.seconds_used + price.forecast.seconds
            found.append((training, price))
        return tuple(found)

    @cached_property
    def prices(self) -> tuple[Price, ...]:
        """The price of each training in `left`, measured. Rounds take their speed from the training on pairs."""
        found: dict[str, Price] = {}
        prices = []
        for training in self.left:
            job = training.job
            if isinstance(job, DetectorJob) and found.keys() & {"detector", "round"}:
                price = _of_another_round(found.get("round") or found["detector"], job)
            else:
                with settings_of(training.stage):
                    price = self._measured(training)
            found[training.stage] = price
            prices.append(price)
        return tuple(prices)

    @cached_property
    def pairs_count(self) -> int:
        """The number of pairs that the project needs, at most `PairsConfig.count`.

        If time limits the project, the number depends on measured speeds, so several processes must agree on it.
        """
        settings, minutes = self.settings, self.job.share("pairs")
        seen = settings.detector.steps * settings.detector.batch
        if minutes is None or settings.detector.steps <= SHORT_STEPS:
            return pairs_needed(settings, seen)
        places = [place for place, training in enumerate(self.left) if training.stage == "detector"]
        looks = min([seen, *(self.prices[place].forecast.images for place in places)])
        return pairs_needed(settings, min(looks // LOOKS, int(60 * minutes * self.drawing_rate)))

    @cached_property
    def drawing_rate(self) -> float:
        """The pairs per second that one process draws, measured. A small number of pairs is a single shard of one process."""
        return drawing_rate(self.settings.generator, self.job.runtime)

    @cached_property
    def squares(self) -> Image:
        """The sample's images at the size of generated images."""
        side = self.settings.generator.model.size
        return np.stack([fit_image(image, side, "stretch")[0] for image in self.sample.images])

    @cached_property
    def sample(self) -> Sample:
        """A sample of the images, at the size at which the generator's training caches them."""
        return self._sample(cached_side(self.settings.generator.model.size))

    def _sample(self, side: int) -> Sample:
        return self.job.images.sample(self.job.out, side, self.settings.generator.data.crop)

    def _measured(self, training: Training) -> Price:
        settings, job = self.settings, training.job
        seconds, fresh = self.seconds / len(self.left), training != self.left[0]
        if isinstance(job, GeneratorJob):
            return sampled_generator_price(with_feature_network(job), self.sample, seconds)
        pairs = SamplePairs(images=self.squares, keypoints=settings.refine.keypoints)
        if isinstance(job, DetectorJob):
            return pairs_price(replace(job, pairs=pairs), seconds=seconds, fresh=fresh)
        real, anchors = job.config, None
        if training.stage == "refine":  # the network is that of the detector
            real = real.model_copy(update={"model": settings.detector.model})
            anchors = pairs if real.anchor_weight else None
        sample = self._sample(real.side)
        return sampled_refine_price(replace(job, config=real), sample, pairs=anchors, seconds=seconds, fresh=fresh)

    def _pairs_left(self, needs: list[Needs]) -> Work:
        """Measure how fast the missing pairs can be drawn, and add their disk space to `needs`."""
        settings, folder = self.settings.pairs, self.job.out / "pairs"
        new = self.left[0].stage == "generator" or not (folder / MANIFEST).exists()
        there = 0 if new else Manifest.read(folder).count
        in_use = 0 if new or self.job.minutes is None else pairs_in_use(self.job.out)
        sizes = [square.nbytes if settings.codec == "raw" else encode_jpeg(square).nbytes for square in self.squares[:ENCODED]]
        count = max(0, (in_use or self.pairs_count) - there)
        needs.append(Needs(0, None, int(count * float(np.mean(sizes))), 0))
        return Work("draws", count, "pairs", self.drawing_rate)

    def _matches(self) -> list[Work]:
        """Measure how fast the features are computed by which keypoints are matched across the images, if it is not done."""
        config = self.settings.correspondence
        if has_begun_to_learn(self.job.out):
            return []
        squares = np.stack([fit_image(image, config.size, "stretch")[0] for image in self.sample.images[:ENCODED]])
        (of_sample, of_matched), matched = feature_counts(config), min(config.images, self.sample.folder_count)
        sample = min(config.sample, matched)
        count = of_matched * matched + of_sample * (sample + first_look(sample))
        return [Work("computes features of", count, "images", feature_rate(squares, config, self.job.runtime))]

    def _predictions(self) -> list[Work]:
        rounds, settings = self.settings.rounds, self.settings.detector
        looks, images = len(rounds.scales) * (1 + rounds.flip_average), self.sample.folder_count
        begun = self.left[0] if self.left[0].progress[0] else None  # a round that continues has its predictions
        rounds_left = [(training, price) for training, price in self.expected if training.stage == "round"]
        seen = [price.forecast.images for training, price in rounds_left if training != begun]
        of_rounds = sum(min(images, images_of_round(self.settings, each)) for each in seen)
        count = of_rounds * looks + images * (self.job.last == "report")
        if not count:
            return []
        rate = finding_rate(settings.model, self.settings.refine.keypoints, self.job.runtime)
        return [Work("predicts", count, "images", rate)]


def _of_another_round(price: Price, job: DetectorJob) -> Price:
    """Forecast a round of self-training from the measured speed of the training on pairs, which has the same network. The
    forecast has no limit in minutes."""
    limit = job.config.steps * job.config.batch
    forecast = replace(price.forecast, seen=0, limit=limit, seconds_used=0.0, seconds_left=None)
    return replace(price, forecast=forecast)
