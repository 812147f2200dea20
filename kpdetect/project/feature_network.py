"""The pretrained network of the method `correspondence`: whether it is there, loading it, and its speed."""

from __future__ import annotations

import time

from kpdetect.detector.backbone import weights_file
from kpdetect.discovery.config import CorrespondenceConfig
from kpdetect.discovery.dense_features import grid_features
from kpdetect.images.arrays import Image
from kpdetect.refinement.reconstruction import Perception, named_perception
from kpdetect.training.runtime import Runtime

SETTING = "correspondence.features"
"""Name of the setting of the weights in messages."""


def require_features(config: CorrespondenceConfig) -> None:
    """Check that the weights of the feature network exist.

    Raises:
        ConfigError: they do not. The message names the command that installs them.
    """
    weights_file(config.features, config.network, SETTING)


def feature_network(config: CorrespondenceConfig, runtime: Runtime) -> Perception:
    """Load the feature network onto the runtime's device.

    Raises:
        ConfigError, CheckpointError: there is no such network, or there are no weights for it.
    """
    perception = named_perception(config.network, config.features, SETTING, runtime)
    assert perception is not None  # `features` is not None
    return perception


def feature_rate(squares: Image, config: CorrespondenceConfig, runtime: Runtime) -> float:
    """Measure how many of some square images [count, size, size, 3] per second the feature network can see."""
    perception = feature_network(config, runtime)
    grid_features(perception, squares[:2], config.maps, config.cells, runtime.device)  # the first call is slower
    began = time.perf_counter()
    grid_features(perception, squares, config.maps, config.cells, runtime.device)
    return len(squares) / max(time.perf_counter() - began, 1e-9)
