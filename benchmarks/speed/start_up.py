"""The contest of start-up: from the command `kpdetect predict` to the keypoints of its first image, in a new process."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.speed.paired_timing import Contest, Setting
from benchmarks.speed.prediction import SMALL, draw_photographs

MODEL = "toy-32"
UNTIL_FIRST_IMAGE = """
import os
from kpdetect.cli.main import main
from kpdetect.inference.predictor import Predictor

read = Predictor.read_squares

def read_and_end(self, squares):
    read(self, squares)
    os._exit(0)

Predictor.read_squares = read_and_end
main()
os._exit(1)
"""
"""A program that runs a command of kpdetect and ends when the first image has its keypoints."""


def contests(setting: Setting) -> Iterator[Contest]:
    """Yield the contest of a new process that predicts one image against a new process that only imports torch."""
    with tempfile.TemporaryDirectory() as folder:
        draw_photographs(Path(folder) / "images", SMALL, 1)
        images, out = str(Path(folder) / "images"), str(Path(folder) / "out")
        device = setting.runtime.device.type
        command = ["predict", MODEL, images, "--out", out, "--overwrite", "--device", device]
        yield Contest(
            name="start-up of the command predict, until the first image has keypoints",
            work=lambda: run_python(UNTIL_FIRST_IMAGE, *command),
            amount=1,
            unit="starts",
            base="a process that only imports torch",
            base_work=lambda: run_python("import torch"),
            base_amount=1,
        )


def run_python(code: str, *arguments: str) -> None:
    """Run a program in a new process."""
    subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, check=True)
