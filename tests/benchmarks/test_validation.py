"""The validation of the verdict: true errors, rank correlations, and the command on detectors whose answer is known."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from benchmarks.validation.__main__ import main
from benchmarks.validation.correlations import combined, correlations
from benchmarks.validation.truth import measure_truth
from kpdetect.images.image_files import write_image
from kpdetect.skeleton import Skeleton


def test_truth_of_keypoints_that_know_one_landmark_of_two() -> None:
    source = np.random.default_rng(0)
    landmarks = source.normal(size=(200, 2, 2)) * 3
    keypoints = np.stack([landmarks[:, 0, ::-1] + 5, source.normal(size=(200, 2))], axis=1)  # the second is noise
    truth = measure_truth(keypoints, landmarks, np.arange(200))
    assert truth.share == pytest.approx(0.5, abs=0.07)
    assert truth.unexplained == pytest.approx([0.0, 1.0], abs=0.1)
    landmarks[:40, 1] = np.nan  # hidden in some images; a landmark without any position is left out
    hidden = np.concatenate([landmarks, np.full((200, 1, 2), np.nan)], axis=1)
    assert measure_truth(keypoints, hidden, np.arange(200) // 4).share == pytest.approx(0.45, abs=0.1)


def test_correlations_within_categories_and_with_one_left_out() -> None:
    table = pd.DataFrame({"category": ["a"] * 4 + ["b"] * 4 + ["c"], "share": [1, 2, 3, 4, 11, 12, 13, 14, 0.0]})
    table["score"] = [4, 3, 2, 1, 1, 2, 3, 4, 9.0]
    found = correlations(table, "share", ["score"]).loc["score"]
    assert (found["a"], found["b"]) == (-1.0, 1.0)
    assert np.isnan(found["c"])
    assert found["left out"] == pytest.approx(table[table.category != "a"].score.corr(table.share, method="spearman"))
    table["confidence"] = 100 - table["share"]
    table["noise"] = table["images explained"] = table["joint movements in bits"] = 1.0
    both = combined(table, "share")
    assert both["score and confidence, fitted"].tolist() == pytest.approx(table["share"].tolist())


@pytest.fixture
def spots(tmp_path, monkeypatch):
    """A table of two detectors of a spot in 24 images, 50 wide and 30 high: one finds it, the other one finds nothing."""
    source, folder = np.random.default_rng(0), tmp_path / "images"
    folder.mkdir()
    lines = ["image,spot_x,spot_y,blind_x,blind_y"]
    for number in range(24):
        row, column = source.integers(8, 22), source.integers(12, 38)
        image = np.zeros((30, 50, 3), np.uint8)
        image[row - 2 : row + 3, column - 2 : column + 3] = 90
        image[row, column] = 255
        write_image(folder / f"{number:02d}.png", image)
        lines.append(f"{number:02d}.png,{column},{row},,")
    (tmp_path / "points.csv").write_text("\n".join(lines))
    (tmp_path / "groups.csv").write_text("image,who\n" + "\n".join(f"{number:02d}.png,p{number // 2}" for number in range(24)))
    header = "category,detector,images,annotations,groups\n"
    rest = f"{folder},{tmp_path / 'points.csv'},{tmp_path / 'groups.csv'}:who"
    (tmp_path / "table.csv").write_text(f"{header}spots,good,{rest}\nspots,blind,{rest}\n")

    def load(path, device):
        def find(images):
            seen = [np.unravel_index(image[..., 0].argmax(), image.shape[:2])[::-1] for image in images]
            keypoints = np.array(seen, np.float64)[:, None] if path.name == "good" else np.full((len(images), 1, 2), 9.0)
            loads.append(path.name)
            return keypoints, np.ones((len(images), 1))

        find.skeleton, find.hash = Skeleton.plain(1), path.name
        return find

    loads: list[str] = []
    monkeypatch.setattr("benchmarks.validation.measurement.Predictor", SimpleNamespace(load=load))
    monkeypatch.setattr("benchmarks.validation.measurement.code_commit", lambda: "c0ffee")
    return tmp_path, loads


def test_the_command_measures_once_and_writes_tables(spots, capsys, monkeypatch) -> None:
    folder, loads = spots
    arguments = [str(folder / "table.csv"), "--out", str(folder / "out")]
    assert main(arguments) == 0
    detectors = pd.read_csv(folder / "out" / "detectors.csv").set_index("detector")
    assert detectors.loc["good", "share"] < 0.01
    assert detectors.loc["blind", "share"] == pytest.approx(1.0, abs=0.01)
    assert detectors.loc["good", "score"] > 0.6  # of 0.71: one keypoint shows two movements
    assert detectors.loc["blind", "score"] == 0
    assert pd.read_csv(folder / "out" / "keypoints.csv")["state"].tolist() == ["steady", "still"]
    assert "2 detectors, 2 keypoints" in capsys.readouterr().out
    loads.clear()
    assert main(arguments) == 0
    assert loads == []  # both lines were measured before

    (folder / "groups.csv").write_text((folder / "groups.csv").read_text().replace(",p0", ",p1"))
    assert main(arguments) == 0
    assert {*loads} == {"good", "blind"}
    loads.clear()
    monkeypatch.setattr("benchmarks.validation.measurement.code_commit", lambda: "c0ffee+")
    assert main(arguments) == 0
    assert {*loads} == {"good", "blind"}  # changed code has no hash
    loads.clear()
    text = (folder / "table.csv").read_text()
    (folder / "table.csv").write_text(text.replace("groups.csv:who", "groups.csv:whom"))
    assert main(arguments) == 2
    assert "groups.csv, line 1: got columns image, who, expected image and whom" in capsys.readouterr().err

    (folder / "table.csv").write_text("category,detector,images\na,b,c\n")
    assert main(arguments) == 2
    assert "line 2: no annotations; expected values for category, detector, images, annotations" in capsys.readouterr().err
