"""Rows of an evaluation, result files, tables and the report page."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.datasets.landmarks import LandmarkSet
from benchmarks.datasets.toy import load_toy
from benchmarks.evaluation.evaluate import MeasuredRow, align, evaluate
from benchmarks.evaluation.results import Result, error_table, errors_path, read_errors, read_result, write_errors, write_result
from benchmarks.protocol.named import PROTOCOLS, TOY, find_protocol
from benchmarks.reporting.report import write_report
from benchmarks.tables.render import escape, latex, markdown
from benchmarks.tables.table import Measurement, tables
from benchmarks.tables.table_files import make_table, read_measurements
from kpdetect.errors import FormatError, InputError
from kpdetect.files.hashes import file_hash
from kpdetect.images.image_files import write_image
from kpdetect.skeleton import Skeleton

COUNT = 40


@dataclass
class Predicted:
    """What `evaluate` reads of predictions."""

    images: list[str]
    keypoints_px: np.ndarray
    sizes: np.ndarray
    points: Skeleton = Skeleton(numbers=(3, 7), names=("keypoint3", "keypoint7"))


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


def rows_of(toy: LandmarkSet, found: Predicted | None = None) -> list[MeasuredRow]:
    return evaluate(found or exact(toy), toy, TOY)  # type: ignore[arg-type]


def rough(toy: LandmarkSet) -> Predicted:
    """The same with noise: a worse model."""
    found = exact(toy)
    noise = np.random.default_rng(1).normal(size=found.keypoints_px.shape)
    return replace(found, keypoints_px=found.keypoints_px + noise)


ENVIRONMENT = {"commit": "c0ffee", "time": "now", "python": "3", "packages": {}, "hardware": {}}


def result_of(toy: LandmarkSet, data: str = "toy", found: Predicted | None = None, key: str = "0123456789abcdef") -> Result:
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
        model={"hash": key, "minutes": {"generator": 12.2, "detector": 3.0}},
        environment=ENVIRONMENT,  # type: ignore[arg-type]
        seed=0,
        errors="",
        rows=tuple(measured.row for measured in rows_of(toy, found)),
    )


def write_both(toy: LandmarkSet, folder: Path, found: Predicted | None = None, key: str = "0123456789abcdef") -> Path:
    """A result with its table of errors, as the benchmark writes them."""
    result = result_of(toy, found=found, key=key)
    errors = write_errors(error_table(rows_of(toy, found), toy, TOY), errors_path(folder / f"{result.name}.json"))
    return write_result(replace(result, errors=file_hash(errors)), folder)


def test_toy_split_and_order(toy: LandmarkSet) -> None:
    assert [toy.images[index] for index in toy.fit[:5]] == [f"00000{index}.png" for index in (0, 1, 2, 5, 6)]
    assert [toy.images[index] for index in toy.test[:2]] == ["000004.png", "000009.png"]
    assert (len(toy.fit), len(toy.test)) == (24, 8)
    assert np.array_equal(toy.landmarks_px, toy_points())


def test_rows_headline_first_with_the_floor_beside(toy: LandmarkSet) -> None:
    rows = [measured.row for measured in rows_of(toy)]
    assert [(row.kind, row.headline) for row in rows[:2]] == [("model", True), ("floor", True)]
    assert [row.kind for row in rows] == 4 * ["model", "floor", "baseline"] + ["model", "floor"]  # the last are backward
    assert rows[0].mean_of_ratios < 1e-9
    # All landmarks of a test image are off by the same vector, and the eyes are 10 apart.
    fit, test = toy_points()[toy.fit], toy_points()[toy.test]
    off = np.linalg.norm(fit.mean(axis=0) - test, axis=-1)
    assert rows[1].mean_of_ratios == pytest.approx(100 * off.mean() / 10)
    assert list(rows[1].per_point) == list(TOY.landmarks)
    assert [list(row.per_point) for row in rows[-2:]] == 2 * [["keypoint 3", "keypoint 7"]]  # the model's numbers
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
        ({"version": 2}, "version 2, expected 3; run the benchmark again"),
        ({"unknown": 1}, "damaged result, field unknown: unexpected"),
        ({"rows": [{"method": "m"}]}, "damaged result, field rows.0.kind: field required"),
        ({"fitted": "many"}, "damaged result, field fitted: input should be a valid integer"),
        ({"environment": {"time": "now"}}, "damaged result, field environment.commit: field required"),
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
    result = replace(result_of(toy), protocol="mafl-aligned", data="mafl-mini")
    text = markdown(tables([Measurement(result)]))
    assert text.startswith("### MAFL-MINI (mafl-aligned)")
    assert "not comparable** with mafl-mini" in text
    assert "| LatentKeypointGAN, tuned | published | 3.31 |" in text
    assert "not comparable; [1] table 3, row '- margin', MAFL (aligned), K = 10" in text
    assert "- [1] He, Wandt, Rhodin. LatentKeypointGAN" in text
    assert text.count("| **kpdetect** |") + text.count("| kpdetect |") == len(TOY.regressions)
    assert text.count("| mean shape |") == 1  # the same in every regression of the one frame
    assert "generator 12 minutes, detector 3 minutes" in text
    assert "published" not in markdown(tables([Measurement(result_of(toy))]))


def test_rows_show_their_floor_and_how_far_the_model_is_from_them(toy: LandmarkSet) -> None:
    table = tables([Measurement(result_of(toy))])[0]
    cells = [dict(zip(table.header, line.cells, strict=True)) for line in table.lines]
    model, floor = cells[:2]
    assert model["floor"] == floor["floor"] == floor["mean of ratios"] != model["mean of ratios"]
    assert floor["model minus row"].startswith(f"-{floor['mean of ratios']} (")  # a model without errors
    assert "not significant" not in floor["model minus row"]
    assert (model["minutes"], floor["minutes"], model["model minus row"]) == ("15", "", "")


def test_several_results_share_a_table_and_are_compared_image_by_image(tmp_path: Path, toy: LandmarkSet) -> None:
    paths = [write_both(toy, tmp_path), write_both(toy, tmp_path, rough(toy), key="f" * 16)]
    table, *more = tables(read_measurements([tmp_path], allow_contaminated=False))
    assert not more
    names = [line.cells[0] for line in table.lines if line.headline]
    assert names == ["kpdetect 01234567", "kpdetect ffffffff", "mean shape", "fixed grid of 2"]
    better, worse = (read_result(path).rows[0].mean_of_ratios for path in paths)
    first, second, gap, interval, verdict = table.differences[0]
    assert (first, second, verdict) == ("kpdetect 01234567", "kpdetect ffffffff", "significant")
    assert float(gap) == pytest.approx(better - worse, abs=0.006)
    assert float(interval.split(" to ")[0]) < better - worse < float(interval.split(" to ")[1]) < 0
    assert ("kpdetect ffffffff", "mean shape") in {cells[:2] for cells in table.differences}
    assert "model minus row" not in table.header


def test_a_model_is_compared_with_itself_in_other_order_of_images(tmp_path: Path, toy: LandmarkSet) -> None:
    one = Measurement(result_of(toy), error_table(rows_of(toy, rough(toy)), toy, TOY))
    turned = error_table(rows_of(toy, rough(toy)), replace(toy, test=toy.test[::-1]), TOY)
    other = Measurement(
        result_of(toy, key="f" * 16), replace(turned, errors={name: each[::-1] for name, each in turned.errors.items()})
    )
    assert tables([one, other])[0].differences[0][2:] == ("0.00", "0.00 to 0.00", "**not significant**")
    without = Measurement(result_of(toy, key="f" * 16))
    assert tables([one, without])[0].differences[0][4] == "unknown: a table of errors is missing"


def test_stale_and_contaminated_results_are_refused(tmp_path: Path, toy: LandmarkSet) -> None:
    path = write_both(toy, tmp_path)
    errors = errors_path(path)
    errors.write_text(errors.read_text().replace("000004.png", "000005.png"))
    with pytest.raises(
        InputError,
        match="this is not the table of errors of toy_toy_01234567.json, or the file has changed; run the benchmark again",
    ):
        make_table([path])
    seen = write_result(replace(result_of(toy), contaminated=True, contamination="contaminated (3)"), tmp_path / "seen")
    with pytest.raises(InputError, match=r"contaminated \(3\): the model was trained on test images.*`allow_contaminated`"):
        make_table([seen])
    assert "contaminated (3)" in make_table([seen], allow_contaminated=True)
    (tmp_path / "seen" / "nothing").mkdir()
    with pytest.raises(InputError, match="no benchmark results in this folder; run"):
        make_table([tmp_path / "seen" / "nothing"])


def test_errors_survive_the_file(tmp_path: Path, toy: LandmarkSet) -> None:
    hidden = replace(toy, landmarks_px=toy.landmarks_px.copy())
    hidden.landmarks_px[toy.test[1], 3] = np.nan
    table = error_table(rows_of(hidden, rough(toy)), hidden, TOY)
    assert (table.images[0], list(table.errors)) == ("000004.png", ["kpdetect", "mean shape", "fixed grid of 2"])
    again = read_errors(write_errors(table, tmp_path / "e.csv"))
    assert (again.images, again.landmarks) == (table.images, table.landmarks)
    assert np.isnan(again.errors["kpdetect"]).sum() == 1
    for name, each in table.errors.items():
        np.testing.assert_allclose(again.errors[name], each, atol=1e-6)
    np.testing.assert_allclose(again.true_px, table.true_px, atol=1e-3)
    (tmp_path / "e.csv").write_text("image,landmark\n")
    with pytest.raises(FormatError, match="damaged table of errors"):
        read_errors(tmp_path / "e.csv")


def test_tables_as_files(tmp_path: Path, toy: LandmarkSet) -> None:
    path = write_both(toy, tmp_path)
    make_table([path], out=tmp_path / "table.csv")
    with open(tmp_path / "table.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["kind"] for row in rows[:3]] == ["model", "floor", "baseline"]
    floor = read_result(path).rows[1]
    assert floor.difference is not None
    assert rows[0]["protocol"] == "toy"
    assert rows[0]["model_minus_row"] == ""
    assert float(rows[1]["interval95_low"]) == pytest.approx(floor.interval95[0])
    assert float(rows[1]["model_minus_row_high"]) == pytest.approx(floor.difference.high)
    assert float(rows[0]["floor"]) == pytest.approx(floor.mean_of_ratios)
    headline = make_table([path], "csv", headline=True)
    assert len(headline.splitlines()) == 1 + 3
    assert "### TOY (toy)" in make_table([path], out=tmp_path / "table.md")
    assert make_table([path], out=tmp_path / "TABLE.CSV").startswith("protocol,")
    with pytest.raises(
        InputError, match=r"table.xlsx: unknown ending; expected .md, .tex or .csv: choose one of these, or give `format`"
    ):
        make_table([path], out=tmp_path / "table.xlsx")
    assert not (tmp_path / "table.xlsx").exists()
    assert "### TOY (toy)" in make_table([path], "markdown", tmp_path / "table.txt")


def test_latex_escapes_and_every_line_has_all_cells(tmp_path: Path, toy: LandmarkSet) -> None:
    assert escape("50 % of a_b & c {d} #1 ~^<>\\") == (
        r"50 \% of a\_b \& c \{d\} \#1 \textasciitilde{}\textasciicircum{}\textless{}\textgreater{}\textbackslash{}"
    )
    assert escape("-2.5 (-3.1 to 1e-3), 2-3, **bold**") == r"$-$2.5 ($-$3.1 to 1e-3), 2-3, \textbf{bold}"
    result = replace(result_of(toy), protocol="mafl-aligned", data="mafl-mini", notes=("5 % of $x_1$",))
    text = latex(tables([Measurement(result)]))
    lines = [line for line in text.splitlines() if line.endswith(r"\\")]
    assert len({line.replace(r"\&", "").count("&") for line in lines}) == 1
    assert text.count(r"\midrule") == 2  # below the header, above the published numbers
    assert text.count(r"\toprule") == text.count(r"\bottomrule") == 1
    assert r"\textbf{kpdetect}" in text
    if shutil.which("pdflatex"):
        document = "\\documentclass{article}\\usepackage{booktabs}\\begin{document}\n" + text + "\\end{document}\n"
        (tmp_path / "t.tex").write_text(document)
        command = ["pdflatex", "-halt-on-error", "-interaction=nonstopmode", "t.tex"]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, errors="replace")
        assert done.returncode == 0, done.stdout[-2000:]


def test_every_protocol_has_one_headline_and_names() -> None:
    for name, protocol in PROTOCOLS.items():
        assert find_protocol(name) is protocol
        assert len({regression.name for regression in protocol.regressions}) == len(protocol.regressions)
        assert protocol.metric
    expected = "mafl-aligned, celeba-wild, .* or table:FILE"
    with pytest.raises(InputError, match=f"'mafl': no such protocol; expected one of {expected}"):
        find_protocol("mafl")


def test_report_of_an_empty_project(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    (tmp_path / "project" / "generator").mkdir(parents=True)
    page = write_report(tmp_path / "project", tmp_path / "page.html")
    text = page.read_text()
    assert "There are no benchmark results" in text
    assert "<img" not in text
    assert "no verdict: the project has no predictions of its images" in caplog.text


@pytest.mark.slow
def test_report_is_one_page_with_numbers_and_pictures(tmp_path: Path, toy: LandmarkSet) -> None:
    project = tmp_path / "project"
    write_image(project / "generator" / "samples" / "0000500.png", np.zeros((20, 30, 3), np.uint8))
    rows = [{"step": step, "seconds": step, "loss": 1 / step, "kind": "a"} for step in (1, 2, 3)]
    (project / "generator" / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    paths = [write_both(toy, project / "results"), write_both(toy, project / "results", rough(toy), key="f" * 16)]
    text = write_report(project, tmp_path / "report", paths).read_text()
    # histogram, curves, 3 grids for each of two models, samples, training
    assert text.count('src="data:image/png;base64,') == text.count("<img") == 2 + 6 + 2
    floor = read_result(paths[0]).rows[1]
    assert f'<td class="number">{floor.mean_of_ratios:.2f}</td>' in text
    assert "Worst test images: kpdetect ffffffff" in text
    assert "distance in % of the distance left_eye - right_eye; lower is better" in text
    assert "significant" in text
    assert "step 500" in text
    assert "http" not in text


@pytest.mark.slow
def test_report_of_results_alone_and_of_a_project_without_its_stale_ones(tmp_path: Path, toy: LandmarkSet, capsys) -> None:  # type: ignore[no-untyped-def]
    path = write_both(toy, tmp_path / "project" / "results")
    text = write_report(None, tmp_path / "page.HTM", [path]).read_text()
    assert "<h1>Benchmark results</h1>" in text
    assert "The project" not in text
    text = write_report(tmp_path / "project", tmp_path / "page.html").read_text()
    assert "There are no benchmark results" in text
    assert "the weights 0123456789abcdef are no longer in this project" in capsys.readouterr().err
    with pytest.raises(InputError, match="give a project folder, or `results` and `out`"):
        write_report(None, tmp_path / "page.html")


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
    with pytest.raises(FormatError, match=r"line 8: a second point left_eye of 000000.png; remove one of them"):
        load_toy(folder, TOY)
    x = good.splitlines()[1].split(",")[2]
    for wrong, message in (
        ("left", r"keypoints.csv, line 2: 'left', '.*'; expected two numbers"),
        ("inf", r"keypoints.csv, line 2: 'inf', '.*'; expected finite numbers"),
        ("9000", r"keypoints.csv, from line 2 on \(000000.png\): left_eye at x 9000, y .*, but the image is 30x20 pixels"),
    ):
        table.write_text(good.replace(x, wrong, 1))
        with pytest.raises(FormatError, match=message):
            load_toy(folder, TOY)
    table.write_text(good.replace("x_px", "x"))
    with pytest.raises(FormatError, match=r"line 1: no column x_px"):
        load_toy(folder, TOY)
    table.write_text(good)
    toy.path(7).unlink()
    with pytest.raises(InputError, match=r"1 listed images are missing, the first is 000007.png"):
        load_toy(folder, TOY)
