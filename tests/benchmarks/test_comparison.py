"""The comparison of methods: its settings, the cross-validated error, the table, and the continuation of a comparison."""

import csv
import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from benchmarks.comparison import run, score
from benchmarks.comparison.__main__ import main
from benchmarks.comparison.config import SetConfig, read_comparison
from benchmarks.comparison.score import Fitting, Score, baseline_score, cross_validated, read_fitting
from benchmarks.comparison.turns import exchanged_ends
from kpdetect.errors import ConfigError, FormatError, InputError, TrainingError
from kpdetect.images.image_files import write_image
from kpdetect.skeleton import Skeleton
from kpdetect.training.runtime import resolve_runtime

SETTINGS = """
sets:
  discs: {images: images, annotations: points.csv, groups: groups.csv, group: animal, fit: fit.txt}
methods: [correspondence, imm]
baselines: [pixels]
budgets:
  short: {minutes: 3, overrides: {imm: [refine.steps=2]}}
"""


@pytest.fixture
def discs(tmp_path):
    """30 images, 40 wide and 30 high, each with one disc; 25 of them are fitting images, in groups of two."""
    source = np.random.default_rng(0)
    places = source.integers(6, 24, (30, 2))
    for number, (x, y) in enumerate(places):
        image = np.zeros((30, 40, 3), np.uint8)
        image[y - 3 : y + 4, x - 3 : x + 4] = 255
        write_image(tmp_path / "images" / f"{number:02d}.png", image)
    with open(tmp_path / "points.csv", "w", newline="") as file:
        csv.writer(file).writerows(
            [["image", "disc_x", "disc_y"], *([f"{n:02d}.png", *place] for n, place in enumerate(places))]
        )
    (tmp_path / "groups.csv").write_text("image,animal\n" + "".join(f"{n:02d}.png,m{n // 2:02d}\n" for n in range(30)))
    (tmp_path / "fit.txt").write_text("".join(f"{n:02d}.png\n" for n in range(25)))
    (tmp_path / "settings.yaml").write_text(SETTINGS)
    return tmp_path


def test_keypoints_that_are_the_truth_have_no_error_and_constant_ones_that_of_the_floor(discs):
    fitting = read_fitting(read_comparison(discs / "settings.yaml").sets["discs"])
    assert len(fitting.paths) == 25
    assert fitting.groups.tolist()[:5] == [0, 0, 1, 1, 2]
    sizes = np.tile([30, 40], (25, 1))
    exact = cross_validated(fitting.points_px.reshape(25, 2) * 2 + 5, fitting, sizes)
    assert exact.share < 0.01
    assert cross_validated(np.ones((25, 2)), fitting, sizes).share == pytest.approx(1, abs=0.01)
    assert baseline_score("pixels", fitting).share < 1


def test_the_floor_is_the_error_of_the_mean_of_the_other_folds():
    points = np.array([[[0.0, 0]], [[4, 0]], [[8, 0]], [[12, 0]], [[16, 0]]])
    fitting = Fitting(paths=[], points_px=points, groups=np.arange(5), names=("point",), turns=np.zeros(5, int))
    score = cross_validated(np.ones((5, 2)), fitting, np.tile([10, 40], (5, 1)))  # side: 20 px
    distances = [10, 5, 0, 5, 10]  # from each point to the mean of the other four
    assert score.floor_percent == pytest.approx(100 * np.mean(distances) / 20)
    assert score.by_point["point"] == pytest.approx(score.error_percent, abs=1e-3)


def test_images_and_points_turn_together_and_stay_in_one_fold(discs):
    given = read_comparison(discs / "settings.yaml").sets["discs"]
    fitting = read_fitting(given.model_copy(update={"turns": 4}))
    images = fitting.images()
    assert [images[row].shape[:2] for row in (0, 25, 50, 75)] == [(30, 40), (40, 30), (30, 40), (40, 30)]
    for image, ((x, y),) in zip(images, fitting.points_px.astype(int), strict=True):
        assert image[y - 3 : y + 4, x - 3 : x + 4].all()
    assert fitting.groups.tolist() == fitting.groups.tolist()[:25] * 4
    sizes = np.array([image.shape[:2] for image in images])
    exact = cross_validated(fitting.points_px.reshape(100, 2), fitting, sizes)
    assert exact.share_by_turn.keys() == {"0", "90", "180", "270"}
    assert max(exact.share_by_turn.values()) < 0.01
    assert exact.floor_by_point["disc"] == pytest.approx(exact.floor_percent, abs=1e-3)


def test_ends_are_exchanged_where_their_keypoints_are_nearer_to_the_other_end():
    points = np.tile([[0.0, 0], [1, 3], [20, 0]], (4, 1, 1))  # the ends are the points 0 and 2
    keypoints = np.tile([[10.0, 5], [19, 1], [2, 0]], (4, 1, 1))
    keypoints[1, [1, 2]] = keypoints[0, [2, 1]]  # both keypoints at the ends are exchanged
    keypoints[2, 1] = (9, 0)  # one of them
    points[3, 2] = np.nan
    np.testing.assert_array_equal(exchanged_ends(keypoints, points), [0, 1, 0.5, np.nan])


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"fit": None, "groups": "points.csv"}, FormatError, "expected image and animal"),
        ({"images": "elsewhere"}, InputError, "correct `images`"),
        ({"group": "image", "fit": "four.txt"}, InputError, "4 groups of fitting images"),
    ],
)
def test_sets_that_cannot_be_used_are_refused(discs, change, error, message):
    (discs / "four.txt").write_text("".join(f"{n:02d}.png\n" for n in range(4)))
    given = read_comparison(discs / "settings.yaml").sets["discs"].model_dump()
    changed = {key: discs / value if value and key != "group" else value for key, value in change.items()}
    with pytest.raises(error, match=message):
        read_fitting(SetConfig(**(given | changed)))


def test_annotations_that_do_not_fit_their_images_are_refused(discs):
    given = read_comparison(discs / "settings.yaml").sets["discs"]
    points = (discs / "points.csv").read_text()
    (discs / "points.csv").write_text(points.replace("\n03.png,", "\n03.png,9"))
    with pytest.raises(FormatError, match=r"line 5: disc at x 9\d+, .* but the image is 40x30 pixels"):
        read_fitting(given)
    (discs / "points.csv").write_text(points.replace("\n03.png,", "\n./02.png,"))
    with pytest.raises(FormatError, match="line 5: 02.png is already on line 4"):
        read_fitting(given)
    marked = {"image_id": 1, "category_id": 1, "num_keypoints": 1, "keypoints": [5, 6, 2]}
    coco = {"images": [{"id": 1, "file_name": "00.png", "width": 80, "height": 60}], "annotations": [{"id": 1, **marked}]}
    coco["categories"] = [{"id": 1, "name": "disc", "keypoints": ["disc"]}]
    (discs / "points.json").write_text(json.dumps(coco))
    with pytest.raises(FormatError, match="state 80x60 pixels for 00.png, but the image has 40x30"):
        read_fitting(given.model_copy(update={"annotations": discs / "points.json", "fit": None}))


def test_an_interrupted_cell_reports_the_time_of_all_calls(discs, monkeypatch):
    interrupts = [True]

    def project(images, out, settings, **options):
        if settings.method == "imm" and interrupts:
            interrupts.pop()
            raise KeyboardInterrupt

    monkeypatch.setattr(run, "run_project", project)
    monkeypatch.setattr(run, "model_score", lambda *_: Score(floor_percent=10.0, error_percent=2.5, by_point={}))
    config, out = read_comparison(discs / "settings.yaml"), discs / "out"
    with pytest.raises(KeyboardInterrupt):
        run.compare(config, out, resolve_runtime("cpu"), lambda line: None)
    cell = out / "cells" / "discs" / "imm-short"
    assert json.loads((cell / "spent.json").read_text()).keys() == {"seconds", "cpu_seconds"}
    (cell / "spent.json").write_text('{"seconds": 3000, "cpu_seconds": 5000}')
    run.compare(config, out, resolve_runtime("cpu"), lambda line: None)
    row = json.loads((cell / "cell.json").read_text())
    assert 3000 <= row["seconds"] < 4000
    assert 5000 <= row["cpu_seconds"] < 6000


def test_sets_and_budgets_may_be_added_but_not_changed(discs, monkeypatch):
    monkeypatch.setattr(run, "run_project", lambda *_, **__: None)
    monkeypatch.setattr(run, "model_score", lambda *_: Score(floor_percent=10.0, error_percent=2.5, by_point={}))
    settings = discs / "settings.yaml"

    def compare(text):
        settings.write_text(text)
        return run.compare(read_comparison(settings), discs / "out", resolve_runtime("cpu"), lambda line: None).read_text()

    compare(SETTINGS)
    more = SETTINGS.replace("methods:", "  discs.whole: {images: images, annotations: points.csv}\nmethods:")
    more += "  long: {minutes: 9}\n"
    table = compare(more)
    assert "| imm | long | 0.25 (" in table
    assert "| discs | discs.whole |" in table
    assert "discs.whole" not in compare(SETTINGS)  # names may be left out again
    compare(more)
    for changed, message in (
        (more.replace("minutes: 3", "minutes: 4"), "budgets.short.minutes: 3.0 -> 4.0"),
        (more.replace(", fit: fit.txt", ""), r"sets.discs.fit: .*fit.txt -> None"),
    ):
        with pytest.raises(ConfigError, match=message):
            compare(changed)


def test_finished_cells_are_kept_and_failed_cells_are_not_run(discs, monkeypatch, capsys):
    trained = []

    def project(images, out, settings, **options):
        trained.append((settings.method, options["minutes"], options["overrides"]))
        assert options["orientation"] == "auto"
        if settings.method == "imm":
            raise TrainingError("the loss is not finite")

    monkeypatch.setattr(run, "run_project", project)
    score = Score(floor_percent=10.0, error_percent=2.5, by_point={"disc": 2.5})
    monkeypatch.setattr(run, "model_score", lambda *_: score)
    assert main([str(discs / "settings.yaml"), str(discs / "out"), "--device", "cpu"]) == 0
    printed = capsys.readouterr().out
    assert "discs imm short: failed: the loss is not finite" in printed
    assert "| mean shape, % of the side | |" in printed
    assert "| correspondence | short | 0.25 (" in printed
    assert "| imm | short | not run |" in printed
    assert trained == [("correspondence", 3.0, ()), ("imm", 3.0, ("refine.steps=2",))]
    table = (discs / "out" / "comparison.csv").read_text().splitlines()
    assert table[0].startswith("images,method,budget,share_of_floor")
    assert len(table) == 3
    run.compare(read_comparison(discs / "settings.yaml"), discs / "out", resolve_runtime("cpu"), lambda line: None)
    assert [method for method, *_ in trained] == ["correspondence", "imm", "imm"]


def test_a_budget_continues_the_project_of_the_budget_before(discs, monkeypatch):
    settings = SETTINGS.replace("methods: [correspondence, imm]", "methods: [imm]\ncontinues: true")
    (discs / "settings.yaml").write_text(settings.replace("{imm: [refine.steps=2]}}", "{}}\n  long: {minutes: 9}"))
    fails = [True, False]

    def project(images, out, settings, minutes, **options):
        if fails.pop(0) if fails else False:
            raise TrainingError("the loss is not finite")
        out.mkdir(parents=True, exist_ok=True)
        with open(out / "trained", "a") as file:
            file.write(f"{minutes:g} ")

    def score(project, *others):
        return Score(floor_percent=10.0, error_percent=float(len((project / "trained").read_text())), by_point={})

    monkeypatch.setattr(run, "run_project", project)
    monkeypatch.setattr(run, "model_score", score)
    config, out, lines = read_comparison(discs / "settings.yaml"), discs / "out", []
    run.compare(config, out, resolve_runtime("cpu"), lines.append)
    assert lines[1:] == [
        "discs imm short: failed: the loss is not finite",
        "discs imm long: waits for short, which it continues",
    ]
    cells = out / "cells" / "discs"
    (cells / "imm-long" / "copied").mkdir(parents=True)  # of an interrupted call
    run.compare(config, out, resolve_runtime("cpu"), lines.append)
    assert [(cells / f"imm-{name}" / "project" / "trained").read_text() for name in ("short", "long")] == ["3 ", "3 9 "]
    assert not (cells / "imm-long" / "copied").exists()
    rows = [json.loads((cells / f"imm-{name}" / "cell.json").read_text()) for name in ("short", "long")]
    assert [row["error_percent"] for row in rows] == [2, 4]
    assert rows[1]["cpu_seconds"] >= rows[0]["cpu_seconds"]


def test_bad_settings_are_refused_in_one_line(discs, capsys):
    (discs / "settings.yaml").write_text(SETTINGS.replace("methods: [", "methods: [magic, "))
    assert main([str(discs / "settings.yaml"), str(discs / "out")]) == 2
    assert "methods" in capsys.readouterr().err
    assert not (discs / "out").exists()


def test_keypoints_that_a_project_leaves_out_do_not_count(tmp_path, monkeypatch):
    class Three:
        skeleton = replace(Skeleton.plain(3), numbers=(0, 2), names=("a", "c"))

        def __call__(self, images):
            return np.arange(len(images) * 6).reshape(len(images), 3, 2), np.ones((len(images), 3))

    fitting = SimpleNamespace(images=lambda: [np.zeros((4, 5, 3), np.uint8)] * 2, names=("nose",))
    monkeypatch.setattr(score.Predictor, "load", lambda *_: Three())
    monkeypatch.setattr(score, "cross_validated", lambda features, *_: features)
    assert score.model_score(tmp_path, fitting, "cpu").tolist() == [[0, 1, 4, 5], [6, 7, 10, 11]]
