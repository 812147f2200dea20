"""The whole chain as one call: images -> generator -> pairs -> detector -> keypoints on the images -> report.

PROJECT/config.yaml   what was asked for
PROJECT/generator     run folder of the generator
PROJECT/pairs         shards
PROJECT/detector      run folder of the detector
PROJECT/predictions   keypoints on the input images
PROJECT/report        index.html
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from benchmarks.report import write_report
from generator.config import GeneratorConfig, Preset, preset
from generator.export import export_pairs
from generator.stream import PairStream
from generator.train import train_generator
from kpdetect.config import StrictConfig, apply_overrides, read_config
from kpdetect.data.folder import read_exclusions, select_images
from kpdetect.data.schema import MANIFEST, Manifest
from kpdetect.detector.config import DetectorConfig, preset_config
from kpdetect.detector.train import train_detector
from kpdetect.images import CropPolicy
from kpdetect.inference.folder import predict_folder
from kpdetect.runlog import RunFolder
from kpdetect.runtime import DeviceName, Precision, resolve_runtime
from kpdetect.training import BUDGETS

GENERATOR_SHARE = 0.7
"""Part of the training minutes that the generator gets."""


UNLIMITED = 10**9
"""Steps of a run that a time budget ends."""


class PairsConfig(StrictConfig):
    """The synthetic data set."""

    count: int = Field(20_000, ge=100)
    """Number of pairs."""
    codec: Literal["jpeg", "raw"] = "jpeg"
    """How images are stored."""
    shard_size: int = Field(5_000, ge=1)
    """Pairs per shard."""
    seed: int = Field(0, ge=0)
    """Pair i depends on this and i."""
    truncation: float = Field(1.0, gt=0, le=1)
    """Factor on the noise; lower is more typical, less varied."""


class ProjectConfig(StrictConfig):
    """Everything that `kpdetect run` decides."""

    generator: GeneratorConfig
    """Training of the generator."""
    pairs: PairsConfig = PairsConfig()
    """The synthetic data set."""
    detector: DetectorConfig
    """Training of the detector."""


EXEMPT = ("pairs.count", *(f"{stage}.{key}" for stage in ("generator", "detector") for key in BUDGETS))


def project_config(name: Preset, size: int, keypoints: int, crop: CropPolicy, seed: int) -> ProjectConfig:
    """The configuration of a preset."""
    generator = apply_overrides(preset(name, size, keypoints), [f"seed={seed}", f"data.crop={crop}"])
    detector = apply_overrides(preset_config(name), [f"seed={seed}"])
    return ProjectConfig(generator=generator, detector=detector, pairs=PairsConfig(seed=seed))


def run_project(
    images: Path,
    out: Path,
    *,
    preset: Preset = "tiny",
    size: int = 64,
    keypoints: int = 10,
    crop: CropPolicy = "centre",
    seed: int = 0,
    minutes: float | None = None,
    exclude_lists: Sequence[Path] = (),
    strict: bool = False,
    device: DeviceName = "auto",
    precision: Precision = "auto",
    overrides: Sequence[str] = (),
    config: Path | None = None,
) -> Path:
    """Run every stage that is not finished yet; returns the report's path.

    Args:
        images: folder of unlabelled images.
        out: project folder; the same call continues there.
        preset, size, keypoints, crop, seed: choose the configuration, unless `config` names a YAML file.
        minutes: training time of generator and detector together, whatever the steps; without it each trains its steps.
        exclude_lists: files of image names never to train on.
        strict: stop at an unreadable image instead of skipping it.
        device, precision: where and in what to compute.
        overrides: assignments such as "generator.model.tau=0.02".

    Raises:
        KpdetectError: with one line that says what to do.
    """
    settings = project_config(preset, size, keypoints, crop, seed)
    if config is not None:
        settings = read_config(ProjectConfig, config)
    if minutes is not None:  # the clock ends the stages, not the preset's steps
        settings = apply_overrides(settings, [f"{stage}.steps={UNLIMITED}" for stage in ("generator", "detector")])
    settings = apply_overrides(settings, overrides)
    exclude = frozenset(read_exclusions(exclude_lists))
    select_images(images, set(exclude))  # refuse a bad folder before anything is written
    RunFolder(out, settings, exempt=EXEMPT)
    runtime = resolve_runtime(device, precision)
    share = None if minutes is None else minutes * GENERATOR_SHARE
    _stage(1, "train the generator")
    train_generator(images, out / "generator", settings.generator, runtime, minutes=share, exclude=exclude, strict=strict)
    _stage(2, "generate pairs")
    pairs = settings.pairs
    stream = PairStream(out / "generator", runtime, seed=pairs.seed, truncation=pairs.truncation)
    discard_outdated(out, stream.provenance)
    export_pairs(
        stream,
        out / "pairs",
        pairs.count,
        codec=pairs.codec,
        shard_size=pairs.shard_size,
        sources_from=out / "generator",
    )
    _stage(3, "train the detector")
    rest = None if minutes is None or share is None else minutes - share
    train_detector(out / "pairs", out / "detector", settings.detector, runtime, minutes=rest)
    _stage(4, "predict keypoints on the images")
    predict_folder(out / "detector", images, out / "predictions", device=device, strict=strict)
    _stage(5, "write the report")
    report = out / "report" / "index.html"
    write_report(out, report, sorted((out / "results").glob("*.json")), images=images)
    print(f"report: {report}")
    return report


def discard_outdated(out: Path, provenance: dict[str, Any]) -> None:
    """Remove the later stages of a project whose generator was trained further since: they are made from the old one."""
    if not (out / "pairs" / MANIFEST).exists():
        return
    if Manifest.read(out / "pairs").facts.provenance.get("generator") == provenance["generator"]:
        return
    print("the generator has changed: pairs, detector and predictions are made anew", file=sys.stderr)
    for stage in ("pairs", "detector", "predictions"):
        shutil.rmtree(out / stage, ignore_errors=True)


def _stage(number: int, name: str) -> None:
    print(f"[{number}/5] {name}", file=sys.stderr, flush=True)
