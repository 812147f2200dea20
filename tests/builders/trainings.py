"""Trainings with a folder of images or pairs, a run folder, a configuration and a runtime."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from generator.config import GeneratorConfig
from generator.training.job import GeneratorJob
from generator.training.train import run_generator_job
from kpdetect.data.training_images import TrainingImages
from kpdetect.detector.config import DetectorConfig
from kpdetect.detector.job import DetectorJob
from kpdetect.detector.train import run_detector_job
from kpdetect.pairs import PairSource
from kpdetect.refinement.config import RefineConfig
from kpdetect.refinement.job import RefineJob
from kpdetect.refinement.train import run_refine_job
from kpdetect.training.runtime import Runtime


def generator_job(
    images: Path | TrainingImages, out: Path, config: GeneratorConfig, runtime: Runtime, **limits: Any
) -> GeneratorJob:
    return GeneratorJob(images=_chosen(images), out=out, config=config, runtime=runtime, **limits)


def detector_job(pairs: Path | PairSource, out: Path, config: DetectorConfig, runtime: Runtime, **limits: Any) -> DetectorJob:
    return DetectorJob(pairs=pairs, out=out, config=config, runtime=runtime, **limits)


def refine_job(images: Path | TrainingImages, out: Path, config: RefineConfig, runtime: Runtime, **limits: Any) -> RefineJob:
    return RefineJob(images=_chosen(images), out=out, config=config, runtime=runtime, **limits)


def fit_generator(images: Path | TrainingImages, out: Path, config: GeneratorConfig, runtime: Runtime, **limits: Any) -> Path:
    return run_generator_job(generator_job(images, out, config, runtime, **limits))


def fit_detector(pairs: Path | PairSource, out: Path, config: DetectorConfig, runtime: Runtime, **limits: Any) -> Path:
    return run_detector_job(detector_job(pairs, out, config, runtime, **limits))


def fit_on_images(images: Path | TrainingImages, out: Path, config: RefineConfig, runtime: Runtime, **limits: Any) -> Path:
    return run_refine_job(refine_job(images, out, config, runtime, **limits))


def _chosen(images: Path | TrainingImages) -> TrainingImages:
    return TrainingImages(images) if isinstance(images, Path) else images
