"""Corrections, studies and notes of progress that are damaged end in one line; weights of a backbone are numbers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from kpdetect.detector.backbone import create_backbone
from kpdetect.errors import CheckpointError, ConfigError, FormatError
from kpdetect.inference.corrections import read_corrections
from kpdetect.studio.project_room import _now, _steps
from kpdetect.studio.study import QUESTIONS, RECORD, Item, Study, read_study

HEADER = "image,keypoint,x_px,y_px,visible,by,model,name\n"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (HEADER + "a.png,0,nan,2,1,moved,ab,eye\n", "line 2: nan, 2; expected finite numbers"),
        (HEADER + "a.png,0,1,inf,1,kept,ab,eye\n", "line 2: 1, inf; expected finite numbers"),
        (HEADER + "a.png,0,1,2,1,seen,ab,eye\n", "line 2: by 'seen'; expected moved, kept, hidden"),
        (HEADER + f"a.png,{'9' * 5000},1,2,1,kept,ab,eye\n", "line 2: Exceeds the limit"),
        (HEADER.replace("by", "who"), "columns image, keypoint, x_px, y_px, visible, who"),
        (HEADER + "a.png,0,1,2,1,kept,ab,eye,more\n", "line 2 has 9 cells for 8 columns"),
        ("", r"corrections\.csv: "),
    ],
)
def test_damaged_corrections_are_named_by_line(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "corrections.csv").write_text(content)
    with pytest.raises(FormatError, match=message) as refused:
        read_corrections(tmp_path)
    assert "correct the line, or remove the file" in str(refused.value)


def study_with(folder: Path, **changes: Any) -> Path:
    files = {f"{method}/images/1.png": f"{method}/1.png" for method in "ab"}
    item = Item(question=0, name="1.png", methods=(0, 1))
    study = Study(name="s", methods=("a", "b"), questions=QUESTIONS[:1], items=(item,), files=files)
    (folder / RECORD).write_text(json.dumps(study.model_dump(mode="json") | changes))
    return folder


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"files": {"a/images/1.png": "../../secret.png", "b/images/1.png": "b"}}, "leads out of its folder"),
        ({"files": {"a/images/1.png": "a/1.png"}}, "files lacks b/images/1.png"),
        ({"items": [{"question": 0, "name": "1.png", "methods": [0, 2]}]}, "results that are not in the study"),
        ({"items": [{"question": 1, "name": "1.png", "methods": [0, 1]}]}, "has a question or results that are not"),
    ],
)
def test_studies_show_pictures_of_their_own(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    assert read_study(study_with(tmp_path)).files["b/images/1.png"] == "b/1.png"
    with pytest.raises(ConfigError, match=message):
        read_study(study_with(tmp_path, **changes))


@pytest.mark.parametrize("text", ["[1]", '{"time": NaN}', '{"time": 1e999}', "[" * 5000, '{"time": "x"}', "{"])
def test_a_damaged_note_of_progress_is_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "progress.json").write_text(text)
    assert _now(tmp_path) is None


@pytest.mark.parametrize("text", ["steps: .inf", "- 1", "steps: [1", "a: &a [*a]"])
def test_a_damaged_configuration_has_no_steps(tmp_path: Path, text: str) -> None:
    (tmp_path / "config.yaml").write_text(text)
    assert _steps(tmp_path) is None


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_of_a_backbone_are_numbers(tmp_path: Path, value: float) -> None:
    state = create_backbone("test_resnet").state_dict()
    torch.save(state, tmp_path / "weights.pth")
    create_backbone("test_resnet", weights=tmp_path / "weights.pth")
    next(iter(state.values()))[0, 0, 0, 0] = value
    torch.save(state, tmp_path / "weights.pth")
    with pytest.raises(CheckpointError, match=r"weights\.pth: cannot be loaded .*holds values that are not numbers"):
        create_backbone("test_resnet", weights=tmp_path / "weights.pth")
