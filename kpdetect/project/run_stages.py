"""The stages of a project of `kpdetect run`. A stage that is finished does nothing."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Literal

from benchmarks.metrics.extractors import watched_distance
from benchmarks.reporting.report import write_report
from benchmarks.studies.judging import judge_project
from generator.stream import PairStream
from generator.training.train import train_generator
from kpdetect.data.export import export_pairs
from kpdetect.detector.train import train_detector
from kpdetect.errors import InputError
from kpdetect.files.sources import read_sources
from kpdetect.inference.folder_job import predict_folder
from kpdetect.inference.labels import labels_follow
from kpdetect.messages import log, say
from kpdetect.project.budget import pairs_in_use, share_of
from kpdetect.project.config import ProjectConfig
from kpdetect.project.correspondence import find_correspondences, write_correspondence_pairs
from kpdetect.project.keypoint_choice import choose_in_project
from kpdetect.project.outdated import (
    CORRESPONDENCE,
    discard_outdated,
    discard_outdated_detector,
    discard_outdated_matches,
    discard_outdated_refinement,
)
from kpdetect.project.price import ProjectPrice, trainings_of
from kpdetect.project.rounds import teach_round
from kpdetect.project.setting_names import named_in
from kpdetect.project.stage import Stage, run_stages
from kpdetect.refinement.reconstruction import named_perception
from kpdetect.refinement.train import refine_detector
from kpdetect.training.checkpoints import REFINED, WEIGHTS
from kpdetect.training.distributed import by_the_first, peers_of
from kpdetect.training.processes import Peers
from kpdetect.training.runtime import Runtime

Last = Literal["generator", "detector", "report"]
"""The last stage of a project: training the generator, training the last detector, or writing the report."""


@dataclass(frozen=True, kw_only=True)
class Project:
    """A project and its stages. The attributes are the parameters of `run_project`, and one more.

    Attributes:
        generator_share: the generator's share of the minutes in a run that has time for all stages. The advice to give more
            minutes uses it.
    """

    images: Path
    out: Path
    settings: ProjectConfig
    runtime: Runtime
    minutes: float | None
    exclude: frozenset[str]
    strict: bool
    init_generator: Path | None = None
    init_detector: Path | None = None
    last: Last = "report"
    generator_share: float = 1.0

    @property
    def report(self) -> Path:
        """The path of the report, an HTML page."""
        return self.out / "report" / "index.html"

    def run(self) -> None:
        """Print the forecast of the project, and run all its stages."""
        say(self.price.lines_unless_short)
        run_stages(self.out, self.stages(), self.peers)

    @property
    def peers(self) -> Peers:
        """The processes that run the project together."""
        return peers_of(self.runtime)

    def stages(self) -> list[Stage]:
        """List the stages of the project, in the order in which they run."""
        generator = Stage("Train the generator", named_in("generator", self.generator))
        if self.last == "generator":
            return [generator]
        if self.settings.method == "imm":
            trained = [Stage("Train a detector on the images by IMM", named_in("imm", self.imm))]
        else:
            detector = Stage("Train the detector on the pairs", named_in("detector", self.detector))
            refine = Stage("Refine the detector on the images", named_in("refine", self.refine))
            found = [generator, Stage("Generate pairs", self.pairs)]
            if self.settings.method == "correspondence":
                found = [Stage("Match pretrained features across the images", self.correspondence)]
            trained = [*found, detector, *([refine] if self.settings.refined else [])]
            rounds = range(1, self.settings.rounds.count + 1)
            trained += [
                Stage("Train the next detector on the predictions of this one", named_in("round", partial(self.teach, number)))
                for number in rounds
            ]
        if self.settings.kept is not None:
            trained.append(Stage("Choose the most informative keypoints", partial(by_the_first, self.runtime, self.choose)))
        used = [
            Stage("Predict keypoints on the images", self.predict),
            Stage("Judge the keypoints without labels", partial(by_the_first, self.runtime, self.judge)),
            Stage("Write the report", partial(by_the_first, self.runtime, self.write_report)),
        ]
        return [*trained, *used] if self.last == "report" else trained

    @cached_property
    def price(self) -> ProjectPrice:
        """The forecast of the project. Nothing is measured before its lines are read."""
        return ProjectPrice(
            images=self.images,
            out=self.out,
            settings=self.settings,
            runtime=self.runtime,
            minutes=self.minutes,
            exclude=self.exclude,
            strict=self.strict,
            trainings=trainings_of(self.settings, self.out, self.last == "generator", self.share),
            pairs_minutes=self.share("pairs"),
            generator_share=self.generator_share,
            predicts=self.last == "report",
        )

    def share(self, stage: str) -> float | None:
        """Compute the training minutes of a stage; None if steps alone limit the project."""
        if self.minutes is None:
            return None
        if self.settings.method == "imm" or self.last == "generator":
            return self.minutes
        return self.minutes * share_of(stage, self.settings.refined, self.settings.rounds.count, self.settings.method)

    def generator(self) -> None:
        """Train the generator."""
        settings, judging = self.settings.generator, self.settings.generator.optimiser
        train_generator(
            self.images,
            self.out / "generator",
            settings,
            self.runtime,
            minutes=self.share("generator"),
            exclude=self.exclude,
            strict=self.strict,
            initial=self.init_generator,
            distance_to=watched_distance(settings.stopping, self.runtime.device),
            feature_network=named_perception(judging.feature_network, judging.features, "optimiser.features", self.runtime),
            share=self.generator_share,
        )

    def pairs(self) -> None:
        """Generate pairs of an image and its keypoints with the generator."""
        pairs, out = self.settings.pairs, self.out
        stream = PairStream(out / "generator", self.runtime, seed=pairs.seed, truncation=pairs.truncation)
        by_the_first(self.runtime, lambda: discard_outdated(out, stream.provenance))
        in_use = 0 if self.minutes is None else pairs_in_use(out)  # another number of pairs would discard the detector
        export_pairs(
            stream,
            out / "pairs",
            in_use or self.price.pairs_count,
            codec=pairs.codec,
            shard_size=pairs.shard_size,
            sources=read_sources(out / "generator"),
            peers=self.peers,
        )

    def correspondence(self) -> None:
        """Find keypoints by clusters of pretrained features, and write the images with them as pairs."""
        settings, runtime, found = self.settings, self.runtime, self.out / CORRESPONDENCE
        config, crop = settings.correspondence, settings.generator.data.crop
        find_correspondences(
            self.images,
            found,
            config,
            runtime,
            keypoints=settings.refine.keypoints,
            crop=crop,
            exclude=sorted(self.exclude),
            strict=self.strict,
        )
        by_the_first(runtime, lambda: discard_outdated_matches(self.out))
        size = settings.detector.model.input_size
        write_correspondence_pairs(found, self.images, self.out / "pairs", config, runtime, size=size, crop=crop)

    def detector(self) -> None:
        """Train the detector on the generated pairs."""
        by_the_first(self.runtime, lambda: discard_outdated_detector(self.out))
        with labels_follow(self.out / "detector" / WEIGHTS, self.runtime.is_main):
            train_detector(
                self.out / "pairs",
                self.out / "detector",
                self.settings.detector,
                self.runtime,
                minutes=self.share("detector"),
                initial=self.init_detector,
            )

    def refine(self) -> None:
        """Continue the training of the detector on the real images."""
        by_the_first(self.runtime, lambda: discard_outdated_refinement(self.out))
        self._refine(self.out / REFINED, self.out / "detector", self.out / "pairs", self.share("refine"))

    def imm(self) -> None:
        """Train a detector on the images by the method `imm` (Jakab et al. 2018)."""
        self._refine(self.out / "detector", None, None, self.minutes)

    def teach(self, number: int) -> None:
        """Run one round of self-training: train a new detector on the predictions of the previous one."""
        teach_round(
            number,
            self.images,
            self.out,
            self.settings.rounds,
            self.settings.detector,
            self.runtime,
            minutes=self.share("round"),
            exclude=sorted(self.exclude),
            strict=self.strict,
        )

    def _refine(self, out: Path, model: Path | None, pairs: Path | None, minutes: float | None) -> None:
        settings, exclude = self.settings.refine, self.exclude
        with labels_follow(out / WEIGHTS, self.runtime.is_main):
            refine_detector(
                self.images,
                out,
                settings,
                self.runtime,
                model=model,
                pairs=pairs,
                minutes=minutes,
                exclude=exclude,
                strict=self.strict,
            )

    def choose(self) -> None:
        """Keep the most informative keypoints, and leave the others out of all results."""
        assert self.settings.kept is not None
        try:
            choose_in_project(self.out, self.images, self.settings.kept, self.runtime, self.exclude)
        except InputError as error:
            log.warning(f"all {self.settings.learned} keypoints are kept: {error}")

    def predict(self) -> None:
        """Predict keypoints on the project's images."""
        device = self.runtime.device.type
        predict_folder(self.out, self.images, self.out / "predictions", device=device, strict=self.strict, peers=self.peers)

    def judge(self) -> None:
        """Assess the predicted keypoints without labels, and write the assessment into the project."""
        try:
            judge_project(self.out, self.images, self.runtime)
        except InputError as error:
            log.info(f"the keypoints are not judged: {error}")

    def write_report(self) -> None:
        """Write the project's report."""
        write_report(self.out, self.report, images=self.images, allow_contaminated=True)  # the page marks contaminated results
