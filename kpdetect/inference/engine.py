"""What computes a detector: one interface, several implementations that agree.

plain   the network layer by layer, as it was trained; what benchmarks and studies measure
torch   the same with batch norm folded into the convolutions and their weights laid out for the processor
onnx    the exported graph in onnxruntime, in float32 on the CPU
auto    `torch`, or `onnx` where it is faster, see `settled`
"""

from __future__ import annotations

import statistics
import time
from importlib.util import find_spec
from typing import Protocol, get_args

import numpy as np
import torch
from numpy.typing import NDArray

from kpdetect.detector.calibration import Calibration
from kpdetect.detector.folding import folded, ready
from kpdetect.detector.network import Detector, read_heatmaps
from kpdetect.errors import InputError
from kpdetect.images.arrays import Image
from kpdetect.inference.onnx_graph import onnx_model
from kpdetect.messages import log
from kpdetect.training.runtime import EngineName, Runtime

ENGINES: tuple[str, ...] = get_args(EngineName)
Read = tuple[NDArray[np.float32], NDArray[np.float32]]
"""Normalised keypoints [count, K, 2], and the heatmaps' mass about them [count, K]."""
WORTH_MEASURING = 5_000
"""Images for which `auto` exports the network and measures both engines, which takes seconds."""
MEASURED = 8
"""Images in a call that is measured."""
TURNS = 5
"""Calls of each engine; the median counts."""
FASTER = 1.1
"""How many times as fast onnxruntime must be to be taken."""
AGREEMENT = 0.05
"""Largest mean distance between two engines' keypoints, in pixels of the square."""
UNCALIBRATED = Calibration.read(None)
_chosen: dict[tuple[str, int], EngineName] = {}
"""What `auto` has chosen in this process, by weights and number of threads."""


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


class OnnxEngine:
    """The exported graph in onnxruntime, held in memory.

    Raises:
        InputError: a package of the extra `onnx` is not installed, or the device is no CPU.
    """

    name = "onnx"

    def __init__(self, detector: Detector, runtime: Runtime, side: int) -> None:
        if runtime.device.type != "cpu":
            raise InputError("`engine=onnx`: computes on the CPU only; give `device=cpu`, or `engine=torch`")
        model = onnx_model(folded(detector), UNCALIBRATED, side, "`engine=onnx`")
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        self.session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])

    @torch.inference_mode()
    def __call__(self, squares: Image) -> Read:
        """Read squares; see `Engine`."""
        pixels = torch.from_numpy(np.ascontiguousarray(squares)).permute(0, 3, 1, 2).contiguous()
        keypoints, mass = self.session.run(["keypoints", "confidence"], {"images": pixels.float().div_(127.5).sub_(1).numpy()})
        return keypoints, mass


def build_engine(name: EngineName, detector: Detector, runtime: Runtime, side: int) -> Engine:
    """An engine by name; `auto` begins as `torch`.

    Args:
        name: which one.
        detector: the network.
        runtime: device and precision.
        side: of the squares in pixels.

    Raises:
        InputError: there is no such engine, or it cannot run here.
    """
    if name not in ENGINES:
        raise InputError(f"engine '{name}': expected one of {', '.join(ENGINES)}")
    if name == "onnx":
        return OnnxEngine(detector, runtime, side)
    return PlainEngine(detector, runtime) if name == "plain" else TorchEngine(detector, runtime)


def settled(engine: Engine, detector: Detector, runtime: Runtime, side: int, weights: str, images: int) -> Engine:
    """The faster of `torch` and `onnx` for so many images. A process measures both once for each weights file.

    Torch is kept without measuring where onnxruntime is not installed, for few images, on a GPU, where the processor computes
    in bfloat16 (onnxruntime would compute in float32), and in one of several processes, which must all use the same engine.

    Args:
        engine: `torch`.
        detector, runtime, side: see `build_engine`.
        weights: hash of the weights file.
        images: how many are going to be predicted.
    """
    packages = all(find_spec(package) for package in ("onnx", "onnxruntime", "onnxscript"))
    measurable = runtime.device.type == "cpu" and runtime.compute == torch.float32 and runtime.world == 1 and packages
    key = weights, torch.get_num_threads()
    if not measurable or (key not in _chosen and images < WORTH_MEASURING) or _chosen.get(key) == engine.name:
        return engine
    other = OnnxEngine(detector, runtime, side)
    if key not in _chosen:
        gain = _gain(engine, other, side)
        _chosen[key] = "onnx" if gain > FASTER else "torch"
        log.info(f"engine: {_chosen[key]} (onnxruntime is {gain:.2f} times as fast as torch on this machine)")
    return other if _chosen[key] == "onnx" else engine


def _gain(engine: Engine, other: Engine, side: int) -> float:
    """How many times as fast `other` is; 0 where its keypoints differ."""
    squares = np.random.default_rng(0).integers(0, 256, (MEASURED, side, side, 3), dtype=np.uint8)
    (found, _), (again, _) = engine(squares), other(squares)
    if np.linalg.norm(found - again, axis=-1).mean() * side / 2 > AGREEMENT:
        return 0.0
    seconds: dict[str, list[float]] = {engine.name: [], other.name: []}
    for _ in range(TURNS):
        for each in (engine, other):
            began = time.perf_counter()
            each(squares)
            seconds[each.name].append(time.perf_counter() - began)
    return statistics.median(seconds[engine.name]) / statistics.median(seconds[other.name])
