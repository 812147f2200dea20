"""The latent-keypoint generator. It draws each image from keypoints, so the positions of the keypoints in the image are known.

Reading order:
    config         every setting, with its source
    presets        the sizes of networks and schedules, by name
    architectures  the named models
    keypoints      the noises of image i, which depend on (seed, i) alone; keypoints and embeddings from noises
    heading        objects in every direction: angles, and what turns by them
    layers         the factorised style convolution, SPADE, AdaIN
    growing        models whose training begins with small images
    synthesis      the foreground network and its mask, and the background network
    model          the whole generator, from noises to images
    stream         image-keypoint pairs, addressed by index
    sample_sheet   sample sheets
    export         image-keypoint pairs of a trained generator, written to HDF5 files (shards)
    training/      the adversaries, the losses and the training loop
    editing/       edits of generated images: move, exchange, mix or remove parts
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
