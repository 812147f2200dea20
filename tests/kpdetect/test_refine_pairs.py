"""The second stage with synthetic pairs that anchor it: continued exactly, unfit pairs refused, every source recorded."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from kpdetect.config import apply_overrides
from kpdetect.data.augment import AugmentConfig
from kpdetect.detector.backbone import create_backbone
from kpdetect.detector.batches import PairBatches
from kpdetect.detector.learned import open_pairs
from kpdetect.detector.model import build_detector
from kpdetect.errors import ConfigError, InputError
from kpdetect.files.sources import SOURCES, write_sources
from kpdetect.refinement.anchor import Anchor
from kpdetect.refinement.config import RefineConfig
from kpdetect.training.checkpoints import load_checkpoint, load_weights, read_description, save_checkpoint
from tests.builders.detectors import CONFIG as DETECTOR
from tests.builders.detectors import dots, write_pairs
from tests.builders.runtimes import CPU
from tests.builders.states import states_equal
from tests.builders.trainings import fit_detector, fit_on_images

pytestmark = pytest.mark.slow

SMALL = ["size=32", "batch=4", "reconstruction.size=32", "reconstruction.width=16", "warmup=3", "log_every=1"]
CONFIG = apply_overrides(RefineConfig(), [*SMALL, "steps=4"])


@pytest.fixture
def project(tmp_path):
    """A project with pairs and a first stage of two keypoints."""
    write_pairs(tmp_path / "pairs", dots(20))
    write_sources(tmp_path / "pairs", [("pair.png", "0" * 16)])
    fit_detector(tmp_path / "pairs", tmp_path / "detector", DETECTOR.model_copy(update={"steps": 2}), CPU)
    return tmp_path


def refine(project, images, out, steps=4, **options):
    options = {"model": project, "pairs": project / "pairs", **options}
    return fit_on_images(images, project / out, CONFIG.model_copy(update={"steps": steps}), CPU, **options)


def test_a_continued_run_with_pairs_equals_an_uninterrupted_one(project, blob_folder):
    whole = refine(project, blob_folder, "whole")
    refine(project, blob_folder, "parts", steps=2)
    parts = refine(project, blob_folder, "parts")
    first, second = (load_weights(path, "detector") for path in (whole, parts))
    assert states_equal(first[0], second[0])
    assert first[1]["calibration"] == second[1]["calibration"]
    states = [load_checkpoint(path.with_name("checkpoint.pt"), "detector") for path in (whole, parts)]
    assert states_equal(*states)
    assert states[0]["step"] == 4
    began = load_weights(project / "detector" / "model.safetensors", "detector")[0]
    assert not states_equal(began, first[0])
    lines = (project / "parts" / "metrics.jsonl").read_text().splitlines()
    assert [line.count("loss_anchor") for line in lines if "seconds" in line] == [1] * 4


def test_pairs_with_other_keypoints_are_refused(project, blob_folder):
    batch = dots(20)
    wide = type(batch)(images=batch.images, keypoints=batch.keypoints[:, [0, 1, 0]], visible=batch.visible[:, [0, 1, 0]])
    write_pairs(project / "three", wide)
    with pytest.raises(InputError, match="three: got pairs of 3 keypoints, expected 2"):
        refine(project, blob_folder, "out", pairs=project / "three")


def test_too_few_pairs_are_refused(project, blob_folder):
    write_pairs(project / "one", dots(1))
    with pytest.raises(InputError, match="one: got 1 pair, expected at least 2"):
        refine(project, blob_folder, "out", pairs=project / "one")


def test_the_record_names_the_images_behind_the_pairs(project, blob_folder):
    write_pairs(project / "others", dots(20, seed=1))
    write_sources(project / "others", [("behind.png", "1" * 16)])
    refine(project, blob_folder, "out", steps=1, pairs=project / "others")
    record = (project / "out" / SOURCES).read_text()
    assert {"behind.png,1111111111111111", "pair.png,0000000000000000"} <= set(record.split())
    assert "000.png," in record


@pytest.mark.parametrize("pairs", ["others", None])
def test_a_run_is_not_continued_with_other_pairs(project, blob_folder, pairs):
    refine(project, blob_folder, "out", steps=1)
    write_pairs(project / "others", dots(20, seed=1))
    write_sources(project / "others", [("behind.png", "1" * 16)])
    before = {path: path.read_bytes() for path in (project / "out").iterdir() if path.is_file() and path.suffix != ".yaml"}
    with pytest.raises(ConfigError, match="other pairs"):
        refine(project, blob_folder, "out", pairs=None if pairs is None else project / pairs)
    assert {path: path.read_bytes() for path in before} == before


def test_a_run_is_not_continued_from_another_first_stage(project, blob_folder):
    refine(project, blob_folder, "out", steps=1)
    fit_detector(project / "pairs", project / "detector", DETECTOR.model_copy(update={"steps": 3}), CPU)
    with pytest.raises(ConfigError, match="from another first stage"):
        refine(project, blob_folder, "out")


def test_a_run_is_not_continued_in_other_features(project, blob_folder):
    config = apply_overrides(
        CONFIG, [f"reconstruction.features={project / 'weights.pth'}", "reconstruction.feature_network=resnet10t", "steps=1"]
    )
    arguments = {"model": project, "pairs": project / "pairs"}
    torch.save(create_backbone("resnet10t").state_dict(), project / "weights.pth")
    fit_on_images(blob_folder, project / "out", config, CPU, **arguments)
    checkpoint, longer = project / "out" / "checkpoint.pt", config.model_copy(update={"steps": 2})
    kept = checkpoint.read_bytes()
    trained = (project / "weights.pth").read_bytes()
    torch.save(create_backbone("resnet10t").state_dict(), project / "weights.pth")
    with pytest.raises(ConfigError, match=r"other weights \(reconstruction\.features\)"):
        fit_on_images(blob_folder, project / "out", longer, CPU, **arguments)
    assert checkpoint.read_bytes() == kept
    (project / "weights.pth").write_bytes(trained)
    state = load_checkpoint(checkpoint, "detector")
    shortened = state["data"].rpartition("/")[0]  # as runs noted it before
    save_checkpoint(checkpoint, "detector", state | {"data": shortened})
    fit_on_images(blob_folder, project / "out", longer, CPU, **arguments)
    assert load_checkpoint(checkpoint, "detector")["step"] == 2


def test_the_anchor_pulls_towards_the_pairs(project):
    """Nothing but the anchor, on one batch: its loss must fall."""
    config = apply_overrides(CONFIG, ["keypoints=2"])
    anchor = Anchor(open_pairs(project / "pairs"), config, None, CPU)
    torch.manual_seed(0)
    detector = build_detector(DETECTOR.model, 2)
    adam, pairs = torch.optim.Adam(detector.parameters(), lr=0.02), anchor.next(0)
    losses = []
    for _ in range(40):
        loss = anchor.loss(detector, pairs)
        losses.append(float(loss.detach()))
        adam.zero_grad()
        loss.backward()
        adam.step()
    assert losses[-1] < 0.6 * losses[0]
    anchor.close()


def test_the_anchor_asks_for_the_pairs_of_each_step(project):
    config = apply_overrides(CONFIG, ["keypoints=2"])
    anchors = [Anchor(open_pairs(project / "pairs"), config, None, CPU) for _ in range(2)]
    straight = [anchors[0].next(step).images for step in (3, 4, 5)]
    anchors[0].close()
    assert torch.equal(anchors[0].next(4).images, straight[1])  # closed, it begins again where it is asked to
    assert torch.equal(anchors[1].next(5).images, straight[2])
    for anchor in anchors:
        anchor.close()


def test_the_anchor_leaves_the_running_statistics_to_the_real_images(project, blob_folder):
    with_pairs = refine(project, blob_folder, "with", steps=1)
    without = refine(project, blob_folder, "without", steps=1, pairs=None)
    one, two = (load_weights(path, "detector")[0] for path in (with_pairs, without))
    statistics = [name for name in one if name.endswith(("running_mean", "running_var"))]
    assert statistics
    assert all(torch.equal(one[name], two[name]) for name in statistics)
    assert any(not torch.equal(one[name], two[name]) for name in one if name.endswith("weight"))
    assert (
        read_description(without)["calibration"] == read_description(project / "detector" / "model.safetensors")["calibration"]
    )


def test_held_out_pairs_vary_alike_while_batches_are_prepared(project):
    batches = PairBatches(open_pairs(project / "pairs"), 16, 0.1, AugmentConfig(photometric=1.0), 3)
    quiet = batches.held_out_varied().images
    ended = threading.Event()

    def prepare():
        step = 0
        while not ended.is_set():
            batches.at(step)
            step += 1

    with ThreadPoolExecutor(1) as pool:
        busy = pool.submit(prepare)
        try:
            found = [batches.held_out_varied().images for _ in range(20)]
        finally:
            ended.set()
        busy.result()
    assert all(torch.equal(each, quiet) for each in found)
