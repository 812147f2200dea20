"""No cell that a spreadsheet would run as a formula comes from a file name, and the names come back as they were."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks.evaluation.results import ErrorTable, read_errors, write_errors
from kpdetect.errors import ConfigError
from kpdetect.files.names import from_cell, to_cell
from kpdetect.files.sources import read_sources, write_sources
from kpdetect.files.tables import without_formulas
from kpdetect.images.image_files import write_image
from kpdetect.inference.boxes import read_boxes, write_boxes
from kpdetect.inference.formats.deeplabcut import write_dlc_csv
from kpdetect.inference.labels import Labels
from kpdetect.inference.prediction_job import predict_inputs
from kpdetect.inference.predictions import Predictions
from kpdetect.studio.answers import read_answers, read_votes, write_answers
from kpdetect.studio.study import Item, Question, Study

NAMES = ["+1.png", "-2.png", "=A1+1.png", "@x.png", "a=b.png", "d/=e.png"]
DANGEROUS = ("=", "+", "-", "@")


def first_cells(path: Path) -> list[str]:
    with open(path, newline="", encoding="utf-8") as file:
        return [row[0] for row in csv.reader(file)]


def test_cells_are_paths_of_the_same_files_and_names_come_back():
    assert [to_cell(name) for name in NAMES] == ["./+1.png", "./-2.png", "./=A1+1.png", "./@x.png", "a=b.png", "d/=e.png"]
    assert [from_cell(to_cell(name)) for name in NAMES] == NAMES
    assert from_cell("./a.png") == "./a.png"


def test_tables_named_after_images_hold_no_formulas_and_read_back_exactly(tmp_path):
    folder = tmp_path / "in"
    for number, name in enumerate(NAMES):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        write_image(folder / name, np.full((20, 24, 3), 20 * number, np.uint8))
    (folder / "=broken.png").touch()
    out = tmp_path / "out"
    predict_inputs("toy-32", [str(folder)], out)
    found = Predictions.read(out)
    assert found.images == NAMES
    write_dlc_csv(found, 0.0, out)
    boxes = dict.fromkeys(NAMES, (1.0, 2.0, 8.0, 6.0))
    write_boxes(boxes, out / "boxes.csv")
    assert read_boxes(out / "boxes.csv", NAMES) == boxes
    rows = [(name, f"{number:016d}") for number, name in enumerate(NAMES)]
    write_sources(out, rows)
    assert read_sources(out) == rows
    for name in ("predictions.csv", "predictions-dlc.csv", "boxes.csv", "sources.csv", "skipped.csv"):
        assert not [cell for cell in first_cells(out / name) if cell.startswith(DANGEROUS)]
    table = pd.read_csv(out / "predictions.csv")
    assert all((folder / name).is_file() for name in table["image"])
    assert [Path(name) for name in table["image"].unique()] == [Path(name) for name in NAMES]


def test_tables_of_errors_read_back_exactly(tmp_path):
    errors = ErrorTable(
        images=["=a.png", "b.png"],
        landmarks=["+eye", "nose"],
        true_px=np.zeros((2, 2, 2)),
        predicted_px=None,
        errors={"model": np.ones((2, 2))},
    )
    write_errors(errors, tmp_path / "errors.csv")
    back = read_errors(tmp_path / "errors.csv")
    assert (back.images, back.landmarks) == (errors.images, errors.landmarks)
    assert not [cell for cell in first_cells(tmp_path / "errors.csv") if cell.startswith(DANGEROUS)]


@pytest.mark.parametrize("name", ["=1+1", "+x", "-x", "@x"])
def test_keypoints_are_not_named_like_formulas(name):
    with pytest.raises(ConfigError, match="would read the name .* as a formula"):
        Labels(names={0: name}).require(2, "labels")


def test_texts_of_a_table_are_no_formulas_and_its_numbers_stay():
    table = pd.DataFrame({"data": ["=x", "@y", "-", "-1.5", "+z", "a"], "value": [-1.0, 2.0, -3.0, 0.5, 1.0, 0.0]})
    safe = without_formulas(table)
    assert safe["data"].tolist() == ["./=x", "./@y", "-", "-1.5", "./+z", "a"]
    assert safe["value"].tolist() == table["value"].tolist()


def test_answers_of_a_study_hold_no_formulas_and_read_back_exactly(tmp_path):
    item = Item(question=0, name="=1+1.png", methods=(0, 1))
    files = {f"{method}/images/{item.name}": f"{number}/a.png" for number, method in enumerate(("@ours", "+other"))}
    question = Question(name="-quality", text="?")
    study = Study(name="=s", methods=("@ours", "+other"), questions=(question,), items=(item,), files=files)
    path = write_answers(tmp_path, study, "+Ann", {0: "left"})
    with open(path, newline="", encoding="utf-8") as file:
        cells = [cell for row in csv.reader(file) for cell in row]
    assert not [cell for cell in cells if cell.startswith(DANGEROUS)]
    assert read_answers(tmp_path, "+Ann") == {0: "left"}
    [vote] = read_votes([path], study.methods)
    assert (vote.participant, vote.question, vote.methods) == ("+Ann", "-quality", ("@ours", "+other"))
    assert vote.preferred in study.methods
