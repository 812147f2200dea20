"""Start-up: `predict` loads what its first image needs, and nothing else."""

import subprocess
import sys

import numpy as np
import pytest

from kpdetect.images.image_files import write_image

UNUSED = (
    *("albumentations", "h5py", "matplotlib", "onnx", "onnxruntime", "pandas", "pyarrow", "scipy", "sklearn", "timm", "yaml"),
    *("torch._dynamo", "torch._inductor", "torchvision", "sympy", "starlette", "uvicorn", "av", "generator", "benchmarks"),
)
"""Packages that take long to import, and that the first image of a folder does not need."""
FIRST_IMAGE = """
import sys
from kpdetect.cli.main import main
import kpdetect.inference.predictor as module
read = module.Predictor.read_squares
def reads(self, squares):
    print("loaded:", *[name for name in UNUSED if name in sys.modules])
    return read(self, squares)
module.Predictor.read_squares = reads
main()
"""


@pytest.mark.slow
def test_predict_imports_only_what_its_first_image_needs(tmp_path):
    write_image(tmp_path / "in" / "a.png", np.full((20, 30, 3), 90, np.uint8))
    code = f"UNUSED = {UNUSED!r}\n{FIRST_IMAGE}"
    arguments = ["predict", "toy-32", str(tmp_path / "in"), "--out", str(tmp_path / "out")]
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, timeout=300, check=True)
    assert done.stdout.splitlines()[0].split() == ["loaded:"]
