"""A forecast of the time, memory and disk that a project needs on this machine, measured before its first stage begins.

Each unfinished training stage runs a few real steps on a sample of the images, and their result is discarded. The speed of
drawing pairs is measured with an untrained generator. If a stage has work left, all later stages are forecast from their
beginning, because they run again.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np

from generator.training.batches import cached_side
from generator.training.cost import drawing_rate, sampled_generator_price
from kpdetect.data.sample import Sample, read_sample
from kpdetect.data.schema import MANIFEST, Manifest
from kpdetect.data.shard import encode_jpeg
from kpdetect.detector.cost import finding_rate, pairs_price
from kpdetect.images.arrays import Image, fit_image
from kpdetect.project.budget import LOOKS, pairs_in_use, pairs_needed
from kpdetect.project.config import ProjectConfig
from kpdetect.project.feature_network import feature_rate
from kpdetect.project.sample_pairs import SamplePairs
from kpdetect.project.setting_names import in_project, project_key, settings_of
from kpdetect.refinement.cost import sampled_refine_price
from kpdetect.refinement.reconstruction import named_perception
from kpdetect.training.checkpoints import REFINED, round_folder
from kpdetect.training.forecast import Line, Needs, duration, enough_lines, forecast_lines, needs_lines, rounded
from kpdetect.training.price import MOST_SECONDS, Price, progress_in
from kpdetect.training.runtime import Runtime

SHORT_STEPS = 100
"""Trainings of at most this many steps are not measured, because they end before a measurement would."""
ENCODED = 16
"""Number of images that are encoded to measure the disk space of a generated pair."""


@dataclass(frozen=True, kw_only=True)
class Training:
    """A stage that trains a network.

    Attributes:
        stage: `generator`, `detector`, `refine`, `imm` or `round`.
        folder: run folder of the stage.
        steps: largest number of training steps.
        minutes: training time; None if the steps alone limit the stage.
    """

    stage: str
    folder: Path
    steps: int
    minutes: float | None

    @property
    def is_finished(self) -> bool:
        """Whether the stage has used up its steps or its minutes."""
        step, used = progress_in(self.folder, "generator" if self.stage == "generator" else "detector")
        return step >= self.steps or (step > 0 and self.minutes is not None and used >= 60 * self.minutes)

    @property
    def title(self) -> str:
        """The name of the trained network, as it stands in a sentence."""
        titles = {"refine": "refined detector", "imm": "detector", "round": f"detector of {self.folder.name}"}
        return titles.get(self.stage, self.stage)


def trainings_of(
    settings: ProjectConfig, out: Path, ends_with_generator: bool, share: Callable[[str], float | None]
) -> tuple[Training, ...]:
    """List the stages of a project that train a network, in order, each with its budget.

    Args:
        settings: settings of the project.
        out: project folder.
        ends_with_generator: whether only the generator is trained.
        share: function that returns the training minutes of a stage; None if the steps alone limit it.
    """
    rounds = [("round", round_folder(number), settings.rounds.steps) for number in range(1, settings.rounds.count + 1)]
    stages = [("generator", "generator", settings.generator.steps), ("detector", "detector", settings.detector.steps)]
    stages += [("refine", REFINED, settings.refine.steps)] if settings.refined else []
    if ends_with_generator:
        stages, rounds = stages[:1], []
    elif settings.method == "imm":
        stages, rounds = [("imm", "detector", settings.refine.steps)], []
    elif settings.method == "correspondence":
        stages = stages[1:]
    return tuple(
        Training(stage=stage, folder=out / folder, steps=steps, minutes=share(stage))
        for stage, folder, steps in [*stages, *rounds]
    )


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
        images, out, settings, runtime, minutes, exclude, strict: see `kpdetect.project.pipeline.run_project`.
        trainings: the stages that train, in order.
        pairs_minutes: longest time for generating pairs; None if nothing but their number limits it.
        generator_share: the generator's share of the minutes in a run that has time for all stages.
        predicts: whether the project ends with predictions on all images.
        seconds: largest duration of all measurements together.
    """

    images: Path
    out: Path
    settings: ProjectConfig
    runtime: Runtime
    minutes: float | None
    exclude: frozenset[str]
    strict: bool
    trainings: tuple[Training, ...]
    pairs_minutes: float | None
    generator_share: float
    predicts: bool
    seconds: float = MOST_SECONDS

    @cached_property
    def left(self) -> tuple[Training, ...]:
        """The first unfinished training stage and all later ones."""
        places = [place for place, training in enumerate(self.trainings) if not training.is_finished]
        return self.trainings[min(places) :] if places else ()

    @property
    def lines_unless_short(self) -> list[Line]:
        """The lines of the forecast; empty if the remaining training is shorter than a measurement of it."""
        return [] if all(training.steps <= SHORT_STEPS for training in self.left) else self.lines()

    @property
    def text(self) -> str:
        """The lines of the forecast as one text."""
        return "\n".join(line for _, line in self.lines()) or f"{self.out}: everything is trained already"

    def lines(self) -> list[Line]:
        """Measure the remaining training stages, and describe the time, memory and disk that the project needs.

        Warnings are among the lines. If no work is left, there are no lines.
        """
        if not self.left:
            return []
        sample = self.sample
        needs = [
            price.needs._replace(batch=project_key(price.needs.batch, training.stage))
            for training, price in zip(self.left, self.prices, strict=True)
        ]
        works = [Work("reads", sample.folder_count, "images", sample.rate)]
        if any(training.stage == "detector" for training in self.left):
            works.append(self._matches() if self.settings.method == "correspondence" else self._pairs_left(needs))
        works += self._predictions()
        forecasts = [
            replace(price.forecast, stage=training.title) for training, price in zip(self.left, self.prices, strict=True)
        ]
        lines = [work.line for work in works]
        lines += [line for forecast in forecasts for line in forecast_lines(forecast) if line[0] == logging.INFO]
        whole = sum(forecast.seconds for forecast in forecasts) + sum(work.seconds for work in works)
        lines.append((logging.INFO, f"in all it takes about {duration(whole)}"))
        lines += needs_lines(max(needs)._replace(disk=sum(each.disk for each in needs)))
        if self.left[0].stage == "generator":
            few = enough_lines(self.prices[0].forecast, self.generator_share)
            lines += [(level, in_project(line, "generator")) for level, line in few]
        return lines

    @cached_property
    def prices(self) -> tuple[Price, ...]:
        """The price of each training in `left`, measured. Rounds take their speed from the training on pairs."""
        found: dict[str, Price] = {}
        prices = []
        for training in self.left:
            if training.stage == "round" and found.keys() & {"detector", "round"}:
                price = _of_another_round(found.get("round") or found["detector"], training, self.settings.detector.batch)
            else:
                with settings_of(training.stage):
                    price = self._measured(training)
            found[training.stage] = price
            prices.append(price)
        return tuple(prices)

    @cached_property
    def pairs_count(self) -> int:
        """The number of pairs that the project needs, at most `PairsConfig.count`.

        If time limits the project, the number depends on measured speeds. Several processes must agree on it, so they ignore
        the time.
        """
        settings = self.settings
        seen = settings.detector.steps * settings.detector.batch
        if self.pairs_minutes is None or self.runtime.world > 1 or settings.detector.steps <= SHORT_STEPS:
            return pairs_needed(settings, seen)
        places = [place for place, training in enumerate(self.left) if training.stage == "detector"]
        looks = min([seen, *(self.prices[place].forecast.images for place in places)])
        return pairs_needed(settings, min(looks // LOOKS, int(60 * self.pairs_minutes * self.drawing_rate)))

    @cached_property
    def drawing_rate(self) -> float:
        """The pairs per second that this machine draws, measured."""
        return drawing_rate(self.settings.generator, self.runtime)

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
        crop = self.settings.generator.data.crop
        return read_sample(self.images, self.out, side, crop, self.exclude, strict=self.strict)

    def _measured(self, training: Training) -> Price:
        settings, folder, runtime = self.settings, training.folder, self.runtime
        pairs = SamplePairs(images=self.squares, keypoints=settings.refine.keypoints)
        seconds, fresh = self.seconds / len(self.left), training != self.left[0]
        if training.stage == "generator":
            judging = settings.generator.optimiser
            network = named_perception(judging.feature_network, judging.features, "optimiser.features", runtime)
            return sampled_generator_price(
                self.sample, folder, settings.generator, runtime, training.minutes, network, seconds=seconds
            )
        if training.stage in ("detector", "round"):
            config = settings.detector if training.stage == "detector" else settings.rounds.pupil(settings.detector)
            return pairs_price(pairs, folder, config, runtime, training.minutes, seconds=seconds, fresh=fresh)
        real, anchors = settings.refine, None
        if training.stage == "refine":  # the network is that of the detector
            real = real.model_copy(update={"model": settings.detector.model})
            anchors = pairs if real.anchor_weight else None
        sample, left = self._sample(real.side), training.minutes
        return sampled_refine_price(sample, folder, real, runtime, left, pairs=anchors, seconds=seconds, fresh=fresh)

    def _pairs_left(self, needs: list[Needs]) -> Work:
        """Measure how fast the missing pairs can be drawn, and add their disk space to `needs`."""
        settings, folder = self.settings.pairs, self.out / "pairs"
        new = self.left[0].stage == "generator" or not (folder / MANIFEST).exists()
        there = 0 if new else Manifest.read(folder).count
        in_use = 0 if new or self.minutes is None else pairs_in_use(self.out)
        sizes = [square.nbytes if settings.codec == "raw" else encode_jpeg(square).nbytes for square in self.squares[:ENCODED]]
        count = max(0, (in_use or self.pairs_count) - there)
        needs.append(Needs(0, None, int(count * float(np.mean(sizes))), 0))
        return Work("draws", count, "pairs", self.drawing_rate)

    def _matches(self) -> Work:
        """Measure how fast the features are computed by which keypoints are matched across the images."""
        config = self.settings.correspondence
        squares = np.stack([fit_image(image, config.size, "stretch")[0] for image in self.sample.images[:ENCODED]])
        matched = min(config.images, self.sample.folder_count)
        count = matched + 2 * min(config.sample, matched)
        return Work("computes features of", count, "images", feature_rate(squares, config, self.runtime))

    def _predictions(self) -> list[Work]:
        rounds, settings = self.settings.rounds, self.settings.detector
        looks = len(rounds.scales) * (1 + rounds.flip_average) * sum(training.stage == "round" for training in self.left)
        if not looks and not self.predicts:
            return []
        rate = finding_rate(settings.model, self.settings.refine.keypoints, self.runtime)
        return [Work("predicts", self.sample.folder_count * (looks + self.predicts), "images", rate)]


def _of_another_round(price: Price, training: Training, batch: int) -> Price:
    """Forecast a round of self-training from the measured speed of the training on pairs, which has the same network."""
    left = None if training.minutes is None else 60 * training.minutes
    forecast = replace(price.forecast, seen=0, limit=training.steps * batch, seconds_used=0.0, seconds_left=left)
    return replace(price, forecast=forecast)
