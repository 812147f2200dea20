"""Batch norm folded into the convolutions before it: the same function in fewer passes over the feature maps.

In evaluation batch norm is `y = scale * x + shift` per channel, and so is part of the weights and bias of the convolution that
gives x.
"""

from __future__ import annotations

from copy import deepcopy

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from kpdetect.detector.network import Detector
from kpdetect.training.runtime import Runtime, channels_last

TOLERANCE = 1e-3
"""Largest change of a logit by folding, as a share of the largest logit; a fault in folding changes it by far more."""
Convolution = nn.Conv2d | nn.ConvTranspose2d


def folded(detector: Detector) -> Detector:
    """A copy of a detector in which every batch norm is part of the convolution before it.

    The copy is compared with the detector on one random image. Where folding changes what an unusual network computes, the
    copy is not folded.
    """
    copy = deepcopy(detector).float().cpu().eval().requires_grad_(False)
    draws = torch.Generator().manual_seed(0)
    image = torch.rand(1, 3, detector.input_size, detector.input_size, generator=draws) * 2 - 1
    pairs, expected = _pairs(copy, image)
    parents = {child: (parent, name) for parent in copy.modules() for name, child in parent.named_children()}
    for convolution, norm in pairs:
        fused = fuse_conv_bn_eval(convolution, norm, transpose=isinstance(convolution, nn.ConvTranspose2d))
        setattr(*parents[convolution], fused)
        setattr(*parents[norm], getattr(norm, "act", nn.Identity()))  # timm's own batch norm holds its activation
    with torch.inference_mode():
        change = (copy(image) - expected).abs().max()
    return copy if change <= TOLERANCE * expected.abs().max() else deepcopy(detector).eval().requires_grad_(False)


def _pairs(detector: Detector, image: Tensor) -> tuple[list[tuple[Convolution, nn.BatchNorm2d]], Tensor]:
    """Each batch norm whose input is what a convolution gave, with that convolution; and the logits of an image."""
    given: list[tuple[Convolution, Tensor]] = []
    pairs: list[tuple[Convolution, nn.BatchNorm2d]] = []

    def after(layer: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        if isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d)):
            given.append((layer, output))
        elif isinstance(layer, nn.BatchNorm2d):
            pairs.extend((convolution, layer) for convolution, tensor in given if tensor is inputs[0])

    hooks = [layer.register_forward_hook(after) for layer in detector.modules()]
    with torch.inference_mode():
        logits = detector(image).clone()
    for hook in hooks:
        hook.remove()
    return pairs, logits


def ready(detector: Detector, runtime: Runtime) -> Detector:
    """A folded copy on the runtime's device, its convolutions' weights in the type that they compute in, channels last."""
    copy = folded(detector)
    for layer in copy.modules():
        if isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d)):
            layer.to(runtime.compute)
    channels_last(copy)
    return copy.to(runtime.device)
