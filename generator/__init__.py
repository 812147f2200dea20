"""The latent-keypoint generator: draws images from keypoints, so that it knows where the keypoints are.

Reading order:
    config         every choice, with its source
    presets        the sizes of networks and schedules, by name
    architectures  the named models
    keypoints      noises of image i from (seed, i) alone; noises to keypoints and embeddings
    layers         the factorised style convolution, SPADE, AdaIN
    growing        models that begin with small images
    synthesis      the foreground network and its mask, and the background network
    model          keypoints, foreground and background put together
    stream         image-keypoint pairs, addressed by index
    sheet          sample sheets
    export         pairs of a trained generator into shards
    training/      the adversaries, the losses and the training loop
    editing/       images with parts moved, exchanged, mixed or removed
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kpdetect.lazy_names import lazy_names

PLACES = {
    "train_generator": "kpdetect.project.generator_training:train_generator",
    "generator_config": "generator.architectures:generator_config",
    "GeneratorConfig": "generator.config:GeneratorConfig",
    "export_pairs": "generator.export:export_pairs",
    "ExportedPairs": "generator.export:ExportedPairs",
    "PairStream": "generator.stream:PairStream",
    "Editor": "generator.editing.editor:Editor",
}
"""The module and the name in it of every public name; training a generator needs the other packages and stands above them."""
__all__ = [
    "Editor",
    "ExportedPairs",
    "GeneratorConfig",
    "PairStream",
    "export_pairs",
    "generator_config",
    "train_generator",
]

if TYPE_CHECKING:
    from generator.architectures import generator_config
    from generator.config import GeneratorConfig
    from generator.editing.editor import Editor
    from generator.export import ExportedPairs, export_pairs
    from generator.stream import PairStream
    from kpdetect.project.generator_training import train_generator
else:
    __getattr__, __dir__ = lazy_names(__name__, PLACES)
