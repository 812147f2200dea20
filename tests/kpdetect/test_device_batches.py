"""Batches that are varied on the device of the networks; here the device is the CPU, asked for by `augment_on=device`."""

from __future__ import annotations

import warnings
from itertools import islice

import numpy as np
import pytest
import torch

from kpdetect.config import apply_overrides
from kpdetect.coords import to_pixels
from kpdetect.data.augment import AugmentConfig
from kpdetect.data.device_images import chunks, copied_ahead, kept_on
from kpdetect.data.export import write_shards
from kpdetect.data.shard_folder import ShardFolder
from kpdetect.detector.batches import BLOCK, HELD_OUT_LIVE, LiveBatches, PairBatches
from kpdetect.detector.config import DetectorConfig
from kpdetect.detector.device_batches import DeviceBatches
from kpdetect.detector.learned import learn_from
from kpdetect.detector.train import DetectorTrainer
from kpdetect.pairs import PairBatch
from kpdetect.refinement.config import RefineConfig, WarpConfig
from kpdetect.refinement.device_views import DeviceViews
from kpdetect.refinement.train import RefineTrainer
from kpdetect.refinement.views import ViewBatches, Views
from kpdetect.training.price import unwritten
from kpdetect.training.runtime import Runtime
from tests.builders.runtimes import CPU

STILL = AugmentConfig(scale=0, rotation=0, shift=0, photometric=0, occlusion=0)
DEVICE = torch.device("cpu")
SMALL = ["batch=4", "model.backbone=test_resnet", "model.input_size=32", "model.head_width=8", "warmup=2"]


class Numbered:
    """Pairs whose pixels and keypoints are their number; 8 pixels high, 12 wide, two keypoints."""

    keypoints, size, provenance = 2, (8, 12), {"generator": "numbers"}

    def batches(self, start, stop):
        for first in range(start, stop, BLOCK):
            number = np.arange(first, min(first + BLOCK, stop))
            images = np.broadcast_to((number % 256).astype(np.uint8)[:, None, None, None], (len(number), 8, 12, 3)).copy()
            points = np.broadcast_to((number / 4096).astype(np.float32)[:, None, None], (len(number), 2, 2)).copy()
            yield PairBatch(images=images, keypoints=points, visible=np.stack([number % 2 == 0, number % 3 == 0], axis=1))


class Drawn(Numbered):
    """The same, which can leave them on the device."""

    def tensors(self, start, stop):
        (batch,) = self.batches(start, stop)
        self.asked = [*getattr(self, "asked", []), start]
        images = torch.from_numpy(batch.images).permute(0, 3, 1, 2)
        return images, torch.from_numpy(batch.keypoints), torch.from_numpy(batch.visible)


def taken(batches, step, count):
    """Batches from a step on, varied on the device."""
    stream = DeviceBatches(batches, DEVICE).ahead(step)
    found = list(islice(stream, count))
    stream.close()
    return found


def same(one, other):
    return all(torch.equal(first, second) for first, second in zip(one.tensors, other.tensors, strict=True))


@pytest.mark.slow
@pytest.mark.parametrize("live", [Numbered(), Drawn(), None], ids=["copied", "drawn", "kept"])
@pytest.mark.parametrize("world", [1, 2])
def test_without_changes_they_are_the_batches_of_the_cpu(live, world, tmp_path):
    def batches(rank):
        if live is not None:
            made = LiveBatches(live, 6, STILL, 3)
        else:
            write_shards(Numbered(), tmp_path / "pairs", 100, codec="raw", shard_size=30)
            made = PairBatches(ShardFolder(tmp_path / "pairs"), 6, 0.1, STILL, 3)
        made.rank, made.world = rank, world
        return made

    for rank in range(world):
        for step, batch in enumerate(taken(batches(rank), 5, 20), 5):  # from the middle of a block into others
            expected = batches(rank).at(step)
            assert torch.allclose(batch.images, expected.images, atol=1e-6)
            assert torch.equal(batch.visible, expected.visible)
            away = to_pixels(batch.keypoints.numpy(), (8, 12)) - to_pixels(expected.keypoints.numpy(), (8, 12))
            assert np.abs(away).max() < 1e-4


def test_each_block_of_a_live_source_is_drawn_once():
    source = Drawn()
    taken(LiveBatches(source, 6, STILL, 3), 0, 30)
    assert source.asked == sorted(set(source.asked))
    assert source.asked[0] == HELD_OUT_LIVE


def test_a_batch_follows_from_seed_and_step():
    config = AugmentConfig()
    whole = taken(LiveBatches(Drawn(), 6, config, 3), 0, 12)
    later = taken(LiveBatches(Drawn(), 6, config, 3), 7, 5)
    assert all(same(one, other) for one, other in zip(whole[7:], later, strict=True))
    assert not same(whole[0], taken(LiveBatches(Drawn(), 6, config, 4), 0, 1)[0])
    assert not same(whole[0], whole[1])


def test_images_are_kept_whole_and_copied_in_order():
    images = np.arange(2_500 * 2 * 3 * 3, dtype=np.int64).astype(np.uint8).reshape(2_500, 2, 3, 3)
    images.flags.writeable = False  # as those of a file; torch warns of them
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        kept = kept_on(chunks(images), len(images), DEVICE)
    assert np.array_equal(kept.permute(0, 2, 3, 1).numpy(), images)
    stream = copied_ahead(lambda number: (np.array([number]), np.array([2 * number])), 4, DEVICE)
    assert [(int(one), int(two)) for one, two in islice(stream, 3)] == [(4, 8), (5, 10), (6, 12)]
    stream.close()


@pytest.mark.parametrize("fits", [True, False])
def test_views_are_those_of_the_cpu_but_for_their_colours(fits, monkeypatch):
    monkeypatch.setattr("kpdetect.refinement.device_views.fits", lambda count, device: fits)
    images = np.random.default_rng(0).integers(0, 256, (9, 32, 32, 3), dtype=np.uint8)
    plain = RefineConfig(batch=4, size=32, photometric=0, occlusion=0, warp=WarpConfig(zoom=1.5))
    cpu = ViewBatches(images, plain)
    stream = DeviceViews(cpu, DEVICE).ahead(3)
    for step, views in enumerate(islice(stream, 2), 3):
        assert all(torch.equal(one, other) for one, other in zip(views.tensors[:2], cpu.at(step).tensors[:2], strict=True))
        assert all(torch.equal(one, other) for one, other in zip(views.tensors[3:], cpu.at(step).tensors[3:], strict=True))
        assert torch.allclose(views.student, cpu.at(step).student, atol=1e-6)
        again = Views.of(views.tensors)
        assert torch.equal(again.warp_second.bends, views.warp_second.bends)
    stream.close()
    changed = ViewBatches(images, plain.model_copy(update={"photometric": 1.0, "occlusion": 1.0}))
    stream = DeviceViews(changed, DEVICE).ahead(0)
    views = next(stream)
    stream.close()
    assert torch.equal(views.second, changed.at(0).second)
    assert (views.student - views.second).abs().amax(dim=(1, 2, 3)).min() > 0


def test_auto_means_the_device_only_if_it_is_a_gpu():
    gpu = Runtime(device=torch.device("cuda"), compute=torch.float32)
    assert [CPU.augments(where) for where in ("auto", "cpu", "device")] == [False, False, True]
    assert [gpu.augments(where) for where in ("auto", "cpu", "device")] == [True, False, True]
    assert gpu.replays
    assert not CPU.replays


class Square(Drawn):
    size = (32, 32)

    def batches(self, start, stop):
        for batch in super().batches(start, stop):
            yield PairBatch(
                images=np.repeat(batch.images[:, :1, :1], 32, axis=1).repeat(32, axis=2),
                keypoints=batch.keypoints,
                visible=batch.visible,
            )


def detector_trainer(*overrides):
    config = apply_overrides(DetectorConfig(), [*SMALL, *overrides])
    batches, learned = learn_from(Square(), None, config)
    return DetectorTrainer(unwritten(config), batches, learned, config, CPU)


def refine_trainer(*overrides):
    own = ["keypoints=2", "reconstruction.hidden=0.5", "reconstruction.size=32", "reconstruction.width=16"]
    config = apply_overrides(RefineConfig(), [*SMALL, *own, *overrides])
    images = np.random.default_rng(0).integers(0, 256, (9, 32, 32, 3), dtype=np.uint8)

    class Images:
        key = "images"

        def __len__(self):
            return 9

    Images.images = images
    return RefineTrainer(unwritten(config), Images(), config, CPU, None, Square())


@pytest.mark.slow
@pytest.mark.parametrize("make", [detector_trainer, refine_trainer])
def test_trainers_learn_from_them_and_replay_what_they_would_compute(make):
    plain, recorded = make("augment_on=device"), make("augment_on=device")
    asked = []

    def recorder(kind, *tensors):
        asked.append((kind, recorded.step))
        return recorded.update(*(tensor.clone() for tensor in tensors))

    recorded.recorder = recorder
    for trainer in (plain, recorded):
        trainer.losses = []
        for _ in range(4):
            trainer.losses.append({name: float(value) for name, value in trainer.train_step().items()})
            trainer.step += 1
        trainer.close()
    assert plain.losses == recorded.losses
    assert asked == [("step", 2), ("step", 3)]  # after the warm-up, in which learning rates change
    assert all(torch.equal(*pair) for pair in zip(plain.average.parameters(), recorded.average.parameters(), strict=True))
