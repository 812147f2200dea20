"""CUB on synthetic copies in the official format and in the format of Lorenz et al.'s release."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.datasets.cub import load_cub
from benchmarks.datasets.cub_aligned import load_cub_aligned
from benchmarks.evaluation.evaluate import evaluate
from benchmarks.evaluation.placed import place
from benchmarks.protocol.named import find_protocol
from kpdetect.errors import InputError, KpdetectError
from tests.builders.official import replace, write_cub, write_cub_aligned

ALL, SECOND, ALIGNED = (find_protocol(name) for name in ("cub-all", "cub-002", "cub-aligned"))
PARTS, BOXES, SPLIT = "parts/part_locs.txt", "bounding_boxes.txt", "train_test_split.txt"


def species(names: list[str]) -> set[int]:
    return {int(name[:3]) for name in names}


def test_all_species_and_one_of_three(tmp_path: Path) -> None:
    write_cub(tmp_path)
    found, second = load_cub(tmp_path, ALL), load_cub(tmp_path / "CUB_200_2011", SECOND)
    assert (len(found.fit), len(found.test)) == (8, 8)
    assert species([second.images[index] for index in second.fit]) == {1, 2, 3}
    assert species([second.images[index] for index in second.test]) == {2}
    assert (len(second.fit), len(second.test)) == (6, 2)
    assert (found.name, second.name) == ("cub-all", "cub-002")


def test_square_of_the_box_cut_off_at_the_border(tmp_path: Path) -> None:
    found = load_cub(write_cub(tmp_path), ALL)
    # The box 25, 15, 60 x 40 has its centre at 55, 35; a square of 60 from 25, 5 on lies inside of 120 x 90.
    assert found.regions is not None
    assert found.regions.boxes[0].tolist() == [25, 5, 60, 60]
    assert found.landmarks_px[0, 0] == pytest.approx([30 + 1 - 25, 20 - 5])
    assert found.to_file_px(found.landmarks_px[:1], np.array([0]))[0, 0] == pytest.approx([31, 20])
    replace(tmp_path / "CUB_200_2011" / BOXES, "1 25.0 15.0 60.0 40.0", "1 1.0 15.0 60.0 40.0")
    replace(tmp_path / "CUB_200_2011" / BOXES, "2 25.0 15.0 60.0 40.0", "2 80.0 60.0 40.0 30.0")
    moved = load_cub(tmp_path, ALL)
    assert moved.regions is not None
    assert moved.regions.boxes[:2].tolist() == [[1, 5, 60, 60], [80, 55, 40, 35]]
    assert moved.image(1).shape == (35, 40, 3)


def test_hidden_parts_do_not_count_and_the_edge_is_the_unit(tmp_path: Path) -> None:
    found = load_cub(write_cub(tmp_path), ALL)
    assert np.isnan(found.landmarks_px[0, 14]).all()
    assert not np.isnan(found.landmarks_px[1, 14]).any()
    placed = place(found, ALL, ALL.headline)
    assert placed.unit == pytest.approx([128.0] * 8)
    # A point of the 60-pixel square 6 pixels off is 10 % of the edge off.
    off = np.nan_to_num(placed.test) + [6 * 128 / 60, 0]
    assert placed.measure(off).score.mean_of_ratios == pytest.approx(10.0)
    assert evaluate(None, found, ALL)[0].row.per_point["throat"] > 0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        (PARTS, "1 2 34.0", "1 1 34.0", r"part_locs.txt, line 2: part 1 of image 1 is already on line 1; remove one"),
        (PARTS, "1 2 34.0", "1 16 34.0", r"line 2: part 16, visible 1; expected part 1 to 15"),
        (PARTS, "1 2 34.0 34.0 1\n", "1 2 34.0 34.0 2\n", r"line 2: part 2, visible 2; expected"),
        (PARTS, "1 2 34.0 34.0 1\n", "1 2 34.0 nan 1\n", r"line 2: a value that is not finite"),
        (PARTS, "1 2 34.0 34.0 1\n", "1 2 34.0 1\n", r"line 2: expected 4 numbers, got 3"),
        (PARTS, "1 2 34.0 34.0 1\n", "", r"part_locs.txt, line 14: image 1 lacks part 2"),
        (
            PARTS,
            "1 2 34.0 34.0 1\n",
            "1 2 34.0 334.0 1\n",
            r"part_locs.txt, line 1: beak at x 34, y 334, but the image is 120x90",
        ),
        (BOXES, "2 25.0 15.0 60.0 40.0", "2 25.0 15.0 0.0 40.0", r"bounding_boxes.txt, line 2: the box of image 2 has no area"),
        (BOXES, "2 25.0 15.0 60.0 40.0", "2 225.0 15.0 60.0 40.0", r"line 16: the box lies outside of the image"),
        (BOXES, "3 25.0 15.0 60.0 40.0\n", "", r"no box for 1 listed images, the first is 3"),
        (SPLIT, "2 0", "2 2", r"train_test_split.txt, line 2: image 2 is 2; expected 1 \(training\) or 0"),
        (SPLIT, "2 0\n", "1 0\n", r"line 2: 1 is listed twice, first on line 1"),
        ("images.txt", "3 001.", "2 001.", r"images.txt, line 3: 2 is listed twice"),
        ("images.txt", "3 001.", "3 One.", r"images.txt, line 3: .*expected `id NNN.Species/name.jpg`"),
        (
            "images.txt",
            "1_0003.jpg",
            "1_0033.jpg",
            r"1 listed images are missing, the first is 001.Species_1/Species_1_0033.jpg",
        ),
    ],
)
def test_faults_are_named_by_file_and_line(tmp_path: Path, file: str, old: str, new: str, message: str) -> None:
    replace(write_cub(tmp_path) / file, old, new)
    with pytest.raises(KpdetectError, match=message) as caught:
        load_cub(tmp_path, ALL)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    (write_cub(tmp_path) / PARTS).unlink()
    with pytest.raises(InputError, match=r"no parts/part_locs.txt; expected the official layout"):
        load_cub(tmp_path, ALL)


def test_aligned_birds_are_whole_images(tmp_path: Path) -> None:
    found = load_cub_aligned(write_cub_aligned(tmp_path), ALIGNED)
    assert (len(found.fit), len(found.test)) == (6, 3)
    assert found.regions is None
    assert found.landmarks_px[2, 1] == pytest.approx([(0.1 + 0.05 + 0.02) * 60, (0.2 + 0.04 * 4) * 50])
    assert np.isnan(found.landmarks_px[1, 14]).all()
    assert found.images[-1] == "images/test/00002.png"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda values: values[:-1], r"train_kp.npy: array of \(5, 15, 3\); expected \(6, 15, 3\)"),
        (lambda values: np.where(values == 1, np.nan, values), r"train_kp.npy, entry 0: visible is not 0 or 1"),
        (lambda values: values * [300, 300, 1], r"train_kp.npy, entry 0: .*not within 0 and 1"),
    ],
)
def test_faults_of_aligned_birds(tmp_path: Path, change: object, message: str) -> None:
    path = write_cub_aligned(tmp_path) / "train_kp.npy"
    np.save(path, change(np.load(path)))  # type: ignore[operator]
    with pytest.raises(KpdetectError, match=message):
        load_cub_aligned(tmp_path, ALIGNED)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("fname,", "name,", r"train.csv, line 1: no column fname"),
        ("1,images", "images", r"train.csv, line 3: 3 values for 4 columns"),
        ("train/00001", "train/00000", r"train.csv, line 3: images/train/00000.png is already at .*line 2"),
    ],
)
def test_faults_of_the_list_of_aligned_birds(tmp_path: Path, old: str, new: str, message: str) -> None:
    replace(write_cub_aligned(tmp_path) / "train.csv", old, new)
    with pytest.raises(KpdetectError, match=message):
        load_cub_aligned(tmp_path, ALIGNED)
