"""The stages of a project of `kpdetect run`. A stage that is finished does nothing."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path

from benchmarks.reporting.report import write_report
from benchmarks.studies.judging import judge_project
from benchmarks.studies.keypoint_choice import NAME as CHOSEN
from generator.stream import PairStream
from generator.training.train import run_generator_job
from kpdetect.data.export import write_shards
from kpdetect.detector.train import run_detector_job
from kpdetect.errors import InputError
from kpdetect.files.sources import read_sources
from kpdetect.inference.folder_job import predict_folder
from kpdetect.inference.labels import labels_follow
from kpdetect.messages import log, say
from kpdetect.project.budget import has_begun_to_learn, pairs_in_use
from kpdetect.project.correspondence import find_correspondences
from kpdetect.project.correspondence_pairs import write_correspondence_pairs
from kpdetect.project.detector_choice import choose_detector
from kpdetect.project.generator_training import with_networks
from kpdetect.project.job import ProjectJob
from kpdetect.project.keypoint_choice import choose_in_project, keep_all
from kpdetect.project.matched_images import require_same_images
from kpdetect.project.outdated import (
    CORRESPONDENCE,
    discard_outdated,
    discard_outdated_detector,
    discard_outdated_matches,
    discard_outdated_refinement,
    discard_outdated_rounds,
)
from kpdetect.project.price import ProjectPrice
from kpdetect.project.rounds import teach_round
from kpdetect.project.setting_names import named_in
from kpdetect.project.stage import Stage, run_stages
from kpdetect.refinement.job import RefineJob
from kpdetect.refinement.train import run_refine_job
from kpdetect.training.checkpoints import WEIGHTS, round_folder
from kpdetect.training.distributed import by_the_first, peers_of
from kpdetect.training.processes import Peers


@dataclass(frozen=True, kw_only=True)
class Project(ProjectJob):
    """A project and its stages."""

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
                Stage(
                    f"Round {number}: train a detector on the last one's predictions",
                    named_in("round", partial(self.teach, number)),
                )
                for number in rounds
            ]
            if self.settings.refined or rounds:
                trained.append(Stage("Choose among the detectors", partial(by_the_first, self.runtime, self.choose_detector)))
        if self.settings.kept is not None or (self.out / CHOSEN).exists():
            trained.append(Stage("Choose the most informative keypoints", partial(by_the_first, self.runtime, self.choose)))
        used = [
            Stage("Predict keypoints on the images", self.predict),
            Stage("Judge the keypoints without labels", partial(by_the_first, self.runtime, self.judge)),
            Stage("Write the report", partial(by_the_first, self.runtime, self.write_report)),
        ]
        return [*trained, *used] if self.last == "report" else trained

    @cached_property
    def price(self) -> ProjectPrice:
        """The forecast of the project. Nothing is measured before its lines are read.

        Raises:
            ConfigError: the images are not those in which the keypoints were matched that the detector has learned.
        """
        self._require_same_images()
        return ProjectPrice(job=self)

    def _require_same_images(self) -> None:
        if self.settings.method == "correspondence" and has_begun_to_learn(self.out):
            paths = self.images.spread(self.out / CORRESPONDENCE, self.settings.correspondence.images)
            require_same_images(self.out / CORRESPONDENCE, paths, self.images.folder)

    def generator(self) -> None:
        """Train the generator."""
        run_generator_job(with_networks(self.generator_job))

    def pairs(self) -> None:
        """Generate pairs of an image and its keypoints with the generator."""
        pairs, out = self.settings.pairs, self.out
        stream = PairStream(out / "generator", self.runtime, seed=pairs.seed, truncation=pairs.truncation)
        by_the_first(self.runtime, lambda: discard_outdated(out, stream.provenance))
        in_use = 0 if self.minutes is None else pairs_in_use(out)  # another number of pairs would discard the detector
        count = self.peers.agreed(in_use or self.price.pairs_count)
        write_shards(
            stream,
            out / "pairs",
            count,
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
            in_use=has_begun_to_learn(self.out),
        )
        by_the_first(runtime, lambda: discard_outdated_matches(self.out))
        size = settings.detector.model.input_size
        write_correspondence_pairs(found, self.images.folder, self.out / "pairs", config, runtime, size=size, crop=crop)

    def detector(self) -> None:
        """Train the detector on the generated pairs."""
        by_the_first(self.runtime, lambda: discard_outdated_detector(self.out))
        with labels_follow(self.out / "detector" / WEIGHTS, self.runtime.is_main):
            run_detector_job(self.detector_job)

    def refine(self) -> None:
        """Continue the training of the detector on the real images, if the first detector leaves the minutes for it."""
        by_the_first(self.runtime, lambda: discard_outdated_refinement(self.out))
        if (reason := self.peers.agreed(self.reason_without_refinement())) is not None:
            done = "not trained further" if (self.refine_job.out / WEIGHTS).exists() else "left out"
            by_the_first(self.runtime, lambda: log.info(f"refinement is {done}: {reason}"))
            return
        self._refine(self.refine_job)

    def imm(self) -> None:
        """Train a detector on the images by the method `imm` (Jakab et al. 2018)."""
        self._refine(self.imm_job)

    def teach(self, number: int) -> None:
        """Run one round of self-training: train a new detector on the predictions of the previous one."""
        if self.may_omit_round(number):
            by_the_first(self.runtime, lambda: discard_outdated_rounds(self.out))
            if number > 1:
                by_the_first(self.runtime, self.choose_detector)
            if (reason := self.peers.agreed(self.reason_without_round(number))) is not None:
                ended = number > 1 and not (self.out / round_folder(number - 1) / WEIGHTS).exists()
                done = "not trained further" if (self.out / round_folder(number) / WEIGHTS).exists() else "left out"
                log.info(f"round {number} is {done}" + ("" if ended else f": {reason}"))
                return
        teach_round(self, number)

    def _refine(self, job: RefineJob) -> None:
        with labels_follow(job.out / WEIGHTS, self.runtime.is_main):
            run_refine_job(job)

    def choose_detector(self) -> None:
        """Choose the detector that predictions and results use, by the detectors' scores."""
        try:
            choose_detector(self.out, self.images, self.runtime)
        except InputError as error:
            log.info(f"the last detector is used: {error}")

    def choose(self) -> None:
        """Keep the most informative keypoints, and leave the others out of all results."""
        if self.settings.kept is None:
            keep_all(self.out)
            return
        try:
            choose_in_project(self.out, self.images, self.settings.kept, self.runtime)
        except InputError as error:
            log.warning(f"all {self.settings.learned} keypoints are kept: {error}")

    def predict(self) -> None:
        """Predict keypoints on the project's images."""
        images, device = self.images, self.runtime.device.type
        predict_folder(self.out, images.folder, self.out / "predictions", device=device, strict=images.strict, peers=self.peers)

    def judge(self) -> None:
        """Assess the predicted keypoints without labels, and write the assessment into the project."""
        try:
            judge_project(self.out, self.images.folder, self.runtime)
        except InputError as error:
            log.info(f"the keypoints are not judged: {error}")

    def write_report(self) -> None:
        """Write the project's report."""
        folder = self.images.folder
        write_report(self.out, self.report, images=folder, allow_contaminated=True)  # the page marks contaminated results
