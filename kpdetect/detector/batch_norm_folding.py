"""Fold batch norm into the convolution before it. The network computes the same values, but faster.

In evaluation, batch norm is `y = scale * x + shift` per channel. Scale and shift can be included in the weights and bias of the
convolution that computes x.
"""

from __future__ import annotations

from copy import deepcopy

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from kpdetect.detector.network import Detector
from kpdetect.training.runtime import Runtime, channels_last

TOLERANCE = 1e-3
"""Largest change of a logit by folding, as a share of the largest logit. A fault in folding causes a much larger change."""
Convolution = nn.Conv2d | nn.ConvTranspose2d


def folded(detector: Detector) -> Detector:
    """Copy a detector and fold every batch norm into the convolution before it.

    The copy is compared with the detector on one random image. If the logits differ, as they may for an unusual network, an
    unfolded copy is returned.
    """
    copy = deepcopy(detector).float().cpu().eval().requires_grad_(False)
    draws = torch.Generator().manual_seed(0)
    image = torch.rand(1, 3, detector.input_size, detector.input_size, generator=draws) * 2 - 1
    pairs, expected = _pairs(copy, image)
    parents = {child: (parent, name) for parent in copy.modules() for name, child in parent.named_children()}
    for convolution, norm in pairs:
        fused = fuse_conv_bn_eval(convolution, norm, transpose=isinstance(convolution, nn.ConvTranspose2d))
        setattr(*parents[convolution], fused)
        setattr(*parents[norm], getattr(norm, "act", nn.Identity()))  # timm's batch norm includes the activation
    with torch.inference_mode():
        change = (copy(image) - expected).abs().max()
    return copy if change <= TOLERANCE * expected.abs().max() else deepcopy(detector).eval().requires_grad_(False)


def _pairs(detector: Detector, image: Tensor) -> tuple[list[tuple[Convolution, nn.BatchNorm2d]], Tensor]:
    """List each batch norm that follows a convolution, with this convolution. Return also the logits of an image."""
    outputs: list[tuple[Convolution, Tensor]] = []
    pairs: list[tuple[Convolution, nn.BatchNorm2d]] = []

    def after(layer: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        if isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d)):
            outputs.append((layer, output))
        elif isinstance(layer, nn.BatchNorm2d):
            pairs.extend((convolution, layer) for convolution, tensor in outputs if tensor is inputs[0])

    hooks = [layer.register_forward_hook(after) for layer in detector.modules()]
    with torch.inference_mode():
        logits = detector(image).clone()
    for hook in hooks:
        hook.remove()
    return pairs, logits


def ready(detector: Detector, runtime: Runtime) -> Detector:
    """Make a folded copy on the runtime's device. Its weights are channels-last and have the runtime's number type."""
    copy = folded(detector)
    for layer in copy.modules():
        if isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d)):
            layer.to(runtime.compute)
    channels_last(copy)
    return copy.to(runtime.device)
