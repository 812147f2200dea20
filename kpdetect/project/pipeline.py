"""The whole chain as one call: images -> generator -> pairs -> detector -> refined, and taught again -> keypoints -> report.

With the method `imm` the first four are one: IMM trains a detector on the images themselves.

PROJECT/config.yaml   what was asked for
PROJECT/generator     run folder of the generator
PROJECT/pairs         shards
PROJECT/detector      run folder of the detector
PROJECT/refined       run folder of the detector's second stage, on real images
PROJECT/taught-N      run folder of the detector of the Nth round of self-training, see `kpdetect.project.rounds`
PROJECT/predictions   keypoints on the input images
PROJECT/verdict.json  how far they can be trusted, as far as that shows without labels
PROJECT/report        index.html
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

from benchmarks.metrics.extractors import watched_distance
from benchmarks.reporting.report import write_report
from benchmarks.studies.judging import describe_verdict, judge_project
from generator.architectures import Architecture
from generator.presets import Preset
from generator.stream import PairStream
from generator.training.train import train_generator
from kpdetect.config import read_config
from kpdetect.data.export import export_pairs
from kpdetect.data.folder import select_images
from kpdetect.data.name_lists import excluded_names
from kpdetect.detector.train import train_detector
from kpdetect.errors import InputError
from kpdetect.files.sources import read_sources
from kpdetect.images.arrays import CropPolicy
from kpdetect.inference.folder_job import predict_folder
from kpdetect.inference.labels import labels_follow
from kpdetect.messages import log, say
from kpdetect.project.config import EXEMPT, Method, ProjectConfig, changed, project_config, share_of
from kpdetect.project.outdated import discard_outdated, discard_outdated_detector, discard_outdated_refinement
from kpdetect.project.price import ProjectPrice, trainings_of
from kpdetect.project.rounds import free_keys, require_rounds, teach_round
from kpdetect.project.stage import Stage, run_stages
from kpdetect.refinement.reconstruction import named_perception
from kpdetect.refinement.train import refine_detector
from kpdetect.training.checkpoints import REFINED, WEIGHTS
from kpdetect.training.run_folder import RunFolder
from kpdetect.training.runtime import DeviceName, Precision, Runtime, resolve_runtime

Last = Literal["generator", "detector", "report"]
"""Where a project may end: with its generator, with its last detector, or with keypoints on the images and a report."""


def run_project(
    images: Path,
    out: Path,
    *,
    method: Method = "gan",
    refined: bool = True,
    rounds: int | None = None,
    preset: Preset = "tiny",
    model: Architecture = "tuned",
    size: int = 64,
    keypoints: int = 10,
    crop: CropPolicy = "centre",
    seed: int = 0,
    minutes: float | None = None,
    exclude_lists: Sequence[Path] = (),
    strict: bool = False,
    device: DeviceName = "auto",
    precision: Precision = "auto",
    compiled: bool = False,
    events: bool = False,
    init_generator: Path | None = None,
    init_detector: Path | None = None,
    overrides: Sequence[str] = (),
    config: Path | None = None,
    last: Last = "report",
    dry_run: bool = False,
) -> Path:
    """Run every stage that is not finished yet; returns the report's path.

    Args:
        images: folder of unlabelled images.
        out: project folder; the same call continues there.
        method: `gan` or `imm`.
        refined: whether the detector has a second stage on the real images; `imm` has no other.
        rounds: of self-training after that, one unless given; more than a project has may be given when it is continued, not
            fewer. `imm` has none.
        preset, model, size, keypoints, crop, seed: choose the configuration, unless `config` names a YAML file.
        minutes: training time of all stages together, whatever the steps; without it each trains its steps.
        exclude_lists: files of image names never to train on.
        strict: stop at an unreadable image instead of skipping it.
        device, precision, compiled, events: see `kpdetect.training.runtime.Runtime`.
        init_generator, init_detector: models whose weights these stages start from.
        overrides: assignments such as "generator.model.tau=0.02".
        last: the stage to end with, among which the minutes are shared.
        dry_run: print what the project will do and need on this machine, and write nothing.

    Raises:
        KpdetectError: with one line that says what to do.
    """
    chosen = project_config(preset, size, keypoints, crop, seed, method, refined, model, rounds)
    settings = changed(chosen if config is None else read_config(ProjectConfig, config), minutes, overrides)
    if settings.method == "imm" and (init_generator or init_detector):
        parameter = f"init_{'generator' if init_generator else 'detector'}"
        raise InputError(f"`{parameter}`: `method=imm` starts from random weights; leave it out")
    require_rounds(out, settings.rounds.count, settings.method)
    exclude = excluded_names(images, exclude_lists)
    select_images(images, set(exclude), out)  # refuse a bad folder before anything is written
    RunFolder(out, settings, exempt=(*EXEMPT, *(f"rounds.{key}" for key in free_keys(out))), writes=not dry_run)
    runtime = resolve_runtime(device, precision, compiled=compiled, events=events)
    project = Project(
        images=images,
        out=out,
        settings=settings,
        runtime=runtime,
        minutes=minutes,
        exclude=exclude,
        strict=strict,
        init_generator=init_generator,
        init_detector=init_detector,
        last=last,
    )
    if dry_run:
        print(project.price().text)
        return project.report
    say(project.price().lines_unless_short)
    run_stages(out, project.stages())
    if last == "report" and (verdict := describe_verdict(out)):
        print(verdict)
    print(f"report: {project.report}" if last == "report" else f"trained: {out}")
    return project.report


@dataclass(frozen=True, kw_only=True)
class Project:
    """The stages of a project, each of which does nothing when it is finished already; see `run_project` for the attributes."""

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

    @property
    def report(self) -> Path:
        """The page."""
        return self.out / "report" / "index.html"

    def stages(self) -> list[Stage]:
        """All stages, in order."""
        generator = Stage("Train the generator", self.generator)
        if self.last == "generator":
            return [generator]
        if self.settings.method == "imm":
            trained = [Stage("Train a detector on the images by IMM", self.imm)]
        else:
            trained = [generator, Stage("Generate pairs", self.pairs), Stage("Train the detector on the pairs", self.detector)]
            trained += [Stage("Refine the detector on the images", self.refine)] if self.settings.refined else []
            rounds = range(1, self.settings.rounds.count + 1)
            trained += [Stage("Teach the next detector what this one finds", partial(self.teach, number)) for number in rounds]
        used = [
            Stage("Predict keypoints on the images", self.predict),
            Stage("Judge the keypoints without labels", self.judge),
            Stage("Write the report", self.write_report),
        ]
        return [*trained, *used] if self.last == "report" else trained

    def price(self) -> ProjectPrice:
        """What the stages will do and need, to be measured."""
        return ProjectPrice(
            images=self.images,
            out=self.out,
            settings=self.settings,
            runtime=self.runtime,
            minutes=self.minutes,
            exclude=self.exclude,
            strict=self.strict,
            trainings=trainings_of(self.settings, self.out, self.last == "generator", self.share),
            predicts=self.last == "report",
        )

    def share(self, stage: str) -> float | None:
        """Training minutes of a stage."""
        if self.minutes is None:
            return None
        if self.settings.method == "imm" or self.last == "generator":
            return self.minutes
        return self.minutes * share_of(stage, self.settings.refined, self.settings.rounds.count)

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
            feature_network=named_perception(
                judging.feature_network, judging.features, "generator.optimiser.features", self.runtime
            ),
            share=(self.share("generator") or 1.0) / (self.minutes or 1.0),
        )

    def pairs(self) -> None:
        """Generate pairs."""
        pairs, out = self.settings.pairs, self.out
        stream = PairStream(out / "generator", self.runtime, seed=pairs.seed, truncation=pairs.truncation)
        discard_outdated(out, stream.provenance)
        export_pairs(
            stream,
            out / "pairs",
            pairs.count,
            codec=pairs.codec,
            shard_size=pairs.shard_size,
            sources=read_sources(out / "generator"),
        )

    def detector(self) -> None:
        """Train the detector on the pairs."""
        discard_outdated_detector(self.out)
        with labels_follow(self.out / "detector" / WEIGHTS):
            train_detector(
                self.out / "pairs",
                self.out / "detector",
                self.settings.detector,
                self.runtime,
                minutes=self.share("detector"),
                initial=self.init_detector,
            )

    def refine(self) -> None:
        """Refine the detector on the images."""
        discard_outdated_refinement(self.out)
        self._refine(self.out / REFINED, self.out / "detector", self.out / "pairs", self.share("refine"))

    def imm(self) -> None:
        """Train a detector on the images by IMM."""
        self._refine(self.out / "detector", None, None, self.minutes)

    def teach(self, number: int) -> None:
        """Teach the next detector what this one finds."""
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
        with labels_follow(out / WEIGHTS):
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

    def predict(self) -> None:
        """Predict keypoints on the images."""
        device = self.runtime.device.type
        predict_folder(self.out, self.images, self.out / "predictions", device=device, strict=self.strict)

    def judge(self) -> None:
        """Judge the keypoints without labels."""
        try:
            judge_project(self.out, self.images, self.runtime)
        except InputError as error:
            log.info(f"the keypoints are not judged: {error}")

    def write_report(self) -> None:
        """Write the report."""
        write_report(self.out, self.report, images=self.images, allow_contaminated=True)  # marked on the page
