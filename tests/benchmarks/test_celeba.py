"""Reading CelebA with the MAFL lists: small synthetic copies in the official format, whole, half size, and broken."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.datasets.celeba import load_mafl
from benchmarks.datasets.landmarks import LandmarkSet
from benchmarks.evaluation.evaluate import evaluate
from benchmarks.protocol.named import MAFL_ALIGNED
from kpdetect.errors import FormatError, InputError
from kpdetect.images.image_files import write_image
from tests.builders.celeba import FIT, TABLE, TEST, TRAINING, write_copy


def names(landmark_set: LandmarkSet, indices: np.ndarray) -> list[str]:
    return [landmark_set.images[index] for index in indices]


def test_official_copy(tmp_path: Path) -> None:
    found = load_mafl(write_copy(tmp_path), MAFL_ALIGNED)
    assert names(found, found.fit) == FIT
    assert names(found, found.test) == TEST
    assert found.landmarks_px[found.test[1]].tolist() == [[68, 113], [110, 111], [97, 139], [66, 152], [109, 150]]
    assert found.sizes.tolist() == [[218, 178]] * 4
    assert found.name == "mafl-mini"
    assert found.notes == ("not MAFL: 2 fitting and 2 test images instead of 19,000 and 1,000",)
    assert sorted(found.lists) == ["testing", "training"]


def test_half_size_copy(tmp_path: Path) -> None:
    found = load_mafl(write_copy(tmp_path, size=(109, 89)), MAFL_ALIGNED)
    # (68 + 0.5) / 2 - 0.5 and (113 + 0.5) / 2 - 0.5
    assert found.landmarks_px[found.test[1]][0] == pytest.approx([33.75, 56.25])
    assert found.sizes.tolist() == [[109, 89]] * 4
    assert "resized copy: images of 89x109 pixels" in found.notes


def test_whole_and_half_size_copies_have_the_same_floor(tmp_path: Path) -> None:
    whole, half = (
        load_mafl(write_copy(tmp_path / "a"), MAFL_ALIGNED),
        load_mafl(write_copy(tmp_path / "b", size=(109, 89)), MAFL_ALIGNED),
    )
    for first, second in zip(evaluate(None, whole, MAFL_ALIGNED), evaluate(None, half, MAFL_ALIGNED), strict=True):
        assert first.row.mean_of_ratios > 1
        assert second.row.mean_of_ratios == pytest.approx(first.row.mean_of_ratios)


def test_folders_as_downloaded(tmp_path: Path) -> None:
    write_copy(tmp_path)
    (tmp_path / "Img").mkdir()
    (tmp_path / "Anno").mkdir()
    (tmp_path / "img_align_celeba").rename(tmp_path / "Img" / "img_align_celeba")
    (tmp_path / TABLE).rename(tmp_path / "Anno" / TABLE)
    assert len(load_mafl(tmp_path, MAFL_ALIGNED).images) == 4


def replace(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        (TABLE, "4\n", "5\n", r"line 1: announces 5 images, but the table has 4"),
        (TABLE, "4\n", "four\n", r"line 1: expected the number of images, got 'four'"),
        (TABLE, " 107 150", " 107", r"line 4: expected a name and 10 numbers, got 9"),
        (TABLE, "109 150", "nan 150", r"line 5, 000009.jpg: a value that is not finite"),
        (TABLE, "109 150", "109 inf", r"line 5, 000009.jpg: a value that is not finite"),
        (TABLE, "109 150", "109 x150", r"line 5, 000009.jpg: could not convert string to float: 'x150'"),
        (TABLE, "000031.jpg", "000005.jpg", r"line 6: 000005.jpg is listed twice"),
        (TABLE, "000031.jpg", "000032.jpg", r"no landmarks for 1 listed images, the first is 000031.jpg"),
        (TRAINING, "000002.jpg", "000005.jpg", r"training.txt, line 2: 000005.jpg is already on line 1"),
        (TRAINING, "000002.jpg", "000002.jpg 1", r"training.txt, line 2: expected one image name, got 2 words"),
    ],
)
def test_damaged_files_are_named_with_their_line(tmp_path: Path, file: str, old: str, new: str, message: str) -> None:
    replace(write_copy(tmp_path) / file, old, new)
    with pytest.raises(FormatError, match=message) as caught:
        load_mafl(tmp_path, MAFL_ALIGNED)
    assert str(tmp_path / file) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_empty_list(tmp_path: Path) -> None:
    (write_copy(tmp_path) / TRAINING).write_text("\n\n")
    with pytest.raises(FormatError, match=r"training.txt: no names"):
        load_mafl(tmp_path, MAFL_ALIGNED)


def test_binary_file_instead_of_a_list(tmp_path: Path) -> None:
    (write_copy(tmp_path) / TRAINING).write_bytes(b"\xff\xfe\x00\x80")
    with pytest.raises(FormatError, match=r"training.txt: not a readable text file"):
        load_mafl(tmp_path, MAFL_ALIGNED)


def test_image_in_both_lists(tmp_path: Path) -> None:
    replace(write_copy(tmp_path) / TRAINING, "000002.jpg", "000009.jpg")
    with pytest.raises(InputError, match="1 images are fitting and test images"):
        load_mafl(tmp_path, MAFL_ALIGNED)


def test_missing_image(tmp_path: Path) -> None:
    (write_copy(tmp_path) / "img_align_celeba" / "000009.jpg").unlink()
    with pytest.raises(InputError, match=r"1 listed images are missing, the first is 000009.jpg"):
        load_mafl(tmp_path, MAFL_ALIGNED)


def test_cropped_images_are_refused(tmp_path: Path) -> None:
    write_copy(tmp_path)
    write_image(tmp_path / "img_align_celeba" / "000009.jpg", np.zeros((178, 178, 3), np.uint8))
    with pytest.raises(InputError, match=r"000009.jpg: 178x178 pixels; expected 178x218"):
        load_mafl(tmp_path, MAFL_ALIGNED)


@pytest.mark.parametrize("name", [TABLE, TRAINING, "MAFL/testing.txt"])
def test_missing_file(tmp_path: Path, name: str) -> None:
    (write_copy(tmp_path) / name).unlink()
    with pytest.raises(InputError, match=name):
        load_mafl(tmp_path, MAFL_ALIGNED)


def test_swapped_columns_are_named(tmp_path: Path) -> None:
    path = write_copy(tmp_path) / TABLE
    lines = path.read_text().splitlines()
    for row in range(2, len(lines)):
        name, *values = lines[row].split()
        lines[row] = " ".join([name, *(values[place + 1 - 2 * (place % 2)] for place in range(10))])
    path.write_text("\n".join(lines) + "\n")
    with pytest.raises(FormatError, match=r"line 4: left_eye and right_eye are further apart in y than in x .*swapped"):
        load_mafl(tmp_path, MAFL_ALIGNED)
