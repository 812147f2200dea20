"""Implementations ("engines") that compute a detector's network. They have the same interface and agree in their results.

plain   the network layer by layer, as it was trained; benchmarks use it
torch   the network with batch norm folded into the convolutions, and weights laid out for the processor
onnx    the exported graph in onnxruntime, in float32 on the CPU
auto    `torch`, or `onnx` if a measurement shows that it is faster, see `settled`
"""

from __future__ import annotations

import statistics
import time
from importlib.util import find_spec
from typing import Protocol, get_args

import numpy as np
import torch
from numpy.typing import NDArray

from kpdetect.detector.batch_norm_folding import folded, ready
from kpdetect.detector.calibration import Calibration
from kpdetect.detector.network import Detector, read_heatmaps
from kpdetect.errors import InputError
from kpdetect.images.arrays import Image
from kpdetect.inference.onnx_graph import onnx_model
from kpdetect.messages import log
from kpdetect.training.runtime import EngineName, Runtime

ENGINES: tuple[str, ...] = get_args(EngineName)
Read = tuple[NDArray[np.float32], NDArray[np.float32]]
"""Normalised keypoints [count, K, 2], and the heatmap mass around each keypoint [count, K], in [0, 1]."""
WORTH_MEASURING = 5_000
"""Smallest number of images for which `auto` exports the network and measures both engines. This takes seconds."""
MEASURED = 8
"""Number of images in a measured call."""
TURNS = 5
"""Number of measured calls of each engine. Their median times are compared."""
FASTER = 1.1
"""Smallest speed of onnxruntime, as a multiple of the speed of torch, for which `auto` chooses it."""
AGREEMENT = 0.05
"""Largest mean distance between two engines' keypoints, in pixels of the square."""
MASS_AGREEMENT = 0.01
"""Largest difference between two engines' heatmap masses, from which confidences are computed."""
UNCALIBRATED = Calibration.read(None)
_chosen: dict[tuple[str, int], EngineName] = {}
"""The choices of `auto` in this process, by weights and number of threads."""


class Engine(Protocol):
    """A function from square images to normalised keypoints and their confidence.

    Attributes:
        name: name of the implementation, for records.
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
    """The network with batch norm folded into the convolutions. Its weights and images are channels-last."""

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
        InputError: a package of the extra `onnx` is not installed, or the device is not a CPU.
    """

    name = "onnx"

    def __init__(self, detector: Detector, runtime: Runtime, side: int) -> None:
        if runtime.device.type != "cpu":
            raise InputError("`engine=onnx`: this engine runs on the CPU only; give `device=cpu`, or `engine=torch`")
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
    """Build an engine by its name. For `auto`, build `torch`; `settled` may replace it later.

    Args:
        name: name of the engine.
        detector: the network.
        runtime: device and precision.
        side: side of the square images in pixels.

    Raises:
        InputError: there is no such engine, or it cannot run on this machine.
    """
    if name not in ENGINES:
        raise InputError(f"`engine={name}`: expected one of {', '.join(ENGINES)}")
    if name == "onnx":
        return OnnxEngine(detector, runtime, side)
    return PlainEngine(detector, runtime) if name == "plain" else TorchEngine(detector, runtime)


def settled(engine: Engine, detector: Detector, runtime: Runtime, side: int, weights: str, images: int) -> Engine:
    """Measure which of `torch` and `onnx` is faster, and return it. A process measures both only once per weights file.

    `torch` is kept without measuring in these cases: onnxruntime is not installed, there are few images, the device is a GPU,
    the CPU computes in bfloat16 (onnxruntime would compute in float32), or several processes must use the same engine.

    Args:
        engine: the engine `torch`.
        detector, runtime, side: see `build_engine`.
        weights: hash of the weights file.
        images: number of images to predict.
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
    """Measure the speed of `other` as a multiple of the speed of `engine`; 0 if their keypoints or heatmap masses differ."""
    squares = np.random.default_rng(0).integers(0, 256, (MEASURED, side, side, 3), dtype=np.uint8)
    (keypoints, mass), (others, other_mass) = engine(squares), other(squares)
    distance = np.linalg.norm(keypoints - others, axis=-1).mean() * side / 2
    if distance > AGREEMENT or np.abs(mass - other_mass).max() > MASS_AGREEMENT:
        return 0.0
    seconds: dict[str, list[float]] = {engine.name: [], other.name: []}
    for _ in range(TURNS):
        for candidate in (engine, other):
            began = time.perf_counter()
            candidate(squares)
            seconds[candidate.name].append(time.perf_counter() - began)
    return statistics.median(seconds[engine.name]) / statistics.median(seconds[other.name])
