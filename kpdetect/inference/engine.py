"""What computes a detector: one interface, several implementations that agree.

    plain   the network layer by layer, as it was trained; what benchmarks and studies measure
    torch   the same with batch norm folded into the convolutions and their weights laid out for the processor
    onnx    the exported graph in onnxruntime, in float32 on the CPU
    auto    `torch`, or `onnx` where it is faster; see `Predictor.settle`
"""

from __future__ import annotations

from typing import Literal, Protocol, get_args

import numpy as np
import torch
from numpy.typing import NDArray

from kpdetect.detector.folding import ready
from kpdetect.detector.model import Detector, read_heatmaps
from kpdetect.errors import InputError
from kpdetect.images.arrays import Image
from kpdetect.training.runtime import Runtime

EngineName = Literal["auto", "torch", "onnx", "plain"]
ENGINES: tuple[str, ...] = get_args(EngineName)
Read = tuple[NDArray[np.float32], NDArray[np.float32]]
"""Normalised keypoints [count, K, 2], and the heatmaps' mass about them [count, K]."""


class Engine(Protocol):
    """Squares to keypoints.

    Attributes:
        name: of the implementation, for records.
    """

    name: str

    def __call__(self, squares: Image) -> Read:
        """Read squares uint8 [count, side, side, 3], count at least 1."""
        ...


class PlainEngine:
    """The network as it was trained."""

    name = "plain"

    def __init__(self, detector: Detector, runtime: Runtime) -> None:
        self.detector, self.runtime = detector, runtime

    @torch.inference_mode()
    def __call__(self, squares: Image) -> Read:
        """Read squares; see `Engine`."""
        pixels = torch.from_numpy(squares.transpose(0, 3, 1, 2).copy()).to(self.runtime.device)
        with self.runtime.autocast():
            logits = self.detector(pixels.float().div_(127.5).sub_(1))
        keypoints, mass = read_heatmaps(logits)
        return keypoints.cpu().numpy(), mass.cpu().numpy()


class TorchEngine:
    """The network with batch norm folded away, its weights and images channels-last."""

    name = "torch"

    def __init__(self, detector: Detector, runtime: Runtime) -> None:
        self.detector, self.runtime = ready(detector, runtime), runtime

    @torch.inference_mode()
    def __call__(self, squares: Image) -> Read:
        """Read squares; see `Engine`."""
        pixels = torch.from_numpy(np.ascontiguousarray(squares)).to(self.runtime.device).permute(0, 3, 1, 2)
        with self.runtime.autocast():
            logits = self.detector(pixels.float().div_(127.5).sub_(1))
        keypoints, mass = read_heatmaps(logits.float().contiguous())  # sums along rows are slow channels-last
        return keypoints.cpu().numpy(), mass.cpu().numpy()


def torch_engine(name: EngineName, detector: Detector, runtime: Runtime) -> Engine:
    """The engine that needs nothing but torch: `plain`, or `torch` for every other name.

    Raises:
        InputError: there is no such engine.
    """
    if name not in ENGINES:
        raise InputError(f"engine '{name}': expected one of {', '.join(ENGINES)}")
    return PlainEngine(detector, runtime) if name == "plain" else TorchEngine(detector, runtime)
