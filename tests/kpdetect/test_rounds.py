"""Rounds of self-training in a project."""

import json
import shutil
from contextlib import suppress

import pandas as pd
import pytest

import kpdetect
from benchmarks.evaluation.measured_model import method_name
from benchmarks.evaluation.predict import minutes_trained
from kpdetect.config import read_config
from kpdetect.data.schema import Manifest
from kpdetect.errors import ConfigError
from kpdetect.files.atomic import write_text
from kpdetect.files.hashes import file_hash
from kpdetect.inference.describe import describe_file
from kpdetect.inference.labelling import change_labels
from kpdetect.inference.labels import labels_follow
from kpdetect.project.budget import share_of
from kpdetect.project.config import ProjectConfig, project_config
from kpdetect.project.job import ProjectJob
from kpdetect.project.pipeline import run_project
from kpdetect.training.checkpoints import detector_stages, find_weights, load_weights, read_description, save_weights
from tests.builders.projects import SMALL, run_small

pytestmark = pytest.mark.slow

PLAIN = project_config(size=32, keypoints=4, refined=False)
IMM = project_config(size=32, keypoints=4, method="imm")


def test_a_round_teaches_what_the_detector_before_it_found(project):  # noqa: F811
    assert find_weights(project, "detector") == project / "taught-1" / "model.safetensors"
    told = read_description(project / "taught-1" / "model.safetensors")
    teacher = file_hash(project / "refined" / "model.safetensors")
    assert told["provenance"]["pseudo_labels_of"] == teacher
    assert told["began_with"]["hash"] == teacher
    assert told["config"]["augment"]["scale"] == 0.4
    assert json.loads((project / "taught-1" / "found" / "predictions.json").read_text())["settings"]["flip_average"]


def test_further_rounds_follow_and_leave_the_first(project, toy, tmp_path):  # noqa: F811
    shutil.copytree(project, tmp_path / "more")
    change_labels(tmp_path / "more", names=["0=tip"], drop=[1])  # of the teacher, whose pupil learns all keypoints nevertheless
    before = (tmp_path / "more" / "taught-1" / "model.safetensors").read_bytes()
    run_small(toy / "unlabelled" / "images", tmp_path / "more", "rounds.count=2", last="detector")
    assert (tmp_path / "more" / "taught-1" / "model.safetensors").read_bytes() == before
    told = read_description(find_weights(tmp_path / "more", "detector"))
    assert told["provenance"]["pseudo_labels_of"] == file_hash(tmp_path / "more" / "taught-1" / "model.safetensors")
    assert told["keypoints"] == 4
    labels = kpdetect.load(tmp_path / "more").labels  # what they mean stays
    assert (labels.names, labels.drop) == ({0: "tip"}, (1,))
    assert labels.weights == file_hash(find_weights(tmp_path / "more", "detector"))


def test_labels_stay_those_of_a_pupil_that_is_trained_further(project, toy, tmp_path, capsys):  # noqa: F811
    shutil.copytree(project, tmp_path / "longer")
    pupil = tmp_path / "longer" / "taught-1"
    change_labels(pupil, names=["0=tip"])
    before = file_hash(pupil / "model.safetensors")
    run_small(toy / "unlabelled" / "images", tmp_path / "longer", "rounds.steps=4", last="detector")
    labels = kpdetect.load(tmp_path / "longer").labels
    assert labels.names == {0: "tip"}
    assert labels.weights == file_hash(pupil / "model.safetensors") != before
    assert "other weights" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("case", "follow"),
    [("continued", True), ("interrupted", True), ("given to others", False), ("begun anew", False), ("second process", False)],
)
def test_labels_follow_only_what_is_continued(small_project, case, follow):
    weights = small_project / "detector" / "model.safetensors"
    change_labels(small_project, names=["0=tip"])
    given = kpdetect.load(small_project).labels
    if case != "begun anew":
        (weights.parent / "checkpoint.pt").touch()
    if case == "given to others":
        (weights.parent / "keypoints.yaml").write_text("names: {0: tip}\nweights: another\n")
    tensors, description = load_weights(weights, "detector")
    with suppress(KeyboardInterrupt), labels_follow(weights, writes=case != "second process"):
        told = {name: value for name, value in description.items() if name not in ("kind", "version")}
        save_weights(weights, "detector", tensors, told | {"step": 7})
        if case == "interrupted":
            raise KeyboardInterrupt
    labels = kpdetect.load(small_project).labels
    assert labels.names == given.names
    assert (labels.weights == file_hash(weights)) is follow


def test_a_second_stage_trained_further_teaches_anew(project, toy, tmp_path, capsys):  # noqa: F811
    out = tmp_path / "further"
    shutil.copytree(project, out)
    run_small(toy / "unlabelled" / "images", out, "rounds.count=2", last="detector")
    before = (out / "taught-1" / "model.safetensors").read_bytes()
    run_small(toy / "unlabelled" / "images", out, "rounds.count=2", "refine.steps=3", last="detector")
    assert "the detector before round 1 has changed" in capsys.readouterr().err
    assert (out / "taught-1" / "model.safetensors").read_bytes() != before
    for pupil, teacher in (("taught-1", "refined"), ("taught-2", "taught-1")):
        told = read_description(out / pupil / "model.safetensors")
        assert told["provenance"]["pseudo_labels_of"] == file_hash(out / teacher / "model.safetensors")


def test_a_round_without_refinement_leaves_out_images_that_are_listed_or_cannot_be_read(toy, tmp_path, capsys):  # noqa: F811
    images, out, listed = tmp_path / "images", tmp_path / "project", tmp_path / "list.txt"
    shutil.copytree(toy / "unlabelled" / "images", images)
    (images / "broken.png").write_text("no picture")
    listed.write_text("000003.png\n")
    run_project(images, out, PLAIN, overrides=SMALL, device="cpu", exclude_lists=[listed])
    assert "round 1 leaves out 1 unreadable images" in capsys.readouterr().err
    assert not (out / "refined").exists()
    assert len(pd.read_csv(out / "taught-1" / "found" / "predictions.csv")) == 39 * 4
    assert "000003.png" not in (out / "taught-1" / "sources.csv").read_text()
    assert json.loads((out / "taught-1" / "pairs" / "manifest.json").read_text())
    assert read_description(out / "taught-1" / "model.safetensors")["pairs"] == 39
    assert len(pd.read_csv(out / "predictions" / "predictions.csv")) == 40 * 4


def test_a_round_looks_at_a_limited_number_of_images_spread_evenly(project, toy, tmp_path):  # noqa: F811
    shutil.copytree(project, tmp_path / "few", ignore=shutil.ignore_patterns("taught-1"))
    run_small(toy / "unlabelled" / "images", tmp_path / "few", "rounds.images=20")
    seen = sorted(set(pd.read_csv(tmp_path / "few" / "taught-1" / "found" / "predictions.csv")["image"]))
    assert len(seen) == 20
    assert (seen[0], seen[1], seen[-1]) == ("000000.png", "000002.png", "000039.png")
    assert len(pd.read_csv(tmp_path / "few" / "predictions" / "predictions.csv")) == 40 * 4
    run_small(toy / "unlabelled" / "images", tmp_path / "few", "rounds.images=40", last="detector")  # anew, on all images
    assert len(pd.read_csv(tmp_path / "few" / "taught-1" / "found" / "predictions.csv")) == 40 * 4
    assert Manifest.read(tmp_path / "few" / "taught-1" / "pairs").count == 40


def test_a_round_that_time_limits_keeps_its_images_when_it_is_continued(project, toy, tmp_path, monkeypatch, capsys):  # noqa: F811
    images, out = toy / "unlabelled" / "images", tmp_path / "few"
    shutil.copytree(project, out, ignore=shutil.ignore_patterns("taught-1"))
    for number in (20, 30):
        monkeypatch.setattr(ProjectJob, "images_of_round", lambda job, round_, images=number: images)
        run_small(images, out, minutes=60, last="detector")
        assert Manifest.read(out / "taught-1" / "pairs").count == 20
    assert "made again" not in capsys.readouterr().err


def test_imm_has_no_rounds(toy, tmp_path):  # noqa: F811
    with pytest.raises(ConfigError, match="`rounds=1`: `method=imm` has no rounds"):
        project_config(method="imm", rounds=1)


def test_a_configuration_of_imm_that_is_silent_on_rounds_has_none(toy, tmp_path):  # noqa: F811
    settings = project_config("tiny", 32, 4, "centre", 0).model_dump(mode="json") | {"method": "imm"}
    del settings["rounds"]
    write_text(tmp_path / "imm.yaml", json.dumps(settings))
    assert read_config(ProjectConfig, tmp_path / "imm.yaml").rounds.count == 0
    write_text(tmp_path / "rounds.yaml", json.dumps(settings | {"rounds": {"count": 2}}))
    with pytest.raises(ConfigError, match=r"rounds\.count=2: `method=imm` has no rounds"):
        run_project(toy / "unlabelled" / "images", tmp_path / "out", config=tmp_path / "rounds.yaml")


def test_fewer_rounds_than_there_are_are_refused(project, toy):  # noqa: F811
    with pytest.raises(
        ConfigError, match=r"has 1 round .* but 0 are requested; give `rounds=1` \(with `config`: .*\), or remove taught-1"
    ):
        run_small(toy / "unlabelled" / "images", project, "rounds.count=0")
    with pytest.raises(ConfigError, match=r"has 1 round .*; give another `out`, or remove taught-1"):
        run_project(toy / "unlabelled" / "images", project, IMM, overrides=SMALL, device="cpu")


def test_settings_of_rounds_are_checked_before_anything_is_trained(toy, tmp_path):  # noqa: F811
    images = toy / "unlabelled" / "images"
    with pytest.raises(ConfigError, match=r"rounds\.scales.*expected numbers from 0\.25 to 2"):
        run_small(images, tmp_path / "project", "rounds.scales=[5]")
    with pytest.raises(ConfigError, match=r"rounds\.count=2: `method=imm` has no rounds"):
        run_project(images, tmp_path / "imm", IMM, overrides=["rounds.count=2"])
    assert not list(tmp_path.iterdir())


def test_a_round_is_taught_anew_where_its_teacher_finds_something_else(project, toy, tmp_path, capsys):  # noqa: F811
    shutil.copytree(project, tmp_path / "other")
    run_small(toy / "unlabelled" / "images", tmp_path / "other", last="detector")  # a copy is as good
    assert "has changed" not in capsys.readouterr().err
    table = tmp_path / "other" / "taught-1" / "found" / "predictions.csv"
    moved = pd.read_csv(table)
    moved["x_px"] = moved["x_px"] + 1
    moved.to_csv(table, index=False)
    before = read_description(find_weights(tmp_path / "other", "detector"))["provenance"]["table"]
    run_small(toy / "unlabelled" / "images", tmp_path / "other", last="detector")
    assert "the predictions for round 1 have changed" in capsys.readouterr().err
    after = read_description(find_weights(tmp_path / "other", "detector"))["provenance"]["table"]
    assert (before, after) == (file_hash(project / "taught-1" / "found" / "predictions.csv"), file_hash(table))


def test_pairs_that_a_user_gives_to_the_teacher_later_leave_its_round(project, toy, tmp_path, capsys):  # noqa: F811
    shutil.copytree(project, tmp_path / "labelled")
    files = [tmp_path / "labelled" / "taught-1" / name for name in ("model.safetensors", "found/predictions.csv")]
    before = [file_hash(path) for path in files]
    change_labels(tmp_path / "labelled" / "refined", pairs=["0,1"])
    run_small(toy / "unlabelled" / "images", tmp_path / "labelled", last="detector")
    assert "changed" not in capsys.readouterr().err
    assert [file_hash(path) for path in files] == before
    found = json.loads((tmp_path / "labelled" / "taught-1" / "found" / "predictions.json").read_text())
    assert found["labels"]["pairs"] == []


def test_shares_of_the_minutes_add_up():
    for refined in (True, False):
        stages = [share_of(stage, refined, 2) for stage in ("generator", "pairs", "detector", "refine", "round", "round")]
        assert sum(stages) == pytest.approx(1)


def test_rounds_count_among_the_minutes_and_name_the_rows(project, tmp_path):  # noqa: F811
    stages = ["generator", "detector", "refined", "taught-1"]
    for number, stage in enumerate(stages):
        (tmp_path / stage).mkdir()
        (tmp_path / stage / "metrics.jsonl").write_text(json.dumps({"step": 50, "seconds": 60.0 * (number + 1)}) + "\n")
    assert minutes_trained(tmp_path / "taught-1") == dict(zip(stages, (1, 2, 3, 4), strict=True))
    assert minutes_trained(tmp_path / "refined") == dict(zip(stages[:3], (1, 2, 3), strict=True))
    taught = read_description(project / "taught-1" / "model.safetensors")
    assert method_name(taught) == "kpdetect, self-trained"
    refined = read_description(project / "refined" / "model.safetensors")
    assert method_name({**taught, "refined": refined["refined"]}) == "kpdetect, refined"


def test_a_round_that_has_hardly_begun_is_described(project, tmp_path):  # noqa: F811
    shutil.copytree(project, tmp_path / "begun")
    (tmp_path / "begun" / "taught-2" / "found").mkdir(parents=True)
    assert "taught-2: begun" in list(describe_file(tmp_path / "begun"))
    assert find_weights(tmp_path / "begun", "detector").parent.name == "taught-1"
    for name in ("taught-02", "taught-\u00b2", "taught-x", "taught-"):
        (tmp_path / "begun" / name).mkdir()
    assert detector_stages(tmp_path / "begun") == ["detector", "refined", "taught-1", "taught-2"]
