"""A tiny detector's configuration, and pairs that it can learn."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch

from kpdetect.data.schema import Facts, Manifest, shard_name
from kpdetect.data.shard_writer import ShardWriter
from kpdetect.detector.config import DetectorConfig, DetectorModelConfig
from kpdetect.heatmaps import gaussian_heatmaps
from kpdetect.inference.recalibration import LEAST_PAIRS
from kpdetect.pairs import PairBatch
from kpdetect.training.checkpoints import load_weights, save_weights

CONFIG = DetectorConfig(
    model=DetectorModelConfig(backbone="test_resnet", input_size=32, head="transposed", head_width=4, head_stages=1),
    steps=6, batch=4, warmup=3, held_out=0.1, checkpoint_every=2, sample_every=4, log_every=1, seed=3,
)  # fmt: skip

SIDE = 32


def dots(count, seed=0):
    """Pairs of dark images with a red and a green dot, keypoints at the dots; index 3 has the green one hidden."""
    source = np.random.default_rng(seed)
    keypoints = source.uniform(-0.7, 0.7, (count, 2, 2)).astype(np.float32)
    heatmaps = gaussian_heatmaps(torch.from_numpy(keypoints), (SIDE, SIDE), tau=0.03).numpy()
    images = np.zeros((count, SIDE, SIDE, 3), np.uint8)
    images[..., :2] = (255 * heatmaps).round().astype(np.uint8).transpose(0, 2, 3, 1)
    visible = np.ones((count, 2), bool)
    visible[3:4, 1] = False
    return PairBatch(images=images, keypoints=keypoints, visible=visible)


def write_pairs(folder, batch, shard_size=12):
    """Shards of a batch of pairs."""
    folder.mkdir()
    provenance = {"crop": "pad", "generator": "abc"}
    size, keypoints = batch.images.shape[1:3], batch.keypoints.shape[1]
    facts = Facts(codec="raw", size=size, keypoints=keypoints, shard_size=shard_size, provenance=provenance)
    manifest = Manifest(facts=facts)
    with ThreadPoolExecutor(1) as pool:
        for start in range(0, len(batch), shard_size):
            stop = min(start + shard_size, len(batch))
            part = PairBatch(
                images=batch.images[start:stop], keypoints=batch.keypoints[start:stop], visible=batch.visible[start:stop]
            )
            with ShardWriter(folder / shard_name(start // shard_size), facts, start, stop, pool) as writer:
                writer.append(part)
            manifest = manifest.including(writer.describe())
    manifest.write(folder)
    return folder


def near_the_middle(count):
    """Pairs of noise with three keypoints near the middle, where an untrained detector finds them."""
    source = np.random.default_rng(0)
    keypoints = source.uniform(-0.05, 0.05, (count, 3, 2)).astype(np.float32)
    images = source.integers(0, 255, (count, SIDE, SIDE, 3), dtype=np.uint8)
    return PairBatch(images=images, keypoints=keypoints, visible=np.ones((count, 3), bool))


def write_middle(project, pairs):
    """A project whose untrained detector finds most keypoints of these pairs, which `calibrate` needs."""
    from tests.conftest import write_project

    weights = write_project(project, 3) / "detector" / "model.safetensors"
    tensors, description = load_weights(weights, "detector")
    save_weights(weights, "detector", tensors, {**description, "crop": "pad"})
    write_pairs(pairs, near_the_middle(LEAST_PAIRS * 50), 500)
