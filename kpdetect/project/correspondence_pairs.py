"""Pairs of real images and the keypoints that `kpdetect.project.correspondence` found in them."""

from __future__ import annotations

from pathlib import Path

from kpdetect.data.crop_sources import originals
from kpdetect.data.export import write_shards
from kpdetect.discovery.config import CorrespondenceConfig
from kpdetect.images.arrays import CropPolicy
from kpdetect.images.image_files import list_names
from kpdetect.inference.pseudo_labels import PseudoPairs
from kpdetect.training.distributed import peers_of
from kpdetect.training.runtime import Runtime


def write_correspondence_pairs(
    found: Path, images: Path, out: Path, config: CorrespondenceConfig, runtime: Runtime, *, size: int, crop: CropPolicy
) -> None:
    """Write the images and the keypoints that `find_correspondences` found as shards, on which a detector can be trained.

    Args:
        found: folder that `find_correspondences` wrote.
        images: folder of the images.
        out: folder of shards.
        config: settings. Matches below `min_similarity` are left out.
        runtime: device and processes.
        size: side of the square images in pixels.
        crop: how an image becomes square.

    Raises:
        InputError: an image is missing, or has changed since.
        OutputError: `out` cannot be written.
    """
    peers = peers_of(runtime)
    pairs = PseudoPairs([found], images, size, crop, max(config.min_similarity, 1e-6), peers=peers)
    names = pairs.predictions.images
    behind = [*pairs.sources, *originals(images, list_names(images), names)]
    if config.headings:
        pairs.provenance["orientation"] = "any"
    write_shards(pairs, out, len(names), sources=behind, peers=peers)
