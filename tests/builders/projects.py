"""A tiny project of `kpdetect run` on cartoon faces."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kpdetect.project.pipeline import RunResult, run_project
from kpdetect.toy.dataset import write_toy
from kpdetect.training.runtime import resolve_runtime

SMALL = [
    "generator.steps=3", "generator.model.widths=[8,6]", "generator.model.background_widths=[4,4]",
    "generator.model.mlp_width=8",
    "generator.model.embedding_width=4", "generator.model.spade_width=4", "generator.optimiser.batch=4",
    "generator.optimiser.discriminator_widths=[4,6,8]", "pairs.count=100", "pairs.shard_size=60", "detector.steps=3",
    "detector.batch=4", "detector.model.backbone=test_resnet", "detector.model.input_size=32", "detector.model.head_width=8",
    "detector.held_out=0.1", "refine.steps=2", "refine.batch=4", "refine.reconstruction.width=16", "rounds.steps=2",
]  # fmt: skip


def run_small(images: Path, out: Path, *more: str, **options: Any) -> RunResult:
    return run_project(
        images, out, size=32, keypoints=4, overrides=[*SMALL, *more], device=resolve_runtime("cpu", "float32"), **options
    )


@pytest.fixture(scope="session")
def toy(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("toy")
    write_toy(folder / "unlabelled", 40, size=32, seed=0)
    write_toy(folder / "annotated", 40, size=32, seed=1)
    return folder


@pytest.fixture(scope="session")
def project(toy) -> Path:
    run_small(toy / "unlabelled" / "images", toy / "project")
    return toy / "project"
