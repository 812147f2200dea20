"""Networks that compute features of images, for distances between sets of images. Each result names the network.

imagenet    efficientnet-lite0 with ImageNet weights of an installed package (extra: imagenet)
random      resnet18 with random weights, which needs no files but is less informative
FILE        a file with the weights of FID's Inception network, read by torch-fidelity (extra: fid)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.metrics.frechet import frechet_distance
from generator.config import StoppingConfig
from generator.training.stopping import DistanceTo, Images
from kpdetect.errors import ConfigError, InputError

SIDE, BATCH, SEED = 128, 64, 0
Features = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class Extractor:
    """A network from images to features.

    Attributes:
        name: name of the network in results.
        is_inception: whether the network is the Inception network of FID; only then the distances are called FID and KID.
        features: function from images uint8 [batch, 3, height, width] to features [batch, features].
    """

    name: str
    is_inception: bool
    features: Callable[[Tensor], Tensor]

    def __call__(self, blocks: Iterable[Images]) -> Features:
        """Compute features [images, features] of blocks of uint8 RGB images [images, height, width, 3]."""
        return np.concatenate([self._batch(block[at : at + BATCH]) for block in blocks for at in range(0, len(block), BATCH)])

    @torch.inference_mode()
    def _batch(self, images: Images) -> Features:
        return self.features(torch.from_numpy(images).permute(0, 3, 1, 2)).float().cpu().numpy()


def build_extractor(features: str, device: torch.device, setting: str = "`features`") -> Extractor:
    """Build the extractor `imagenet`, `random`, or Inception with the weights of a local file.

    Args:
        features: `imagenet`, `random`, or the path of a weights file.
        device: device of the network.
        setting: the name of the setting in messages.

    Raises:
        ConfigError: the ImageNet weights are not installed.
        InputError: `features` is neither a known name nor a file of Inception's weights, or torch-fidelity is not installed.
    """
    if features == "imagenet":
        from kpdetect.detector.backbone import INSTALL, NETWORK, create_backbone, installed_file

        if (weights := installed_file()) is None:
            fault = f"{setting} imagenet: the ImageNet weights are not installed; run `{INSTALL}`"
            raise ConfigError(f"{fault}, or choose random features, which are less informative")
        network = create_backbone(NETWORK, weights=weights).eval()
        name = f"efficientnet-lite0 (ImageNet), {SIDE} px"
        return Extractor(name=name, is_inception=False, features=_pooled(network, device))
    if features == "random":
        from kpdetect.detector.backbone import create_backbone

        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(SEED)
            network = create_backbone("resnet18").eval()
        return Extractor(name=f"resnet18 (random weights), {SIDE} px", is_inception=False, features=_pooled(network, device))
    if not Path(features).is_file():
        raise InputError(
            f"{setting} {features}: expected imagenet, random or an existing file with torch-fidelity's Inception weights"
        )
    return _inception(Path(features), device)


def watched_distance(stopping: StoppingConfig, device: torch.device) -> DistanceTo | None:
    """Build the Frechet distance that stops a generator's training early; None if `patience` is 0.

    Raises:
        ConfigError, InputError: see `build_extractor`.
    """
    if not stopping.patience:
        return None
    extractor = build_extractor(stopping.features, device, "stopping.features")

    def prepared(real: Images) -> Callable[[Images], float]:
        known = extractor([real])
        return lambda drawn: frechet_distance(extractor([drawn]), known)

    return prepared


def _pooled(network: nn.Module, device: torch.device) -> Callable[[Tensor], Tensor]:
    from kpdetect.refinement.reconstruction import DEVIATION, MEAN

    network.to(device)
    mean, deviation = (torch.tensor(values, device=device)[:, None, None] for values in (MEAN, DEVIATION))

    def features(images: Tensor) -> Tensor:
        large = functional.interpolate(
            images.to(device).float() / 255, size=(SIDE, SIDE), mode="bilinear", align_corners=False, antialias=True
        )
        deepest: Tensor = list(network((large - mean) / deviation))[-1]
        return deepest.mean(dim=(2, 3))

    return features


def _inception(weights: Path, device: torch.device) -> Extractor:
    from kpdetect.detector.backbone import import_timm

    import_timm()  # makes torchvision importable where its compiled operators are missing
    try:
        from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3
    except ImportError as error:
        raise InputError(f"features {weights}: torch-fidelity is not installed; pip install 'kpdetect[fid]'") from error
    try:
        network = FeatureExtractorInceptionV3("inception", ["2048"], feature_extractor_weights_path=str(weights)).to(device)
    except Exception as error:  # torch.load raises many types
        raise InputError(
            f"features {weights}: not the weights of Inception ({type(error).__name__}); give torch-fidelity's weights file"
        ) from error
    return Extractor(
        name="Inception (torch-fidelity)", is_inception=True, features=lambda images: network(images.to(device))[0]
    )
