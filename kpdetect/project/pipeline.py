"""All stages as one call: images -> generator -> pairs -> detector -> refined -> rounds -> keypoints -> report.

With the method `imm`, one stage replaces all stages before the keypoints: IMM trains a detector on the images.

PROJECT/config.yaml   configuration
PROJECT/generator     run folder of the generator
PROJECT/pairs         shards
PROJECT/detector      run folder of the detector
PROJECT/refined       run folder of the detector that is refined on real images
PROJECT/taught-N      run folder of the detector of round N of self-training, see `kpdetect.project.rounds`
PROJECT/predictions   keypoints of the input images
PROJECT/verdict.json  an assessment of the keypoints without labels
PROJECT/report        index.html
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from generator.architectures import Architecture
from generator.presets import Preset
from kpdetect.config import read_config
from kpdetect.data.folder import select_images
from kpdetect.data.name_lists import excluded_names
from kpdetect.errors import InputError
from kpdetect.images.arrays import CropPolicy
from kpdetect.project.chain import Last, Project
from kpdetect.project.config import EXEMPT, Method, ProjectConfig, changed, project_config
from kpdetect.project.rounds_config import free_keys, require_rounds
from kpdetect.training.distributed import joined_runtime, main_first
from kpdetect.training.run_folder import RunFolder
from kpdetect.training.runtime import DeviceName, Precision


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
    """Run every stage that is not finished yet.

    Args:
        images: folder of unlabelled images.
        out: project folder. The same call again continues there.
        method: `gan` or `imm`.
        refined: whether the detector is refined on the real images. `imm` trains on the real images anyway.
        rounds: number of rounds of self-training; 1 by default, 0 for `imm`. It may not shrink when a project is continued.
        preset, model, size, keypoints, crop, seed: choice of the configuration, unless `config` names a YAML file.
        minutes: training time of all stages together, in place of their numbers of steps.
        exclude_lists: text files of image names to leave out.
        strict: stop at an unreadable image instead of skipping it.
        device, precision, compiled, events: see `kpdetect.training.runtime.Runtime`.
        init_generator, init_detector: models whose weights these stages start from.
        overrides: assignments such as "generator.model.tau=0.02".
        last: the last stage. The stages up to it share the minutes.
        dry_run: print a forecast of the project's course and needs on this machine, and write nothing.

    Returns:
        The path of the report.
    """
    chosen = project_config(preset, size, keypoints, crop, seed, method, refined, model, rounds)
    settings = changed(chosen if config is None else read_config(ProjectConfig, config), minutes, overrides)
    if settings.method == "imm" and (init_generator or init_detector):
        parameter = f"init_{'generator' if init_generator else 'detector'}"
        raise InputError(f"`{parameter}`: `method=imm` starts from random weights; leave it out")
    require_rounds(out, settings.rounds.count, settings.method)
    exclude = excluded_names(images, exclude_lists)
    select_images(images, set(exclude), out)  # refuse a bad folder before anything is written
    with joined_runtime(device, precision, compiled=compiled, events=events) as runtime:
        free = (*EXEMPT, *(f"rounds.{key}" for key in free_keys(out)))
        with main_first(runtime):
            RunFolder(out, settings, exempt=free, writes=runtime.is_main and not dry_run)
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
        project.run(dry_run)
        return project.report
