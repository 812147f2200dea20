"""Fixtures of several test modules of kpdetect."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from kpdetect.studio.latency import ARGUMENTS
from kpdetect.studio.server import Served
from tests.builders.studio import find_browser, serving, write_pictures, write_project


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """A headless Chromium; the test is skipped where there is none, except in .ci/run."""
    path = find_browser()
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=path, args=list(ARGUMENTS))
        yield opened
        opened.close()


@pytest.fixture(scope="session")
def dot_graphs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two exported detectors of coloured dots: model.onnx for squares of 64 px, model.pt2 for 128 px."""
    pytest.importorskip("onnxruntime")
    from kpdetect.inference.export import export_onnx, export_torch
    from tests.builders.dots import perfect

    folder = tmp_path_factory.mktemp("graphs")
    export_onnx(perfect("centre", side=64), folder / "model.onnx")
    export_torch(perfect("centre", side=128), folder / "model.pt2")
    return folder


@pytest.fixture(scope="module")
def studio_project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with predictions of six images. The images lie next to it, in `images`."""
    from kpdetect.inference.folder_job import predict_folder

    folder = write_project(tmp_path_factory.mktemp("studio") / "project")
    predict_folder(folder, write_pictures(folder.parent / "images"), folder / "predictions", overlays=0)
    return folder


@pytest.fixture(scope="module")
def compared() -> Sequence[Path]:
    """The folders that `served` compares. A module of tests may have others."""
    return ()


@pytest.fixture(scope="module")
def served(studio_project: Path, compared: Sequence[Path]) -> Iterator[Served]:
    """The studio of `studio_project`."""
    from kpdetect.studio.workplace import open_workplace

    with serving(open_workplace(studio_project, compared=compared)) as opened:
        yield opened
