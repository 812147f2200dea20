"""A whole project as one call: images -> generator -> pairs -> detector -> refined -> rounds -> keypoints -> report.

With the method `imm`, the first stages are replaced by one: IMM (Jakab et al. 2018) trains a detector on the images. With the
method `correspondence`, clusters of pretrained features are matched across the images instead of training a generator. The
pairs are then real images with the matched keypoints.

PROJECT/config.yaml   configuration
PROJECT/orientation.json  the directions of the objects, with the evidence
PROJECT/generator     run folder of the generator
PROJECT/correspondence   keypoints that the method `correspondence` matched across the images
PROJECT/pairs         shards with pairs of an image and its keypoints
PROJECT/detector      run folder of the detector
PROJECT/refined       run folder of the detector that is refined on real images
PROJECT/taught-N      run folder of the detector of round N of self-training (see `kpdetect.project.rounds`)
PROJECT/stages.json   which of the detectors is used, and the scores of all
PROJECT/chosen.json   which keypoints are kept, if the project learns more than it keeps
PROJECT/predictions   keypoints of the input images
PROJECT/verdict.json  an assessment of the keypoints, made without labels
PROJECT/report        the report, index.html
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from logging import INFO
from pathlib import Path
from typing import Any, Literal

from benchmarks.benchmarking.benchmark import BenchmarkResult
from benchmarks.evaluation.results import read_result
from benchmarks.reporting.report import project_results
from benchmarks.studies.judging import describe_verdict
from kpdetect.config import apply_overrides, chosen_config
from kpdetect.data.training_images import TrainingImages
from kpdetect.errors import InputError
from kpdetect.files.names import as_path
from kpdetect.inference.predictions import Predictions
from kpdetect.inference.predictions_folder import read_predictions
from kpdetect.messages import log, say
from kpdetect.progress import Listener, listening
from kpdetect.project.budget import affordable, omission
from kpdetect.project.config import EXEMPT, Method, ProjectConfig, changed, project_config
from kpdetect.project.feature_network import require_features
from kpdetect.project.job import Last
from kpdetect.project.method_choice import chosen_method
from kpdetect.project.orientation import DEFAULT, MATCHED, PROJECT, Orientation, settle_orientation
from kpdetect.project.rounds_config import free_keys, require_rounds
from kpdetect.project.run_stages import Project
from kpdetect.training.checkpoints import find_weights
from kpdetect.training.distributed import main_first
from kpdetect.training.pretrained import refuse_pretrained
from kpdetect.training.run_folder import RunFolder
from kpdetect.training.runtime import DeviceName, Runtime, as_runtime


@dataclass(frozen=True, kw_only=True)
class RunResult:
    """The project folder that `kpdetect.run` returns.

    Attributes:
        path: the project folder. Every function with a parameter `model` accepts it.
        report: path of the report, an HTML page.
        plan: sentences about the decisions of `auto` (orientation, method), and about the time, memory and disk that the
            project needs on this machine. Empty unless the call was a dry run.
    """

    path: Path
    report: Path
    plan: tuple[str, ...] = ()

    @property
    def weights(self) -> Path:
        """The weights file of the project's chosen detector, without a choice of its last one.

        Raises:
            CheckpointError: the project has no detector.
        """
        return find_weights(self.path, "detector")

    @property
    def predictions(self) -> Predictions:
        """The keypoints that were predicted on the project's images.

        Raises:
            InputError: the project has no predictions.
        """
        return read_predictions(self.path / "predictions")

    @property
    def verdict(self) -> str:
        """The assessment of the keypoints, in sentences; empty if the project has none."""
        return describe_verdict(self.path) or ""

    @property
    def results(self) -> list[BenchmarkResult]:
        """The benchmark results in PROJECT/results that belong to the project's present weights."""
        return [BenchmarkResult(path=path, result=read_result(path)) for path in project_results(self.path)]


def run_project(
    images: Path | str,
    out: Path | str,
    config: ProjectConfig | Path | str | None = None,
    *,
    keypoints: int | Literal["auto"] | None = None,
    size: int | None = None,
    method: Method | Literal["auto"] | None = None,
    orientation: Orientation | None = None,
    pretrained: bool = True,
    minutes: float | None = None,
    overrides: Sequence[str] = (),
    exclude_lists: Sequence[Path | str] = (),
    strict: bool = False,
    init_generator: Path | str | None = None,
    init_detector: Path | str | None = None,
    last: Last = "report",
    dry_run: bool = False,
    device: DeviceName | Runtime = "auto",
    progress: Listener | None = None,
) -> RunResult:
    """Train a detector on a folder of images, predict their keypoints and write a report. A later call continues the project.

    Args:
        images: folder of unlabelled images, searched recursively.
        out: project folder.
        config: the configuration (`kpdetect.project_config`), or its YAML file. When a project is continued, only the keys in
            `EXEMPT` (`kpdetect.project.config`), such as `pairs.count`, and those of `kpdetect.project.rounds_config.free_keys`
            may change.
        keypoints, size, method: see `kpdetect.project_config`. `method` is `auto` by default, see
            `kpdetect.project.method_choice`. Not together with `config`.
        orientation: directions of the objects: `upright`, `any` or `auto`, which tests the images; by default as `config` says.
        pretrained: whether settings, and the method `auto`, may use pretrained weights.
        minutes: training time of all stages together. It replaces the numbers of steps in the configuration.
        overrides: assignments such as "generator.model.tau=0.02", applied last.
        exclude_lists: text files of image names to leave out.
        strict: stop at an unreadable image instead of skipping it.
        init_generator, init_detector: models with whose weights the generator and the first detector start.
        last: the last stage to run: `generator`, `detector` or `report`. The training stages up to it share the minutes.
        dry_run: write nothing, and forecast the time, memory and disk that the project needs on this machine
            (`RunResult.plan`).
        device: `auto`, `cpu`, `cuda`, or a `Runtime`, which also sets the precision.
        progress: function that is called with the progress of the work.

    Raises:
        KpdetectError: an input, setting or output cannot be used. The message says what to do.
        KeyboardInterrupt: the user pressed Ctrl-C. The current step is finished and saved first.
    """
    out = Path(out)
    decisions: list[str] = []
    given = {"keypoints": keypoints, "size": size, "method": method, "init_generator": init_generator, "last": last}
    asked = partial(chosen_method, out, overrides, pretrained=pretrained)
    settings = changed(_chosen(config, given, asked, decisions.append), minutes, overrides)
    _require_method(settings, out, init_generator, init_detector, last, pretrained=pretrained)
    runtime = as_runtime(device)
    listed = TrainingImages.listed(Path(images), exclude_lists, strict, out, report=runtime.is_main)
    wanted, writes = orientation or (DEFAULT if config is None else None), runtime.is_main and not dry_run
    settings = _oriented(settings, wanted, overrides, listed, out, writes=writes, say=decisions.append)
    say((INFO, decision) for decision in decisions if writes)
    free = (*EXEMPT, *(f"rounds.{key}" for key in free_keys(out)))
    with main_first(runtime):
        RunFolder(out, settings, exempt=free, writes=writes)
    project = Project(
        images=listed,
        out=out,
        settings=affordable(settings, minutes, out),
        runtime=runtime,
        minutes=minutes,
        init_generator=as_path(init_generator),
        init_detector=as_path(init_detector),
        last=last,
        whole=settings,
    )
    with listening(progress):
        if runtime.is_main and last == "report" and (omitted := omission(settings, minutes, out)):
            log.info(omitted)
        if dry_run:
            return RunResult(path=out, report=project.report, plan=(*decisions, *project.price.text.splitlines()))
        project.run()
    return RunResult(path=out, report=project.report)


def _require_method(
    settings: ProjectConfig,
    out: Path,
    init_generator: Path | str | None,
    init_detector: Path | str | None,
    last: Last,
    *,
    pretrained: bool,
) -> None:
    """Check that the method can start from the given models, has its features, the last stage, and the number of rounds.

    If `pretrained` is False, also check that no setting names pretrained weights.
    """
    if not pretrained:
        refuse_pretrained(settings.model_dump(mode="json"))
    for name, value in (("init_generator", init_generator), ("init_detector", init_detector)):
        if value is not None and settings.method == "imm":
            raise InputError(f"`{name}`: `method=imm` starts from random weights; leave `{name}` out")
    if last == "generator" and settings.method != "gan":
        fault = f"`last=generator`: `method={settings.method}` trains no generator"
        raise InputError(f"{fault}; use `method=gan`, or leave `last` out")
    if settings.method == "correspondence":
        require_features(settings.correspondence)
        if init_generator is not None:
            raise InputError("`init_generator`: `method=correspondence` trains no generator; leave `init_generator` out")
    require_rounds(out, settings.rounds.count, settings.method)


def _oriented(
    settings: ProjectConfig,
    wanted: Orientation | None,
    overrides: Sequence[str],
    images: TrainingImages,
    out: Path,
    *,
    writes: bool,
    say: Callable[[str], object],
) -> ProjectConfig:
    """Return the settings, changed if the objects have all directions; see `settle_orientation`."""
    if wanted is None:
        return settings
    model, crop = settings.generator.model, settings.generator.data.crop
    possible = settings.method == "correspondence" or (model.separate_background and settings.method == "gan")
    if not settle_orientation(wanted, images, out, crop, possible=possible, writes=writes, say=say):
        return settings
    return apply_overrides(settings, [*(MATCHED if settings.method == "correspondence" else PROJECT), *overrides])


def _chosen(
    config: ProjectConfig | Path | str | None,
    given: Mapping[str, Any],
    ask: Callable[..., tuple[Method, str]],
    say: Callable[[str], object],
) -> ProjectConfig:
    """Return the configuration, or the one of those parameters in `given` that it has; the method is `auto` by default."""
    own = {name: given[name] for name in ("keypoints", "size", "method") if given[name] is not None}
    if config is None and own.get("method", "auto") == "auto":
        own["method"], why = ask(given=given)
        say(why)
    if config is not None and own:
        raise InputError(f"`{next(iter(own))}`: cannot be combined with `config`; change the configuration")
    return chosen_config(config, ProjectConfig, lambda: project_config(**own))
