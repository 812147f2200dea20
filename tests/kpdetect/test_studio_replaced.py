"""What the studio saves when weights, predictions or labels are replaced beside it, without a page."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kpdetect.files.hashes import file_hash
from kpdetect.inference.labelling import change_labels
from kpdetect.inference.labels import LABELS, read_labels
from kpdetect.studio.name_room import NameRoom
from kpdetect.studio.request import Call, ConflictError
from kpdetect.studio.review_room import ReviewRoom
from kpdetect.studio.workplace import open_workplace
from tests.builders.replaced import replace_predictions, replace_weights

IMAGE = "002.png"
MOVED = {"at": [11.25, 30.5], "by": "moved"}


@pytest.fixture
def project(studio_project: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(studio_project, tmp_path / "project"))


@pytest.fixture
def review(project: Path) -> ReviewRoom:
    return ReviewRoom(open_workplace(project))


def shown(review: ReviewRoom) -> dict[str, Any]:
    return review.describe(Call(path={"set": 0}, query={}))


def correct(review: ReviewRoom, data: dict[str, Any], points: dict[str, Any] | None, **changes: Any) -> dict[str, Any]:
    """Save the points of an image as the page that shows `data` does, and bring `data` up to date."""
    sent = {"row": data["images"].index(IMAGE), "image": IMAGE, "predictions": data["predictions"]}
    sent |= {"version": data["versions"].get(IMAGE, "new"), "points": points, **changes}
    saved = review.correct(Call(path={"set": 0}, query={}, content=json.dumps(sent).encode()))
    data["versions"][IMAGE], data["checked"][IMAGE] = saved["version"], saved["checked"]
    return saved


def rows(project: Path) -> dict[str, list[str]]:
    """The cells of every row of corrections.csv, by the keypoint."""
    lines = (project / "predictions" / "corrections.csv").read_text().splitlines()[1:]
    return {line.split(",")[1]: line.split(",") for line in lines}


def models(project: Path) -> dict[str, str]:
    return {number: row[6] for number, row in rows(project).items()}


def test_a_correction_of_other_predictions_is_refused(review: ReviewRoom, project: Path) -> None:
    data = shown(review)
    sizes = json.loads((project / "predictions" / "predictions.json").read_text())["sizes"]
    replace_predictions(project / "predictions", sizes={name: size for name, size in sizes.items() if name != "001.png"})
    with pytest.raises(ConflictError, match="made again; nothing was saved. Reload the page"):
        correct(review, data, {"3": MOVED})
    data = shown(review)
    with pytest.raises(ConflictError, match="made again"):
        correct(review, data, {"3": MOVED}, image="003.png")
    assert not (project / "predictions" / "corrections.csv").exists()
    correct(review, data, {"3": MOVED})
    assert rows(project)["3"][0] == IMAGE


def test_points_keep_their_weights_until_they_change_or_are_confirmed(review: ReviewRoom, project: Path) -> None:
    data = shown(review)
    old = data["model"]
    correct(review, data, {"3": MOVED, "4": MOVED, "5": {"at": None, "by": "hidden"}})
    assert not shown(review)["otherModel"]
    replace_predictions(project / "predictions", model="0123456789abcdef")
    data = shown(review)
    new = data["model"]
    assert (new, data["otherModel"]) == ("0123456789abcdef", True)
    assert {point["model"] for point in data["checked"][IMAGE].values()} == {old}
    points = data["checked"][IMAGE]
    correct(review, data, {**points, "3": {"at": [12, 30], "by": "moved", "model": new}})
    assert models(project) == {"3": new, "4": old, "5": old}
    assert shown(review)["otherModel"]
    unmarked = {number: {"at": point["at"], "by": point["by"]} for number, point in data["checked"][IMAGE].items()}
    correct(review, data, {**unmarked, "4": {"at": [1, 1], "by": "moved"}})
    assert models(project) == {"3": new, "4": new, "5": old}
    export = Call(path={"set": 0}, query={}, content=b'{"formats": ["coco"]}')
    assert review.export(export)["others"] == 1
    coco = json.loads((project / "predictions" / "predictions-coco.json").read_text())["annotations"][2]
    assert coco["keypoint_human"] == [0, 0, 0, 1, 1, 0, 0, 0, 0, 0]
    confirmed = {number: {**point, "model": new} for number, point in data["checked"][IMAGE].items()}
    correct(review, data, confirmed)
    assert set(models(project).values()) == {new}
    assert not shown(review)["otherModel"]
    assert review.export(export)["others"] == 0


def test_corrections_of_a_dropped_keypoint_stay_and_do_not_refuse_others(review: ReviewRoom, project: Path) -> None:
    data = shown(review)
    correct(review, data, {"3": MOVED, "4": MOVED})
    change_labels(project, drop=[4])
    data = shown(review)
    assert list(data["checked"][IMAGE]) == ["3"]
    saved = correct(review, data, {**data["checked"][IMAGE], "5": MOVED})
    assert list(saved["checked"]) == ["3", "5"]
    assert list(rows(project)) == ["3", "4", "5"]
    correct(review, data, None)
    assert list(rows(project)) == ["4"]
    assert shown(review)["checked"][IMAGE] == {}
    correct(review, data, {"3": MOVED})  # with the version of all points
    (project / "detector" / LABELS).unlink()
    assert list(shown(review)["checked"][IMAGE]) == ["3", "4"]


def described(room: NameRoom, project: Path) -> dict[str, Any]:
    return room.describe(Call(path={}, query={"model": str(project)}))


def test_names_of_replaced_weights_are_refused(project: Path) -> None:
    room, weights = NameRoom(open_workplace(project)), project / "detector" / "model.safetensors"
    first = described(room, project)
    labels = {"model": str(project), "names": {"1": "ear"}, "pairs": [], "links": [], "drop": []}
    replaced = replace_weights(project)
    with pytest.raises(ConflictError, match="was replaced since this page showed its keypoints.*Reload the page"):
        room.save(Call(path={}, query={}, content=json.dumps({**labels, **versions(first)}).encode()))
    assert not (project / "detector" / LABELS).exists()
    second = described(room, project)
    assert (second["weights"], first["weights"] == replaced) == (replaced, False)
    assert not np.allclose(second["points"], first["points"], atol=1)
    assert np.allclose(second["points"], np.array(first["points"])[:, ::-1], atol=1e-2)
    room.save(Call(path={}, query={}, content=json.dumps({**labels, **versions(second)}).encode()))
    assert read_labels(weights, 10).weights == replaced


def versions(data: dict[str, Any]) -> dict[str, str]:
    return {"weights": data["weights"], "version": data["version"]}


def test_names_during_a_training_are_not_stale(project: Path) -> None:
    weights = project / "detector" / "model.safetensors"
    change_labels(project, names=["1=ear"])
    path = weights.parent / LABELS
    path.write_text(path.read_text().replace(file_hash(weights), f"{file_hash(weights)},0123456789abcdef"))
    room = NameRoom(open_workplace(project))
    assert not described(room, project)["stale"]
    replace_weights(project)
    assert described(room, project)["stale"]
