"""Which of a project's detectors is used: the record, labels, verdict, report, rounds that end by themselves."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from benchmarks.studies.judging import describe_verdict
from benchmarks.studies.stage_scores import Seen
from benchmarks.studies.verdict import read_verdict
from kpdetect.config import write_config
from kpdetect.data.training_images import TrainingImages
from kpdetect.errors import ConfigError, InputError
from kpdetect.files.hashes import file_hash
from kpdetect.inference.describe import describe_file
from kpdetect.inference.labels import Labels, labels_of
from kpdetect.inference.packing import pack_model
from kpdetect.project.config import project_config
from kpdetect.project.detector_choice import choose_detector, reason_to_end
from kpdetect.toy.dataset import write_toy
from kpdetect.training.checkpoints import find_weights, load_weights, save_weights
from tests.builders.projects import run_small
from tests.builders.runtimes import CPU


def seen(noise: float) -> Seen:
    """One keypoint that jumps 10 % of the side left and right, with this noise."""
    keypoints = np.zeros((40, 1, 2))
    keypoints[:, 0, 0] = np.where(np.arange(40) % 2, 0.2, -0.2)
    return Seen(keypoints=keypoints, distances=np.full((40, 1), np.sqrt(2) * noise))


@pytest.fixture
def noises(monkeypatch) -> dict[str, float]:
    """The noise of each stage's detector, which a test sets; the detectors themselves are not asked."""
    given: dict[str, float] = {}
    monkeypatch.setattr(
        "kpdetect.project.detector_choice.look_through", lambda weights, *_: seen(given.get(weights.parent.name, 2.0))
    )
    return given


def train_again(weights: Path, step: int) -> None:
    """Change the weights of a detector."""
    tensors, description = load_weights(weights, "detector")
    kept = {name: value for name, value in description.items() if name not in ("kind", "version")}
    save_weights(weights, "detector", tensors, kept | {"step": step})


@pytest.fixture
def stages(small_project, tmp_path) -> dict[str, Path]:
    write_toy(tmp_path / "toy", 16, size=32, seed=0)
    found = {stage: small_project / stage / "model.safetensors" for stage in ("detector", "refined", "taught-1")}
    for step, weights in enumerate(found.values()):
        if step:
            shutil.copytree(found["detector"].parent, weights.parent)
            train_again(weights, step)
    return found


def test_the_chosen_detector_is_used_until_one_changes(small_project, stages, noises, tmp_path, capsys) -> None:
    def choose() -> str:
        choose_detector(small_project, TrainingImages(tmp_path / "toy" / "images"), CPU)
        return find_weights(small_project, "detector").parent.name

    assert find_weights(small_project, "detector") == stages["taught-1"]
    write_config(Labels(names={0: "tip"}, weights=file_hash(stages["taught-1"])), stages["taught-1"].parent / "keypoints.yaml")
    noises["taught-1"] = 4.0
    assert choose() == "refined"
    assert labels_of(stages["refined"]).names == {0: "tip"}  # what a user said about the detector that was used
    assert labels_of(stages["refined"]).are_of(file_hash(stages["refined"]))
    assert any("The refined detector is used" in line for line in describe_file(small_project))
    noises["taught-1"] = 2.0
    assert choose() == "refined"  # nothing was trained since
    train_again(stages["taught-1"], 9)
    assert find_weights(small_project, "detector") == stages["taught-1"]
    noises["refined"] = 4.0
    assert choose() == "taught-1"
    noises["refined"], noises["taught-1"] = 2.0, 4.0
    train_again(stages["refined"], 9)
    write_config(Labels(names={0: "wing"}), stages["refined"].parent / "keypoints.yaml")
    assert choose() == "refined"
    assert labels_of(stages["refined"]).names == {0: "wing"}
    assert "refined/keypoints.yaml has labels of its own" in capsys.readouterr().err.replace("\\", "/")
    pack_model(small_project, tmp_path / "packed")
    card = (tmp_path / "packed" / "README.md").read_text()
    assert card.startswith("# packed\n\nA detector of 3 keypoints: wing, keypoint1, keypoint2. It was trained")
    assert "| The refined detector | 0.41 | 0.40 to 0.41 | yes |\n| The detector of round 1 | 0.24 |" in card
    pack_model(small_project / "detector", tmp_path / "one")
    assert not (tmp_path / "one" / "README.md").exists()
    (small_project / "stages.json").write_text("{")
    assert find_weights(small_project, "detector") == stages["taught-1"]
    assert "stages.json" in (warned := capsys.readouterr().err)
    assert "The project's last detector is used" in warned
    shutil.rmtree(stages["taught-1"].parent)
    shutil.rmtree(stages["refined"].parent)
    assert choose() == "detector"  # there is nothing to choose


def test_keypoints_that_a_user_drops_are_labels_of_their_own(small_project, stages, noises, tmp_path, capsys) -> None:
    noises["taught-1"] = 4.0
    write_config(Labels(names={0: "tip"}), stages["taught-1"].parent / "keypoints.yaml")
    write_config(Labels(drop=(1,)), stages["refined"].parent / "keypoints.yaml")
    choose_detector(small_project, TrainingImages(tmp_path / "toy" / "images"), CPU)
    assert find_weights(small_project, "detector") == stages["refined"]
    assert labels_of(stages["refined"]) == Labels(drop=(1,))
    assert "refined/keypoints.yaml has labels of its own" in capsys.readouterr().err.replace("\\", "/")


def test_a_round_is_left_out_for_the_reason_that_is_given(small_project, stages, noises, tmp_path) -> None:
    assert reason_to_end(small_project, 1) is None
    assert reason_to_end(small_project, 2) == "the detector of round 1 has no score"
    noises |= {"refined": 3.0, "taught-1": 4.0}
    choose_detector(small_project, TrainingImages(tmp_path / "toy" / "images"), CPU)
    assert reason_to_end(small_project, 2) == "round 1 did not raise the score beyond its noise"
    noises |= {"refined": 4.0, "taught-1": 2.0}
    train_again(stages["taught-1"], 9)
    choose_detector(small_project, TrainingImages(tmp_path / "toy" / "images"), CPU)
    assert reason_to_end(small_project, 2) is None


def test_too_few_images_to_choose(small_project, stages, tmp_path) -> None:
    for path in sorted((tmp_path / "toy" / "images").iterdir())[1:]:
        path.write_bytes(b"damaged")
    with pytest.raises(InputError, match="1 readable images; to compare detectors, give at least 2"):
        choose_detector(small_project, TrainingImages(tmp_path / "toy" / "images"), CPU)
    assert not (small_project / "stages.json").exists()


def test_a_number_of_rounds_that_ends_by_itself() -> None:
    assert [(each.count, each.stops) for each in (project_config(rounds="auto").rounds, project_config(rounds=2).rounds)] == [
        (3, True), (2, False),
    ]  # fmt: skip
    with pytest.raises(ConfigError, match="`rounds=many`: expected a number from 0 to 9, or auto"):
        project_config(rounds="many")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="`rounds=auto`: `method=imm` has no rounds"):
        project_config(method="imm", rounds="auto")


@pytest.mark.slow
def test_rounds_end_when_the_score_stops_rising(project, toy, tmp_path, noises, capsys) -> None:  # noqa: F811
    out, rounds = tmp_path / "rounds", ("rounds.count=3", "rounds.stops=true")
    shutil.copytree(project, out)
    (out / "stages.json").unlink()  # of true scores
    noises |= {"detector": 5.0, "refined": 4.0, "taught-1": 3.0, "taught-2": 6.0}
    run_small(toy / "unlabelled" / "images", out, *rounds)
    assert sorted(path.name for path in out.glob("taught-*")) == ["taught-1", "taught-2"]
    assert capsys.readouterr().err.count("round 3 is left out: round 2 did not raise the score beyond its noise") == 1
    plan = run_small(toy / "unlabelled" / "images", out, *rounds, dry_run=True).plan
    assert plan[-1] == f"{out}: everything is trained already"
    assert plan[0] == "method: gan, with which this project began"
    assert plan[1].startswith("decided earlier: objects count as upright: 40 images")
    assert find_weights(out, "detector").parent.name == "taught-1"
    verdict = read_verdict(out / "verdict.json")
    assert (verdict.chosen, verdict.detector) == ("taught-1", file_hash(out / "taught-1" / "model.safetensors"))
    assert [each.stage for each in verdict.stages] == ["detector", "refined", "taught-1", "taught-2"]
    why = "The detector of round 1 is used: of the 4 detectors it has the best score (0.32); the detector of round 2 has 0.07."
    assert verdict.sentences[-1] == why
    assert why in describe_verdict(out)
    page = (out / "report" / "index.html").read_text()
    assert why in page
    assert '<tr class="model"><td>The detector of round 1</td>\n<td class="number">0.32</td>' in page
    assert json.loads((out / "predictions" / "predictions.json").read_text())["model"] == verdict.detector
    (out / "stages.json").unlink()  # the run was killed before the detectors had scores
    plan = run_small(toy / "unlabelled" / "images", out, *rounds, dry_run=True).plan
    assert any("trains the detector of taught-3" in line for line in plan)
