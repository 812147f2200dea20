"""MTFL-AFLW and 300-W on synthetic copies in their official formats."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.datasets.ibug import load_300w, read_pts
from benchmarks.datasets.mtfl_aflw import load_mtfl_aflw
from benchmarks.evaluation.placed import place
from benchmarks.protocol.faces import FACES_300W, FACES_300W_CHALLENGING, FACES_300W_COMMON, MTFL_AFLW
from kpdetect.errors import InputError, KpdetectError
from tests.builders.official import FACE, ibug_points, replace, write_300w, write_mtfl


def test_mtfl_fits_crops_around_the_face_and_tests_whole_aflw_crops(tmp_path: Path) -> None:
    found = load_mtfl_aflw(write_mtfl(tmp_path), MTFL_AFLW)
    assert [found.images[index] for index in found.test] == [f"AFLW/{number:04d}-image.jpg" for number in range(3)]
    assert len(found.fit) == 6
    assert found.images[0] == "lfw_5590/0000-image.jpg"
    assert found.file_sizes[0].tolist() == [110, 90]
    # The points span 30 x 36, so that the square has a side of 90, give or take 20 %; its centre is within 7 % of 45.75, 58.75.
    assert found.regions is not None
    left, top, side, height = found.regions.boxes[0]
    assert side == height
    assert 72 <= side <= 108
    assert np.abs([left + side / 2 - 45.75, top + side / 2 - 58.75]).max() <= 0.07 * side + 0.5
    assert len(set(found.sizes[found.fit, 0].tolist())) > 1
    assert found.sizes[found.test].tolist() == [[140, 150]] * 3
    assert found.landmarks_px[found.test[0]] == pytest.approx(FACE + 0.25)
    assert found.to_file_px(found.landmarks_px[:1], np.array([0]))[0] == pytest.approx(FACE + 0.25)  # the list counts from 1
    assert found.name == "mtfl-aflw-mini"
    assert found.image(0).shape == (side, side, 3)


def test_the_folder_above_mtfl_will_do(tmp_path: Path) -> None:
    write_mtfl(tmp_path / "MTFL")
    assert len(load_mtfl_aflw(tmp_path, MTFL_AFLW).images) == 9


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        ("training.txt", " 1 2 2 3\n", " 1 2 2\n", r"training.txt, line 1: expected 14 numbers, got 13"),
        ("testing.txt", "31.250000", "nan", r"testing.txt, line 1: a value that is not finite"),
        ("testing.txt", "31.250000", "here", r"testing.txt, line 1: could not convert string to float: 'here'"),
        (
            "testing.txt",
            "31.250000",
            "531.250000",
            r"testing.txt, line 1: left_eye at x 530.25, y 40.25, but the image is 150x140",
        ),
        ("training.txt", "0001-image", "0000-image", r"training.txt, line 2: lfw_5590/0000-image.jpg is already at .*line 1"),
        ("training.txt", "0001-image", "0009-image", r"1 listed images are missing, the first is lfw_5590/0009-image.jpg"),
    ],
)
def test_faults_of_mtfl_are_named_by_line(tmp_path: Path, file: str, old: str, new: str, message: str) -> None:
    replace(write_mtfl(tmp_path) / file, old, new)
    with pytest.raises(KpdetectError, match=message):
        load_mtfl_aflw(tmp_path, MTFL_AFLW)


def test_mtfl_written_as_pairs_is_noticed(tmp_path: Path) -> None:
    for name in ("training.txt", "testing.txt"):
        path = write_mtfl(tmp_path) / name if name == "training.txt" else tmp_path / name
        lines = []
        for line in path.read_text().splitlines():
            image, *words = line.split()
            pairs = [words[place] for number in range(5) for place in (number, number + 5)]
            lines.append(" ".join([image, *pairs, *words[10:]]))
        path.write_text("\n".join(lines) + "\n")
    with pytest.raises(KpdetectError, match=r"training.txt, line 1: left_eye and right_eye are further apart in y"):
        load_mtfl_aflw(tmp_path, MTFL_AFLW)


def test_300w_splits(tmp_path: Path) -> None:
    write_300w(tmp_path)
    full, common, hard = (load_300w(tmp_path, each) for each in (FACES_300W, FACES_300W_COMMON, FACES_300W_CHALLENGING))
    folders = [[{image.rpartition("/")[0] for image in np.array(each.images)[part]} for part in (each.fit, each.test)]
               for each in (full, common, hard)]  # fmt: skip
    fitted = {"afw", "helen/trainset", "lfpw/trainset"}
    assert folders[0] == [fitted, {"helen/testset", "lfpw/testset", "ibug"}]
    assert folders[1] == [fitted, {"helen/testset", "lfpw/testset"}]
    assert folders[2] == [fitted, {"ibug"}]
    assert (full.name, hard.name) == ("300w-mini", "300w-challenging-mini")
    assert "not 300-W: 9 fitting and 3 test images instead of 3,148 and 135" in hard.notes


def test_300w_counts_from_one_and_divides_by_the_outer_eye_corners(tmp_path: Path) -> None:
    found = load_300w(write_300w(tmp_path), FACES_300W)
    assert read_pts(tmp_path / "afw" / "image_0001.pts", 68) == pytest.approx(ibug_points(1), abs=1e-5)
    assert found.to_file_px(found.landmarks_px[[1]], np.array([1]))[0] == pytest.approx(ibug_points(1), abs=1e-5)
    # Points span 60 x 40, so the square has a side of 60 * 100 / 52; stretched to 128 the eyes, 40 apart, are 40 / 115 of it.
    assert found.sizes[0].tolist() == [115, 115]
    assert place(found, FACES_300W, FACES_300W.headline).unit == pytest.approx([40 * 128 / 115] * 9, abs=1e-4)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("n_points:  68", "n_points:  67", r"line 2: 'n_points: 67'; expected 68 points"),
        ("version: 1\nn_points:  68\n{", "version: 1\nn_points:  68\n{\n1 2", r"image_0000.pts: 69 points; expected 68"),
        ("\n}", "", r"image_0000.pts: expected the points between one \{ and one \}; download the file again"),
        ("{\n91.000000", "{\nnan", r"image_0000.pts, line 4: a value that is not finite"),
        ("{\n91.000000 71.000000", "{\n91.000000", r"image_0000.pts, line 4: expected 2 numbers, got 1"),
        ("{\n91.000000", "{\n991.000000", r"image_0000.pts: point_1 at x 990, y 70, but the image is 130x150"),
    ],
)
def test_faults_of_points_are_named_by_file_and_line(tmp_path: Path, old: str, new: str, message: str) -> None:
    replace(write_300w(tmp_path) / "afw" / "image_0000.pts", old, new)
    with pytest.raises(KpdetectError, match=message):
        load_300w(tmp_path, FACES_300W)


def test_missing_parts_of_300w_are_named(tmp_path: Path) -> None:
    (write_300w(tmp_path) / "ibug" / "image_0001.jpg").unlink()
    with pytest.raises(InputError, match=r"ibug/image_0001.pts: no image image_0001.jpg or image_0001.png next to it"):
        load_300w(tmp_path, FACES_300W)
    for path in (tmp_path / "afw").glob("*.pts"):
        path.unlink()
    with pytest.raises(InputError, match=r"afw: no .pts files; expected the folders afw, helen/trainset"):
        load_300w(tmp_path, FACES_300W)
