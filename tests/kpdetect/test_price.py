"""The price of a training: said without writing anything, and without changing what is trained afterwards."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
import torch

from generator.training.cost import generator_price
from kpdetect.cli.main import app
from kpdetect.config import apply_overrides
from kpdetect.data.export import write_shards
from kpdetect.data.sample import IMAGES, read_sample
from kpdetect.detector.config import DetectorConfig
from kpdetect.detector.cost import detector_price
from kpdetect.errors import CheckpointError, ConfigError, InputError
from kpdetect.images.image_files import write_image
from kpdetect.project.sample_pairs import SamplePairs
from kpdetect.refinement.config import imm_config
from kpdetect.refinement.cost import refine_price
from kpdetect.toy.dataset import write_toy
from kpdetect.training.checkpoints import CHECKPOINT, load_weights
from tests.builders.generators import CONFIG
from tests.builders.pairs import FakeSource
from tests.builders.projects import run_small
from tests.builders.runtimes import CPU
from tests.builders.trainings import detector_job, fit_detector, fit_generator, fit_on_images, generator_job, refine_job

NETWORK = ["model.backbone=test_resnet", "model.input_size=32", "model.head_width=8"]
DETECTOR = ["batch=4", "steps=3", *NETWORK, "held_out=0.2"]
REAL = ["batch=4", "steps=2", *NETWORK, "reconstruction.size=32", "reconstruction.width=16"]


class SquareSource(FakeSource):
    size = (10, 10)

    def batches(self, start, stop):
        for batch in super().batches(start, stop):
            images = np.concatenate([batch.images, batch.images[:, :4]], axis=1)
            yield type(batch)(images=images, keypoints=batch.keypoints, visible=batch.visible)


@pytest.fixture
def pairs(tmp_path):
    write_shards(SquareSource(), tmp_path / "pairs", 20)
    return tmp_path / "pairs"


def files_in(folder):
    return sorted(path.relative_to(folder) for path in folder.rglob("*"))


def sets(assignments):
    return [word for assignment in assignments for word in ("--set", assignment)]


@pytest.mark.slow
@pytest.mark.parametrize("verb", ["train-generator", "train-detector", "imm"])
def test_a_dry_run_says_the_price_and_writes_nothing(verb, blob_folder, pairs, tmp_path, capsys):
    small = {
        "train-generator": [blob_folder, "--size", "32", *sets(["steps=900", "model.widths=[8,6]", "optimiser.batch=2"])],
        "train-detector": [pairs, *sets(DETECTOR)],
        "imm": [blob_folder, *sets(REAL)],
    }
    before = files_in(tmp_path)
    arguments = [
        verb,
        *map(str, small[verb]),
        "--minutes",
        "0.05",
        "--device",
        "cpu",
        "--out",
        str(tmp_path / "out"),
        "--dry-run",
    ]
    app(arguments, standalone_mode=False)
    assert files_in(tmp_path) == before
    said = capsys.readouterr().out.splitlines()
    assert ("objects count as upright: 24 images are too few" in said[0]) == (verb == "train-generator")
    rate, *_, needs = said[verb == "train-generator" :]
    assert rate.startswith(f"this machine trains the {'generator' if verb == 'train-generator' else 'detector'} on ")
    assert needs.startswith("it needs about ")


@pytest.mark.slow
def test_a_price_does_not_change_what_is_trained(blob_folder, pairs, tmp_path, monkeypatch):
    monkeypatch.setattr("kpdetect.training.price.LEAST_PACE_STEPS", 2)
    detector, real = apply_overrides(DetectorConfig(), DETECTOR), apply_overrides(imm_config(), REAL)
    for name in ("alone", "priced"):
        out = tmp_path / name
        if name == "priced":
            assert generator_price(generator_job(blob_folder, out / "g", CONFIG, CPU)).forecast.rate > 0
        fit_generator(blob_folder, out / "g", CONFIG, CPU)
        if name == "priced":
            assert detector_price(detector_job(pairs, out / "d", detector, CPU)).forecast.rate > 0
        fit_detector(pairs, out / "d", detector, CPU)
        if name == "priced":
            assert refine_price(refine_job(blob_folder, out / "r", real, CPU)).forecast.rate > 0
        fit_on_images(blob_folder, out / "r", real, CPU)
    for stage, kind in (("g", "generator"), ("d", "detector"), ("r", "detector")):
        alone, priced = (load_weights(tmp_path / name / stage / "model.safetensors", kind)[0] for name in ("alone", "priced"))
        assert all(torch.equal(alone[tensor], priced[tensor]) for tensor in alone)
    assert files_in(tmp_path / "alone") == files_in(tmp_path / "priced")


@pytest.mark.slow
def test_the_price_of_a_continued_run_counts_what_is_done(pairs, tmp_path):
    config = apply_overrides(DetectorConfig(), DETECTOR)
    fit_detector(pairs, tmp_path / "run", config, CPU)
    before = {path: path.read_bytes() for path in (tmp_path / "run").iterdir() if path.is_file()}
    forecast = detector_price(detector_job(pairs, tmp_path / "run", apply_overrides(config, ["steps=50"]), CPU)).forecast
    assert (forecast.seen, forecast.images) == (3 * 4, 50 * 4)
    assert forecast.seconds == pytest.approx(47 * 4 / forecast.rate)
    assert {path: path.read_bytes() for path in (tmp_path / "run").iterdir() if path.is_file()} == before
    with pytest.raises(ConfigError, match="another configuration"):
        detector_price(detector_job(pairs, tmp_path / "run", apply_overrides(config, ["rate=0.1"]), CPU))
    (tmp_path / "run" / CHECKPOINT).write_bytes(b"damaged")
    with pytest.raises(CheckpointError, match="damaged"):
        detector_price(detector_job(pairs, tmp_path / "run", config, CPU))


def test_a_sample_is_spread_over_the_folder_and_skips_what_cannot_be_read(tmp_path):
    for number in range(3 * IMAGES):
        write_image(tmp_path / "images" / f"{number:03d}.png", np.full((4, 6, 3), number, np.uint8))
    (tmp_path / "images" / "000.png").write_bytes(b"damaged")
    sample = read_sample(tmp_path / "images", tmp_path / "out", 2, "stretch", frozenset(), strict=False)
    assert sample.images.shape == (IMAGES - 1, 2, 2, 3)
    assert sample.images[-1].max() == 3 * IMAGES - 1
    assert (sample.folder_count, sample.folder_bytes) == (3 * IMAGES, 3 * IMAGES * 12)
    with pytest.raises(InputError, match="000.png"):
        read_sample(tmp_path / "images", tmp_path / "out", 2, "stretch", frozenset(), strict=True)


@pytest.mark.slow
def test_a_project_says_its_price_before_it_begins_and_nothing_of_what_is_trained(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr("kpdetect.training.price.LEAST_PACE_STEPS", 2)
    write_toy(tmp_path / "toy", 24, size=32, seed=0)
    images, out = tmp_path / "toy" / "images", tmp_path / "project"
    method, upright, reads, draws, predicts, *trained, whole, needs, few = run_small(images, out, dry_run=True).plan
    assert not out.exists()
    assert method == "method: gan, because only a generator uses `size`"
    assert upright.startswith("objects count as upright: 24 images are too few")
    assert reads.startswith("this machine reads ")
    assert reads.split(": ")[1].startswith("24 in ")
    assert draws.split(": ")[1].startswith("100 in ")
    assert predicts.split(": ")[1].startswith("170 in ")  # 24 once, and at three scales and mirrored for the round: 168
    fewer = run_small(images, out, "rounds.images=16", dry_run=True).plan
    assert fewer[4].split(": ")[1].startswith("120 in ")
    stages = [line.split(" the ")[1].split(" on ")[0] for line in trained]
    assert stages == ["generator", "detector", "refined detector", "detector of taught-1"]
    assert [line.split(" about ")[1] for line in trained] == ["12 images", "12 images", "8 images", "8 images"]
    assert whole.startswith("in all ")
    assert needs.startswith("it needs ")
    assert few.startswith("about 12 images are few for the generator: with fewer than 16,000, the mask often misses")
    assert "`overrides=generator.steps=...`" in few
    monkeypatch.setattr("kpdetect.project.price.SHORT_STEPS", 0)
    run_small(images, out, last="detector")
    said = [record.getMessage() for record in caplog.records]
    assert said.index(next(line for line in said if "trains the refined detector" in line)) < said.index(
        "[1/6] Train the generator"
    )
    assert run_small(images, out, last="detector", dry_run=True).plan == (
        "method: gan, with which this project began",
        f"decided earlier: {upright.removesuffix('; to choose yourself, give `orientation`')}",
        f"{out}: everything is trained already",
    )


@pytest.mark.slow
def test_a_round_that_continues_keeps_its_predictions(toy, project, tmp_path):
    images, out = toy / "unlabelled" / "images", shutil.copytree(project, tmp_path / "project")
    plan = run_small(images, out, "rounds.steps=9", dry_run=True).plan
    predicts, trains = (next(line for line in plan if f" {verb} " in line) for verb in ("predicts", "trains"))
    assert predicts.split(": ")[1].startswith("40 in ")  # the images once, for the report
    assert "trains the detector of taught-1" in trains


def test_pairs_of_a_sample_are_square_and_endless():
    source = SamplePairs(images=np.arange(2 * 4 * 4 * 3, dtype=np.uint8).reshape(2, 4, 4, 3), keypoints=5)
    first, second = source.batches(63, 130)
    assert (len(first), len(second), source.size) == (64, 3, (4, 4))
    assert np.array_equal(first.images[0], source.images[1])
    assert second.keypoints.shape == (3, 5, 2)
