"""Rows of an evaluation, result files, tables and the report page."""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.baselines import Features, choose_components, reduce_features
from benchmarks.datasets.landmarks import LandmarkSet
from benchmarks.datasets.toy import load_toy
from benchmarks.evaluate import align, evaluate
from benchmarks.protocols import PROTOCOLS, TOY, find_protocol
from benchmarks.report import write_report
from benchmarks.results import Result, read_result, write_result
from benchmarks.table import markdown_table, write_table
from kpdetect.errors import FormatError, InputError
from kpdetect.images import write_image

COUNT = 40


@dataclass
class Predicted:
    """What `evaluate` reads of predictions."""

    images: list[str]
    keypoints_px: np.ndarray
    sizes: np.ndarray


@pytest.fixture
def toy(tmp_path: Path) -> LandmarkSet:
    """A toy folder: 40 images 30 wide and 20 high, landmarks around a shape with the eyes 10 apart."""
    folder = tmp_path / "toy"
    points = toy_points()
    for index in range(COUNT):
        write_image(folder / "images" / f"{index:06d}.png", np.full((20, 30, 3), index, np.uint8))
    with open(folder / "keypoints.csv", "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["image", "keypoint", "x_px", "y_px", "visible"])
        for index in range(COUNT):
            for name, (x, y) in zip([*TOY.landmarks, "chin"], [*points[index], (1, 2)], strict=True):
                writer.writerow([f"{index:06d}.png", name, x, y, 1])
    return load_toy(folder, TOY)


def toy_points() -> np.ndarray:
    shape = np.array([[10.0, 8.0], [20.0, 8.0], [15.0, 11.0], [12.0, 15.0], [18.0, 15.0]])
    return shape + np.random.default_rng(0).normal(size=(COUNT, 1, 2)) * 2


def exact(toy: LandmarkSet) -> Predicted:
    """Two keypoints that are affine images of the landmarks."""
    keypoints = np.stack([3 * toy.landmarks_px[:, 2] + 7, toy.landmarks_px[:, 0] - 40], axis=1)
    return Predicted(images=list(toy.images), keypoints_px=keypoints, sizes=toy.sizes)


def result_of(toy: LandmarkSet, data: str = "toy") -> Result:
    return Result(
        protocol="toy",
        metric=TOY.metric,
        thresholds=("2", "5", "10"),
        protocol_source="here",
        data=data,
        data_folder=str(toy.folder),
        lists=toy.lists,
        fitted=len(toy.fit),
        tested=len(toy.test),
        notes=("a note",),
        contamination="clean",
        contaminated=False,
        model={"hash": "0123456789abcdef", "minutes": {"generator": 12.2, "detector": 3.0}},
        environment={"commit": "c0ffee", "time": "now"},
        seed=0,
        rows=tuple(evaluate(exact(toy), toy, TOY)),  # type: ignore[arg-type]
    )


def test_toy_split_and_order(toy: LandmarkSet) -> None:
    assert [toy.images[index] for index in toy.fit[:5]] == [f"00000{index}.png" for index in (0, 1, 2, 5, 6)]
    assert [toy.images[index] for index in toy.test[:2]] == ["000004.png", "000009.png"]
    assert (len(toy.fit), len(toy.test)) == (24, 8)
    assert np.array_equal(toy.landmarks_px, toy_points())


def test_rows_headline_first_with_the_floor_beside(toy: LandmarkSet) -> None:
    rows = evaluate(exact(toy), toy, TOY)  # type: ignore[arg-type]
    assert [(row.kind, row.headline) for row in rows[:2]] == [("model", True), ("floor", True)]
    assert [row.kind for row in rows] == 4 * ["model", "floor", "baseline"] + ["model", "floor"]  # the last are backward
    assert rows[0].mean_of_ratios < 1e-9
    # All landmarks of a test image are off by the same vector, and the eyes are 10 apart.
    fit, test = toy_points()[toy.fit], toy_points()[toy.test]
    off = np.linalg.norm(fit.mean(axis=0) - test, axis=-1)
    assert rows[1].mean_of_ratios == pytest.approx(100 * off.mean() / 10)
    assert list(rows[1].per_point) == list(TOY.landmarks)
    assert (rows[0].rank, rows[0].columns) == (2, 4)
    assert rows[0].note == "input has rank 2 of 4"


def test_predictions_are_matched_by_name(toy: LandmarkSet) -> None:
    ordered, order = exact(toy), np.random.default_rng(0).permutation(COUNT)
    mixed = Predicted([toy.images[index] for index in order], ordered.keypoints_px[order], toy.sizes[order])
    used = toy.used
    assert np.array_equal(align(mixed, toy)[used], ordered.keypoints_px[used])  # type: ignore[arg-type]


def test_missing_or_foreign_predictions_are_refused(toy: LandmarkSet) -> None:
    full = exact(toy)
    short = Predicted(full.images[:-1], full.keypoints_px[:-1], full.sizes[:-1])
    with pytest.raises(InputError, match=r"lack 1 images, the first is 000039.png"):
        evaluate(short, toy, TOY)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="of another size"):
        evaluate(replace(full, sizes=full.sizes + 1), toy, TOY)  # type: ignore[arg-type]


def test_random_features_with_and_without_information() -> None:
    random = np.random.default_rng(0)
    landmarks = random.normal(size=(60, 5, 2))
    useful = np.concatenate([landmarks.reshape(60, -1) * 3, 0.01 * random.normal(size=(60, 30))], axis=1)
    assert choose_components(useful.astype(np.float32), landmarks) >= 16
    noise = random.normal(size=(60, 40)).astype(np.float32)
    assert choose_components(noise, landmarks) == 4


def test_reduced_features_use_the_models_number_of_columns() -> None:
    values = np.random.default_rng(0).normal(size=(50, 30)).astype(np.float32)
    features = Features(fit=values[:40], test=values[40:], name="f")
    same, best = reduce_features(features, np.random.default_rng(1).normal(size=(40, 5, 2)), columns=6)
    assert (same.fit.shape, same.test.shape) == ((40, 6), (10, 6))
    assert same.name == "f: 6 components (same regression)"
    assert best.name.endswith("(best by cross-validation)")


def test_result_survives_the_file(tmp_path: Path, toy: LandmarkSet) -> None:
    result = result_of(toy)
    path = write_result(result, tmp_path / "out")
    assert path.name == "toy_toy_01234567.json"
    assert json.loads(path.read_text())["schema"] == "kpdetect-result"
    assert read_result(path) == result
    assert [file.name for file in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"schema": "other"}, "not a benchmark result"),
        ({"version": 99}, "version 99, expected 2"),
        ({"unknown": 1}, "damaged result"),
        ({"rows": [{"method": "m"}]}, "damaged result"),
    ],
)
def test_other_files_are_refused(tmp_path: Path, toy: LandmarkSet, change: dict[str, object], message: str) -> None:
    path = write_result(result_of(toy), tmp_path)
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(FormatError, match=message):
        read_result(path)
    with pytest.raises(InputError, match="no such file"):
        read_result(tmp_path / "absent.json")


def test_markdown_has_every_row_and_marks_published_numbers(toy: LandmarkSet) -> None:
    text = markdown_table(replace(result_of(toy), protocol="mafl-aligned", data="mafl-mini"))
    assert text.startswith("### MAFL-MINI (mafl-aligned)")
    assert "not comparable** with mafl-mini" in text
    assert "| LatentKeypointGAN, tuned | 3.31 | published: He, Wandt, Rhodin" in text
    assert text.count("| **kpdetect** |") + text.count("| kpdetect |") == len(TOY.regressions)
    assert text.count("| mean shape |") == 1  # the same in every regression of the one frame
    assert "generator trained 12 minutes, detector trained 3 minutes" in text
    assert "published" not in markdown_table(result_of(toy))


def test_tables_as_files(tmp_path: Path, toy: LandmarkSet) -> None:
    path = write_result(result_of(toy), tmp_path)
    write_table([path], tmp_path)
    with open(tmp_path / "table.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["kind"] for row in rows[:3]] == ["model", "floor", "baseline"]
    assert rows[0]["protocol"] == "toy"
    floor = read_result(path).rows[1]
    assert float(rows[1]["interval95_low"]) == pytest.approx(floor.interval95[0])
    assert "### TOY (toy)" in (tmp_path / "table.md").read_text()


def test_every_protocol_has_one_headline_and_names() -> None:
    for name, protocol in PROTOCOLS.items():
        assert find_protocol(name) is protocol
        assert len({regression.name for regression in protocol.regressions}) == len(protocol.regressions)
        assert protocol.metric
    with pytest.raises(InputError, match="'mafl' does not exist; choose one of: mafl-aligned, celeba-wild, .* or table:FILE"):
        find_protocol("mafl")


def write_errors(path: Path, toy: LandmarkSet) -> None:
    with open(path, "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["image", "landmark", "x_px", "y_px", "true_x_px", "true_y_px", "error_percent"])
        for rank, index in enumerate(toy.test):
            for name, (x, y) in zip(TOY.landmarks, toy.landmarks_px[index], strict=True):
                writer.writerow([toy.images[index], name, x + rank, y, x, y, 10 * rank])


def test_report_of_an_empty_project(tmp_path: Path) -> None:
    page = write_report(tmp_path / "project", tmp_path / "page.html")
    text = page.read_text()
    assert "No benchmark was run" in text
    assert "<img" not in text


def test_report_is_one_page_with_numbers_and_pictures(tmp_path: Path, toy: LandmarkSet) -> None:
    project = tmp_path / "project"
    write_image(project / "generator" / "samples" / "0000500.png", np.zeros((20, 30, 3), np.uint8))
    rows = [{"step": step, "seconds": step, "loss": 1 / step, "kind": "a"} for step in (1, 2, 3)]
    (project / "generator" / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    path = write_result(result_of(toy), project / "results")
    write_errors(path.with_name(f"{path.stem}-errors.csv"), toy)
    text = write_report(project, tmp_path / "report", [path]).read_text()
    assert text.count('src="data:image/png;base64,') == text.count("<img") == 6  # histogram, 3 grids, samples, curves
    floor = read_result(path).rows[1]
    assert f'<td class="number">{floor.mean_of_ratios:.2f}</td>' in text
    assert "Worst test images" in text
    assert "step 500" in text
    assert "http" not in text


def test_toy_folder_with_faults(tmp_path: Path, toy: LandmarkSet) -> None:
    folder = toy.folder.parent
    table = folder / "keypoints.csv"
    good = table.read_text()
    with pytest.raises(FormatError, match="no keypoint named tail"):
        load_toy(folder, replace(TOY, landmarks=("left_eye", "right_eye", "tail")))
    table.write_text(good.replace("000003.png,nose", "000003.png,noise", 1))
    with pytest.raises(FormatError, match=r"1 images lack a coordinate, the first is 000003.png"):
        load_toy(folder, TOY)
    table.write_text(good.replace("000001.png,left_eye", "000000.png,left_eye", 1))
    with pytest.raises(FormatError, match=r"line 8: a second left_eye of 000000.png"):
        load_toy(folder, TOY)
    table.write_text(good.replace("x_px", "x"))
    with pytest.raises(FormatError, match=r"line 1: no column x_px"):
        load_toy(folder, TOY)
    table.write_text(good)
    toy.path(7).unlink()
    with pytest.raises(InputError, match=r"1 listed images are missing, the first is 000007.png"):
        load_toy(folder, TOY)
