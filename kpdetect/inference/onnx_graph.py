"""The network that an exported file holds, which computes keypoints and confidence from images, and its ONNX model."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from kpdetect.detector.calibration import Calibration
from kpdetect.detector.network import Detector, read_heatmaps
from kpdetect.errors import InputError

if TYPE_CHECKING:
    from onnx import ModelProto

OPSET = 18
"""The first ONNX operator set with an anti-aliased Resize."""


class KeypointGraph(nn.Module):
    """A network from images to keypoints and confidence.

    Args:
        detector: network from images to heatmap logits.
        calibration: map from heatmap mass to probability.
    """

    starts: Tensor
    lengths: Tensor
    rises: Tensor

    def __init__(self, detector: Detector, calibration: Calibration) -> None:
        super().__init__()
        self.detector, self.lowest = detector, calibration.probability[0]
        corners, values = torch.tensor(calibration.mass), torch.tensor(calibration.probability)
        self.register_buffer("starts", corners[:-1])
        self.register_buffer("lengths", corners.diff())
        self.register_buffer("rises", values.diff())

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Map images float32 [batch, 3, S, S] in [-1, 1] to keypoints [batch, K, 2] and confidence [batch, K]."""
        side = self.detector.input_size
        if images.shape[-1] < side:  # enlarging needs no antialiasing, and every runtime knows the plain Resize
            images = functional.interpolate(images, (side, side), mode="bilinear", align_corners=False)
        keypoints, mass = read_heatmaps(self.detector(images))
        return keypoints, self.probability(mass)

    def probability(self, mass: Tensor) -> Tensor:
        """Map heatmap mass to probability, by piecewise linear interpolation."""
        ramps = ((mass[..., None] - self.starts) / self.lengths).clamp(0, 1)
        return self.lowest + (ramps * self.rises).sum(dim=-1)


def prepared(detector: Detector, calibration: Calibration, side: int) -> tuple[KeypointGraph, Tensor, dict[str, Any]]:
    """Build the graph on the CPU. Return it with an example of its input and the dimensions of the input that may vary."""
    graph = KeypointGraph(detector, calibration).cpu().eval()
    example = torch.zeros(2, 3, side, side)  # with one image in the example, the exporter would fix the batch size at one
    return graph, example, {"images": {0: torch.export.Dim("batch", min=1)}}


def onnx_model(detector: Detector, calibration: Calibration, side: int, parameter: str = "`onnx`") -> ModelProto:
    """Export a detector to an ONNX model in float32, for any number of images.

    Args:
        detector: the network; it is moved to the CPU.
        calibration: map from heatmap mass to confidence.
        side: side of the square images in pixels.
        parameter: the caller's parameter that requested the export. An error message begins with it.

    Raises:
        InputError: a package of the extra `onnx` is not installed.
    """
    try:
        import onnx  # noqa: F401
        import onnxruntime  # noqa: F401
        import onnxscript  # noqa: F401  the exporter needs it
    except ImportError as error:
        raise InputError(f'{parameter}: the package {error.name} is not installed; pip install "kpdetect[onnx]"') from error
    graph, example, shapes = prepared(detector, calibration, side)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter warns about its own parts
        program = torch.onnx.export(
            graph,
            (example,),
            dynamo=True,
            opset_version=OPSET,
            input_names=["images"],
            output_names=["keypoints", "confidence"],
            dynamic_shapes=shapes,
            verbose=False,
        )
    assert program is not None
    return program.model_proto
