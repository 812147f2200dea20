"""The detector: shapes, losses by hand, learning, and training that can be stopped at any step."""

import json
import math
import os
import signal

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader

from kpdetect.config import apply_overrides, write_config
from kpdetect.data.augment import AugmentConfig
from kpdetect.data.dataset import LivePairs
from kpdetect.data.shard_folder import ShardFolder
from kpdetect.detector.batches import HELD_OUT_LIVE, LiveBatches, PairBatches
from kpdetect.detector.config import DetectorConfig, DetectorModelConfig, preset_config
from kpdetect.detector.held_out import Patience
from kpdetect.detector.losses import coordinate_distance, heatmap_cross_entropy, keypoint_weights, weighted_mean
from kpdetect.detector.model import build_detector, starting_network
from kpdetect.detector.network import Detector, HeatmapHead, read_heatmaps
from kpdetect.detector.pyramid import PyramidHead
from kpdetect.detector.train import DetectorTrainer
from kpdetect.errors import ConfigError, InputError, TrainingError
from kpdetect.files.sources import write_sources
from kpdetect.heatmaps import gaussian_heatmaps
from kpdetect.pairs import PairBatch
from kpdetect.training.checkpoints import load_checkpoint, load_weights, save_weights
from kpdetect.training.runtime import Runtime
from tests.builders.detectors import CONFIG, SIDE, dots, write_pairs
from tests.builders.runtimes import CPU
from tests.builders.states import states_equal
from tests.builders.trainings import fit_detector

BFLOAT = Runtime(device=torch.device("cpu"), compute=torch.bfloat16)
SHORT = CONFIG.model_copy(update={"steps": 1})


@pytest.fixture
def pairs(tmp_path):
    folder = write_pairs(tmp_path / "pairs", dots(20))
    write_sources(folder, [("face.png", "0123456789abcdef")])
    return folder


# The network


@pytest.mark.parametrize("preset", ["tiny", "small"])
def test_presets_give_heatmaps_of_a_quarter_of_their_input(preset):
    detector = build_detector(preset_config(preset).model, keypoints=7).eval()
    with torch.no_grad():
        assert detector(torch.zeros(1, 3, 64, 64)).shape == (1, 7, 32, 32)


def test_unknown_preset_is_refused():
    with pytest.raises(ConfigError, match="`preset=huge`: expected one of tiny, small, paper"):
        preset_config("huge")


def test_every_stage_of_the_head_doubles_the_resolution():
    for stages in (1, 2, 4):
        head = HeatmapHead(inputs=6, width=5, stages=stages, keypoints=3)
        assert head(torch.zeros(2, 6, 2, 3)).shape == (2, 3, 2 * 2**stages, 3 * 2**stages)


def test_a_pyramid_joins_maps_of_odd_sizes_into_the_finest_that_it_uses():
    head = PyramidHead(inputs=[9, 4, 6], width=5, stages=1, keypoints=3).eval()
    maps = [torch.randn(2, 9, 12, 20), torch.randn(2, 4, 5, 9), torch.randn(2, 6, 3, 5)]
    plain = head(maps)
    assert plain.shape == (2, 3, 5, 9)
    assert torch.equal(plain, head([maps[0] + 1, *maps[1:]]))  # one stage: the two coarsest alone
    for changed in ([maps[0], maps[1] + 1, maps[2]], [*maps[:2], maps[2] + 1]):
        assert not torch.allclose(plain, head(changed))
    assert PyramidHead([9, 4, 6], width=5, stages=5, keypoints=3)(maps).shape == (2, 3, 12, 20)


def test_a_configuration_saved_before_heads_could_be_chosen_keeps_its_head():
    saved = {"backbone": "resnet10t", "backbone_weights": None, "head_width": 64, "head_stages": 3, "input_size": 64}
    assert DetectorModelConfig.model_validate(saved).head == "transposed"
    assert DetectorModelConfig.model_validate({"input_size": 64}).head == DetectorModelConfig().head == "pyramid"
    assert preset_config("paper").model.head == "transposed"  # Simple Baselines


def test_a_training_that_starts_from_weights_takes_their_network(tmp_path):
    trained = DetectorModelConfig(head="transposed", head_width=9, input_size=96)  # none of them is the default
    config = DetectorConfig(model=trained).model_dump(mode="json")
    description = {"config": config, "keypoints": 3, "pair_size": [8, 10], "crop": "centre"}
    save_weights(tmp_path / "weights.safetensors", "detector", {"bias": torch.zeros(1)}, description)
    assert starting_network(tmp_path / "new", tmp_path / "weights.safetensors") == trained
    write_config(DetectorConfig(model=DetectorModelConfig(head_width=7)), tmp_path / "config.yaml")
    assert starting_network(tmp_path, tmp_path / "no-such-weights").head_width == 7  # a run that goes on reads them no more


def test_a_pyramid_is_as_fine_as_transposed_convolutions():
    shapes = {}
    for kind in ("transposed", "pyramid"):
        config = DetectorModelConfig(head=kind, input_size=64, head_width=8)
        shapes[kind] = build_detector(config, keypoints=7).eval()(torch.zeros(1, 3, 64, 64)).shape
    assert shapes["pyramid"] == shapes["transposed"] == (1, 7, 16, 16)


def test_detector_resizes_its_input_and_uses_the_coarsest_features():
    class Levels(nn.Module):
        def forward(self, images):
            return [images * 0, images + 1]

    logits = Detector(Levels(), nn.Identity(), input_size=8)(torch.full((1, 3, 4, 4), 0.5))
    torch.testing.assert_close(logits, torch.full((1, 3, 8, 8), 1.5))


def test_resizing_keeps_a_keypoint_where_it_is():
    keypoints = torch.tensor([[[0.31, -0.17]]])
    images = gaussian_heatmaps(keypoints, (16, 16), tau=0.08).expand(1, 3, 16, 16)

    class Brightness(nn.Module):
        def forward(self, pixels):
            return [pixels[:, :1].clamp_min(1e-9).log()]

    found, _ = read_heatmaps(Detector(Brightness(), nn.Identity(), input_size=64)(images))
    assert (found - keypoints).abs().max() < 0.01  # a corner-aligned resize would be off by 0.31 / 15 = 0.02


def test_confidence_is_the_probability_near_the_prediction():
    logits = torch.full((1, 3, 4, 8), -100.0)
    logits[0, 0, 1, 2] = 100  # one peak: row 1 of 4, column 2 of 8
    logits[0, 1, 0, 0] = logits[0, 1, 3, 7] = 100  # two peaks: the mean lies between them
    logits[0, 2] = 5  # flat
    keypoints, confidence = read_heatmaps(logits)
    torch.testing.assert_close(keypoints[0], torch.tensor([[-0.375, -0.25], [0.0, 0.0], [0.0, 0.0]]))
    torch.testing.assert_close(confidence[0], torch.tensor([1.0, 0.0, 0.0]))


def test_confidence_never_exceeds_one():
    keypoints = torch.rand(64, 20, 2, generator=torch.Generator().manual_seed(0)) - 0.5
    logits = 5 * gaussian_heatmaps(keypoints, (32, 32), tau=0.0005).clamp_min(1e-30).log()
    _, confidence = read_heatmaps(logits)
    assert confidence.max() <= 1
    assert confidence.min() > 0.99


# Losses


def test_coordinate_distance_by_hand():
    predicted = torch.tensor([[[0.3, 0.4], [0.0, -1.0]]])
    torch.testing.assert_close(coordinate_distance(predicted, torch.zeros(1, 2, 2)), torch.tensor([[0.5, 1.0]]))


def test_coordinate_distance_has_a_gradient_at_its_minimum():
    predicted = torch.zeros(1, 1, 2, requires_grad=True)
    coordinate_distance(predicted, torch.zeros(1, 1, 2)).sum().backward()
    torch.testing.assert_close(predicted.grad, torch.zeros(1, 1, 2))


def test_heatmap_cross_entropy_by_hand():
    # A row of two cells with centres -0.5 and 0.5, a keypoint at 0.5 and 2 sigma^2 = 1 / ln 3: the target is (1/4, 3/4).
    sigma, keypoints = math.sqrt(1 / (2 * math.log(3))), torch.tensor([[[0.5, 0.0]]])
    equal = heatmap_cross_entropy(torch.zeros(1, 1, 1, 2), keypoints, sigma)
    torch.testing.assert_close(equal, torch.tensor([[0.25 * math.log(0.5) + 0.75 * math.log(1.5)]]))
    right = heatmap_cross_entropy(torch.tensor([[[[0.0, math.log(3)]]]]), keypoints, sigma)
    torch.testing.assert_close(right, torch.zeros(1, 1), atol=1e-6, rtol=0)
    wrong = heatmap_cross_entropy(torch.tensor([[[[math.log(3), 0.0]]]]), keypoints, sigma)
    torch.testing.assert_close(wrong, torch.tensor([[0.5 * math.log(3)]]))


def test_weights_by_hand():
    keypoints = torch.tensor([[[0.2, -1.0], [0.0, 0.5], [1.01, 0.0], [0.0, -3.0]]])
    visible = torch.tensor([[True, False, True, False]])
    weights = keypoint_weights(keypoints, visible, hidden=0.25)
    torch.testing.assert_close(weights, torch.tensor([[1.0, 0.25, 0.0, 0.0]]))
    values = torch.tensor([[2.0, 8.0, 100.0, math.pi]])
    assert weighted_mean(values, weights).item() == pytest.approx((2 + 2) / 1.25)
    assert weighted_mean(values, 0 * weights).item() == 0


# Batches


@pytest.mark.parametrize("workers", [1, 5])
def test_batches_follow_from_seed_and_step_alone(pairs, workers):
    made = [PairBatches(ShardFolder(pairs), 4, 0.1, AugmentConfig(), seed=5) for _ in range(2)]
    one = [made[0].at(step) for step in range(9)]
    made[1].kept = None if workers > 1 else made[1].kept  # read as they are needed
    ahead = made[1].ahead(6, workers)
    for step in (6, 7, 8):
        batch = next(ahead)
        assert torch.equal(batch.images, one[step].images)
        assert torch.equal(batch.keypoints, one[step].keypoints)
    ahead.close()
    other = PairBatches(ShardFolder(pairs), 4, 0.1, AugmentConfig(), seed=6).at(0)
    assert not torch.equal(other.images, one[0].images)


def test_an_epoch_shows_every_pair_once_and_none_that_is_held_out(pairs):
    still = AugmentConfig(scale=0, rotation=0, shift=0, photometric=0, occlusion=0)
    batches = PairBatches(ShardFolder(pairs), 6, 0.1, still, seed=0)
    known = {keypoints.tobytes(): index for index, keypoints in enumerate(dots(20).keypoints)}

    def seen(steps):
        rows = np.concatenate([batches.at(step).keypoints.numpy() for step in steps])
        places = [np.abs(dots(20).keypoints - row).max(axis=(1, 2)).argmin() for row in rows]
        return sorted(places)

    assert len(known) == 20
    assert batches.held_out_indices.tolist() == [0, 10]
    trained = [index for index in range(20) if index not in (0, 10)]
    assert seen((0, 1, 2)) == trained  # 18 pairs are 3 batches of 6
    assert seen((3, 4, 5)) == trained
    assert batches.held_out().keypoints.shape == (2, 2, 2)
    first = batches.held_out().images[0]
    assert first.shape == (3, SIDE, SIDE)
    assert (first.min(), first.max()) == (-1.0, pytest.approx(1.0, abs=0.1))


# Training


class Numbered:
    """A source whose image i is filled with i mod 251, drawn 64 at a time."""

    keypoints, size, provenance = 2, (SIDE, SIDE), {"generator": "numbered"}

    def batches(self, start, stop):
        for first in range(start, stop, 64):
            numbers = np.arange(first, min(first + 64, stop))
            images = np.zeros((len(numbers), SIDE, SIDE, 3), np.uint8) + (numbers % 251).astype(np.uint8)[:, None, None, None]
            keypoints = np.full((len(numbers), 2, 2), 0.25, np.float32)
            yield PairBatch(images=images, keypoints=keypoints, visible=np.ones((len(numbers), 2), bool))


def test_live_batches_take_every_pair_once_and_none_that_is_held_out():
    still = AugmentConfig(scale=0, rotation=0, shift=0, photometric=0, occlusion=0)
    batches = LiveBatches(Numbered(), 40, still, seed=0)
    seen = [round((value + 1) * 127.5) for step in (0, 1, 2) for value in batches.at(step).images[:, 0, 5, 7].tolist()]
    assert seen == [(HELD_OUT_LIVE + place) % 251 for place in range(120)]
    held = batches.held_out(limit=70).images[:, 0, 0, 0]
    assert [round((value + 1) * 127.5) for value in held.tolist()] == list(range(70))
    assert len(batches.held_out_varied(30).images) == 30


def test_live_pairs_are_drawn_once_by_several_threads():
    drawn = []

    class Counted(Numbered):
        def batches(self, start, stop):
            drawn.append(start)
            return super().batches(start, stop)

    still = AugmentConfig(scale=0, rotation=0, shift=0, photometric=0, occlusion=0)
    ahead = LiveBatches(Counted(), 40, still, seed=0).ahead(0, workers=6)
    seen = [round((value + 1) * 127.5) for _ in range(20) for value in next(ahead).images[:, 0, 5, 7].tolist()]
    ahead.close()
    assert seen == [(HELD_OUT_LIVE + place) % 251 for place in range(800)]
    assert len(drawn) == len(set(drawn))


def test_processes_draw_their_own_live_pairs_only():
    still = AugmentConfig(scale=0, rotation=0, shift=0, photometric=0, occlusion=0)
    seen = []
    for rank in range(2):
        batches = LiveBatches(Numbered(), 32, still, seed=0)
        batches.rank, batches.world = rank, 2
        mine = [round((value + 1) * 127.5) for step in range(4) for value in batches.at(step).images[:, 0, 5, 7].tolist()]
        assert mine == [(HELD_OUT_LIVE + 64 * rank + row) % 251 for row in range(64)]  # one block, whole
        seen += mine
    assert len(set(seen)) == 128


@pytest.mark.slow
def test_training_live_continues_exactly(tmp_path, monkeypatch):
    monkeypatch.setattr("kpdetect.detector.batches.HELD_OUT_LIVE", 64)
    config = CONFIG.model_copy(update={"steps": 3})
    source = tmp_path / "source"
    source.mkdir()
    write_sources(source, [("face.png", "0123")])
    whole = fit_detector(Numbered(), tmp_path / "whole", config, CPU, sources=source)
    fit_detector(Numbered(), tmp_path / "parts", config.model_copy(update={"steps": 1}), CPU, sources=source)
    parts = fit_detector(Numbered(), tmp_path / "parts", config, CPU, sources=source)
    assert states_equal(load_weights(whole, "detector")[0], load_weights(parts, "detector")[0])
    assert "face.png,0123" in (tmp_path / "whole" / "sources.csv").read_text()


@pytest.mark.slow
@pytest.mark.parametrize("workers", [0, 2])
def test_live_pairs_are_given_once_over_ranks_and_workers(workers):
    seen = []
    for rank in range(2):
        data = LivePairs(Numbered(), start=3, stop=50, rank=rank, world=2, block=8)
        seen += [int(item["index"]) for item in DataLoader(data, batch_size=None, num_workers=workers)]
    assert sorted(seen) == list(range(3, 50))


def test_patience_by_hand():
    patience = Patience(2)
    for error, exhausted in [(5.0, False), (4.0, False), (4.5, False), (3.0, False), (3.0, False), (3.5, True)]:
        patience.measure(error)
        assert patience.exhausted is exhausted
    endless = Patience(0)
    for error in (1.0, 2.0, 3.0):
        endless.measure(error)
    assert not endless.exhausted


@pytest.mark.slow
def test_training_stops_early_and_stays_stopped(pairs, tmp_path, monkeypatch):
    config = CONFIG.model_copy(update={"steps": 50, "sample_every": 1, "patience": 2})
    monkeypatch.setattr(DetectorTrainer, "held_out_error", lambda trainer: 3.0)
    fit_detector(pairs, tmp_path / "run", config, CPU)
    assert load_checkpoint(tmp_path / "run" / "checkpoint.pt", "detector")["step"] == 3  # the best, and two that are not better
    fit_detector(pairs, tmp_path / "run", config, CPU)
    assert load_checkpoint(tmp_path / "run" / "checkpoint.pt", "detector")["step"] == 3


@pytest.mark.slow
def test_overfits_a_few_dots(tmp_path):
    pairs = write_pairs(tmp_path / "pairs", dots(8))
    config = DetectorConfig(
        model=DetectorModelConfig(input_size=64, head_width=16, head_stages=3),
        augment=AugmentConfig(scale=0, rotation=0, shift=0, photometric=0, occlusion=0),
        steps=80, batch=7, warmup=5, rate=2e-3, average_decay=0.9, held_out=0.12, log_every=20, seed=0,
    )  # fmt: skip
    weights = fit_detector(pairs, tmp_path / "run", config, CPU)
    tensors, _ = load_weights(weights, "detector")
    detector = build_detector(config.model, 2, initialise=False)
    detector.load_state_dict(tensors)
    trained = PairBatches(ShardFolder(pairs), 7, 0.12, config.augment, seed=0).at(0)
    with torch.no_grad():
        keypoints, confidence = read_heatmaps(detector.eval()(trained.images))
    error = coordinate_distance(keypoints, trained.keypoints).mean()
    constant = coordinate_distance(trained.keypoints.mean(dim=0), trained.keypoints).mean()
    assert error < constant / 10
    assert confidence.mean() > 0.8


@pytest.mark.slow
@pytest.mark.parametrize("runtime", [CPU, BFLOAT], ids=["float32", "bfloat16"])
def test_interrupted_equals_uninterrupted(pairs, tmp_path, monkeypatch, runtime):
    fit_detector(pairs, tmp_path / "whole", CONFIG, runtime)
    step = DetectorTrainer.train_step

    def killed_at_five(trainer):
        if trainer.step == 5:
            raise RuntimeError("killed")
        return step(trainer)

    monkeypatch.setattr(DetectorTrainer, "train_step", killed_at_five)
    with pytest.raises(RuntimeError, match="killed"):
        fit_detector(pairs, tmp_path / "broken", CONFIG, runtime)
    monkeypatch.setattr(DetectorTrainer, "train_step", step)
    assert load_checkpoint(tmp_path / "broken" / "checkpoint.pt", "detector")["step"] == 4
    fit_detector(pairs, tmp_path / "broken", CONFIG, runtime)

    ends = [load_checkpoint(tmp_path / name / "checkpoint.pt", "detector") for name in ("whole", "broken")]
    assert ends[0]["step"] == 6
    assert states_equal(ends[0], ends[1])
    weights = [load_weights(tmp_path / name / "model.safetensors", "detector")[0] for name in ("whole", "broken")]
    assert states_equal(*weights)
    lines = [(tmp_path / name / "metrics.jsonl").read_text().splitlines() for name in ("whole", "broken")]
    losses = [[{k: v for k, v in json.loads(line).items() if k not in ("seconds", "rate")} for line in part] for part in lines]
    assert losses[0] == losses[1]


@pytest.mark.slow
def test_a_signal_finishes_the_step_and_saves(pairs, tmp_path, monkeypatch):
    fit_detector(pairs, tmp_path / "whole", CONFIG, CPU)
    step = DetectorTrainer.train_step

    def signalled_at_three(trainer):
        if trainer.step == 3:
            os.kill(os.getpid(), signal.SIGTERM)
        return step(trainer)

    monkeypatch.setattr(DetectorTrainer, "train_step", signalled_at_three)
    with pytest.raises(KeyboardInterrupt):
        fit_detector(pairs, tmp_path / "stopped", CONFIG, CPU)
    assert load_checkpoint(tmp_path / "stopped" / "checkpoint.pt", "detector")["step"] == 4
    monkeypatch.setattr(DetectorTrainer, "train_step", step)
    fit_detector(pairs, tmp_path / "stopped", CONFIG, CPU)
    ends = [load_checkpoint(tmp_path / name / "checkpoint.pt", "detector") for name in ("whole", "stopped")]
    assert states_equal(ends[0], ends[1])


@pytest.mark.slow
def test_run_folder_says_what_was_learned_from(pairs, tmp_path):
    weights = fit_detector(pairs, tmp_path / "run", CONFIG, CPU)
    assert weights == tmp_path / "run" / "model.safetensors"
    _, description = load_weights(weights, "detector")
    assert description["keypoints"] == 2
    assert description["crop"] == "pad"
    assert description["pair_size"] == [SIDE, SIDE]
    assert description["provenance"] == {"crop": "pad", "generator": "abc"}
    assert (description["step"], description["images_seen"], description["pairs"]) == (6, 24, 20)
    assert 0 < description["held_out_percent"] < 100
    assert (tmp_path / "run" / "sources.csv").read_text().splitlines()[1] == "face.png,0123456789abcdef"
    assert sorted(path.name for path in (tmp_path / "run" / "samples").iterdir()) == ["0000004.png", "0000006.png"]


@pytest.mark.slow
def test_repeating_a_finished_run_does_nothing(pairs, tmp_path, monkeypatch):
    weights = fit_detector(pairs, tmp_path / "run", SHORT, CPU)
    before = weights.stat().st_mtime_ns
    monkeypatch.setattr(DetectorTrainer, "train_step", lambda trainer: pytest.fail("trained again"))
    fit_detector(pairs, tmp_path / "run", SHORT, CPU)
    assert weights.stat().st_mtime_ns == before


@pytest.mark.slow
def test_other_settings_are_refused_when_continuing(pairs, tmp_path):
    fit_detector(pairs, tmp_path / "run", SHORT, CPU)
    with pytest.raises(ConfigError, match=r"model\.head_width: 4 -> 8"):
        fit_detector(pairs, tmp_path / "run", apply_overrides(CONFIG, ["model.head_width=8"]), CPU)


@pytest.mark.slow
def test_a_run_that_was_refused_may_begin_with_other_settings(pairs, tmp_path):
    wrong = CONFIG.model_copy(update={"model": CONFIG.model.model_copy(update={"backbone": "resnet81"})})
    with pytest.raises(ConfigError, match="no such network"):
        fit_detector(pairs, tmp_path / "run", wrong, CPU)
    assert fit_detector(pairs, tmp_path / "run", SHORT, CPU).exists()


@pytest.mark.slow
def test_other_pairs_are_refused_when_continuing(pairs, tmp_path):
    fit_detector(pairs, tmp_path / "run", SHORT, CPU)
    other = write_pairs(tmp_path / "other", dots(20, seed=1))
    with pytest.raises(ConfigError, match="was trained on other data"):
        fit_detector(other, tmp_path / "run", apply_overrides(CONFIG, ["steps=8"]), CPU)


def test_pairs_that_nothing_can_be_learned_from_are_refused(tmp_path):
    one = write_pairs(tmp_path / "one", dots(1))
    with pytest.raises(InputError, match="got 1 pair, expected at least 2"):
        fit_detector(one, tmp_path / "run", CONFIG, CPU)
    batch = dots(4)
    wide = PairBatch(images=batch.images[:, :20], keypoints=batch.keypoints, visible=batch.visible)
    with pytest.raises(InputError, match=r"32x20 pixels \(width x height\), expected square images"):
        fit_detector(write_pairs(tmp_path / "wide", wide), tmp_path / "run", CONFIG, CPU)
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_weights_of_an_earlier_step_are_written_again(pairs, tmp_path, monkeypatch):
    fit_detector(pairs, tmp_path / "run", CONFIG, CPU)
    longer = apply_overrides(CONFIG, ["steps=8"])

    def killed(trainer):
        raise RuntimeError("killed")

    with monkeypatch.context() as patch:
        patch.setattr(DetectorTrainer, "write_weights", killed)
        with pytest.raises(RuntimeError, match="killed"):
            fit_detector(pairs, tmp_path / "run", longer, CPU)
    weights = fit_detector(pairs, tmp_path / "run", longer, CPU)
    assert load_weights(weights, "detector")[1]["step"] == 8


@pytest.mark.slow
def test_a_loss_that_is_not_finite_is_never_saved(pairs, tmp_path, monkeypatch):
    step = DetectorTrainer.train_step

    def broken(trainer):
        return {name: value * (float("nan") if trainer.step >= 3 else 1) for name, value in step(trainer).items()}

    monkeypatch.setattr(DetectorTrainer, "train_step", broken)
    with pytest.raises(TrainingError, match="not finite at step 4"):
        fit_detector(pairs, tmp_path / "run", apply_overrides(CONFIG, ["log_every=50"]), CPU)
    assert load_checkpoint(tmp_path / "run" / "checkpoint.pt", "detector")["step"] == 2
    assert not (tmp_path / "run" / "model.safetensors").exists()
