"""Keeping the most informative keypoints of a detector: which, on what, and what a user's labels change."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks.studies.keypoint_choice import Seen, choose_keypoints, look_at, measure_information, read_choice
from kpdetect.config import apply_overrides, read_config, write_config
from kpdetect.data.training_images import TrainingImages
from kpdetect.errors import ConfigError, InputError
from kpdetect.files.atomic import write_json
from kpdetect.inference.folder_job import predict_folder
from kpdetect.inference.labels import Labels
from kpdetect.inference.predictor import Predictor
from kpdetect.project.config import project_config
from kpdetect.project.keypoint_choice import choose_in_project, keep_all
from kpdetect.project.run_stages import Project
from kpdetect.shipped import shipped_folder
from kpdetect.toy.dataset import write_toy
from kpdetect.training.runtime import resolve_runtime

CPU = resolve_runtime("cpu", "float32")


def test_counts_of_keypoints_to_learn_and_to_keep():
    plain, spare, auto = project_config(keypoints=6), project_config(keypoints=6, spare=1.6), project_config(keypoints="auto")
    assert [(each.learned, each.refine.keypoints, each.kept) for each in (plain, spare, auto)] == [
        (6, 6, None), (10, 10, 6), (20, 20, "auto"),
    ]  # fmt: skip
    assert (project_config(keypoints="auto", method="imm").learned, project_config(keypoints=64).learned) == (20, 64)
    matched = project_config(keypoints=6, spare=1.6, method="correspondence")
    assert apply_overrides(matched, ["generator.model.keypoints=3"]).learned == 10
    with pytest.raises(ConfigError, match="`spare=2`: with 40 keypoints, expected a number from 1 to 1.6"):
        project_config(keypoints=40, spare=2.0)
    with pytest.raises(ConfigError, match="`spare=2`: `keypoints` is automatic; give a number too"):
        project_config(method="correspondence", spare=2.0)
    with pytest.raises(ConfigError, match="`keypoints=ten`: expected a number from 1 to 64, or auto"):
        project_config(keypoints="ten")
    with pytest.raises(ConfigError, match="kept=7: the detector learns 6 keypoints"):
        apply_overrides(plain, ["kept=7"])


def test_the_choice_comes_after_the_last_training(tmp_path):
    def titles(settings):
        project = Project(images=TrainingImages(tmp_path), out=tmp_path, settings=settings, runtime=CPU)
        return [stage.title for stage in project.stages()]

    assert titles(project_config(keypoints="auto"))[-4] == "Choose the most informative keypoints"
    assert titles(project_config(keypoints="auto", method="imm"))[1] == "Choose the most informative keypoints"
    assert "Choose the most informative keypoints" not in titles(project_config())
    (tmp_path / "chosen.json").touch()  # an earlier call left keypoints out
    assert "Choose the most informative keypoints" in titles(project_config())


def test_choice_among_known_keypoints(tmp_path):
    bits = np.array([[1.0 if row >> bit & 1 else -1.0 for bit in range(2)] for row in range(4)]).repeat(4, axis=0)
    still, one, two = np.zeros(16), 0.1 * bits[:, 0], 0.3 * bits[:, 1]
    keypoints = np.stack(
        [np.stack(pair, axis=1) for pair in [(still, still), (one, still), (one, still), (still, two)]], axis=1
    )
    seen = Seen(keypoints=keypoints, components=bits)
    assert choose_keypoints(seen, 2).kept == (1, 3)
    choice = choose_keypoints(seen, "auto")
    assert (choice.kept, choice.dropped, choice.images) == ((1, 3), (0, 2), 16)
    assert choice.sentence == (
        "kept 2 of 4 keypoints (1, 3): they explain 100 % of what varies between images, all 4 explain 100 %"
    )  # fmt: skip
    for asked, which in (
        ("auto", "those that move and do not repeat another keypoint"),
        (2, "the 2 most informative ones that lie apart"),
    ):
        write_json(tmp_path / "chosen.json", choice.to_record("hash", asked))
        read = read_choice(tmp_path / "chosen.json")
        assert read.kept == (1, 3)
        assert read.reason == (
            f"The detectors learned 4 keypoints. Kept are 2 (1, 3), {which}. They explain 100 % of what varies between images, "
            "all 4 explain 100 %."
        )
    write_json(tmp_path / "chosen.json", choice.to_record("hash", 2) | {"explained": [0.1, -0.02, -0.1, -0.3]})
    assert read_choice(tmp_path / "chosen.json").reason.endswith(
        "16 images are too few to tell how much of the variation between images they explain."
    )
    write_json(tmp_path / "chosen.json", choice.to_record("hash", 2) | {"explained": [0.5]})
    assert read_choice(tmp_path / "chosen.json") is None


@pytest.mark.slow
def test_a_project_keeps_the_best_keypoints_until_its_detector_or_labels_change(tmp_path):
    write_toy(tmp_path / "toy", 16, size=32, seed=0)
    images, out, labels = tmp_path / "toy" / "images", tmp_path / "out", tmp_path / "out" / "detector" / "keypoints.yaml"
    labels.parent.mkdir(parents=True)
    shutil.copy(shipped_folder(Path("toy-32")) / "detector.safetensors", labels.parent / "model.safetensors")
    whole = predict_table(out, images)
    choose_in_project(out, TrainingImages(images), 4, CPU)
    chosen = json.loads((out / "chosen.json").read_text())
    kept = chosen["kept"]
    assert (len(kept), sorted(kept + chosen["dropped"]), chosen["images"]) == (4, list(range(10)), 16)
    assert sorted(chosen["order"][:4]) == kept
    assert read_config(Labels, labels).drop == tuple(chosen["dropped"])
    pruned = predict_table(out, images)
    assert sorted(set(pruned["keypoint"])) == kept
    pd.testing.assert_frame_equal(pruned, whole[whole["keypoint"].isin(kept)].reset_index(drop=True))
    found = measure_information(Predictor.load(out, "cpu"), sorted(images.iterdir()))
    assert (list(found.lost), found.images) == (kept, 16)

    before = labels.read_bytes()
    choose_in_project(out, TrainingImages(images), 4, CPU)  # nothing has changed
    assert labels.read_bytes() == before
    record = {**chosen, "detector": "0" * 64}
    (out / "chosen.json").write_text(json.dumps(record))  # the detector has been trained further
    choose_in_project(out, TrainingImages(images), 3, CPU)
    assert len(read_config(Labels, labels).drop) == 7
    choose_in_project(out, TrainingImages(images), "auto", CPU)
    assert json.loads((out / "chosen.json").read_text())["asked"] == "auto"
    (out / "chosen.json").write_text(json.dumps(record))
    write_config(Labels(names={0: "nose"}, drop=(1,)), labels)
    choose_in_project(out, TrainingImages(images), 3, CPU)
    assert read_config(Labels, labels) == Labels(names={0: "nose"}, drop=(1,))
    keep_all(out)
    assert read_config(Labels, labels) == Labels(names={0: "nose"}, drop=(1,))
    assert not (out / "chosen.json").exists()
    labels.unlink()
    choose_in_project(out, TrainingImages(images), 4, CPU)
    shutil.copytree(labels.parent, out / "refined")  # a detector that is not used has the same labels
    keep_all(out)
    assert not labels.exists()
    assert not (out / "refined" / "keypoints.yaml").exists()

    choose_in_project(out, TrainingImages(images), 4, CPU)
    shutil.copytree(labels.parent, out / "taught-1")  # the detector of a round, with the automatic labels
    choose_in_project(out, TrainingImages(images), 3, CPU)
    assert not labels.exists()  # they would look like a user's
    assert len(read_config(Labels, out / "taught-1" / "keypoints.yaml").drop) == 7
    (out / "taught-1" / "model.safetensors").unlink()  # it is trained again
    choose_in_project(out, TrainingImages(images), 4, CPU)
    assert not (out / "taught-1" / "keypoints.yaml").exists()

    with pytest.raises(InputError, match="7 readable images; to compare keypoints, give at least 8"):
        look_at(Predictor.load(out, "cpu"), sorted(images.iterdir())[:7])


def predict_table(out, images) -> pd.DataFrame:
    predict_folder(out, images, out / "predictions", device="cpu")
    return pd.read_csv(out / "predictions" / "predictions.csv")
