"""CelebA in the wild: which faces count, resized copies, and faults named by file and line."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.datasets.celeba_wild import load_celeba_wild
from benchmarks.evaluation.evaluate import evaluate
from benchmarks.protocol.faces import CELEBA_WILD
from kpdetect.errors import InputError, KpdetectError
from tests.builders.official import FACE, picture, replace, write_celeba_wild

TABLE, BOXES, SIZES = "list_landmarks_celeba.txt", "list_bbox_celeba.txt", "list_imsize_celeba.txt"
PARTITION = "list_eval_partition.txt"


def test_large_faces_of_the_lists_in_official_pixels(tmp_path: Path) -> None:
    found = load_celeba_wild(write_celeba_wild(tmp_path), CELEBA_WILD)
    # Boxes of 50 x 78 are over 30 % of 100 x 120 to 102 x 124, boxes of 40 x 50 (numbers 0 and 4) are not.
    assert [found.images[index] for index in found.fit] == [f"{number:06d}.jpg" for number in (2, 3, 4, 6)]
    assert [found.images[index] for index in found.test] == ["000007.jpg", "000008.jpg"]
    assert found.landmarks_px[found.fit[0]] == pytest.approx(FACE + [1, 1])
    assert found.sizes[found.fit[0]].tolist() == [122, 101]
    assert found.name == "celeba-wild-mini"
    assert "faces covering at least 30% of the image: 6 of 8 listed" in found.notes
    assert any(note.startswith("1 test images are in CelebA's official training part") for note in found.notes)


@pytest.mark.parametrize(("height", "kept"), [(72, True), (71, False)])
def test_exactly_30_percent_counts(tmp_path: Path, height: int, kept: bool) -> None:
    replace(write_celeba_wild(tmp_path) / BOXES, "000004.jpg    10 12 50 78", f"000004.jpg    10 12 50 {height}")
    found = load_celeba_wild(tmp_path, CELEBA_WILD)  # 50 x 72 of 100 x 120 is 0.3 exactly
    assert ("000004.jpg" in found.images) is kept


def test_resized_and_stretched_copies_have_the_same_floor(tmp_path: Path) -> None:
    official = load_celeba_wild(write_celeba_wild(tmp_path / "a"), CELEBA_WILD)
    half = load_celeba_wild(write_celeba_wild(tmp_path / "b", scale=0.5, list_sizes=True), CELEBA_WILD)
    square = load_celeba_wild(write_celeba_wild(tmp_path / "c", stretch=(64, 64), list_sizes=True), CELEBA_WILD)
    assert half.images == square.images == official.images
    # (31 + 0.5) * 50 / 101 - 0.5 and (41 + 0.5) * 61 / 122 - 0.5: 101 x 122 became 50 x 61.
    assert half.landmarks_px[half.fit[0], 0] == pytest.approx([31.5 * 50 / 101 - 0.5, 41.5 / 2 - 0.5])
    assert any("resized copy" in note for note in half.notes)
    for first, second, third in zip(*(evaluate(None, each, CELEBA_WILD) for each in (official, half, square)), strict=True):
        assert first.row.mean_of_ratios > 1
        assert second.row.mean_of_ratios == pytest.approx(first.row.mean_of_ratios)
        assert third.row.mean_of_ratios == pytest.approx(first.row.mean_of_ratios)


def test_a_resized_copy_without_the_list_of_sizes_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        InputError,
        match=r"list_landmarks_celeba.txt, line 3: a landmark of 000001.jpg .*for a resized copy add list_imsize_celeba.txt",
    ):
        load_celeba_wild(write_celeba_wild(tmp_path, scale=0.5), CELEBA_WILD)


def test_a_list_of_sizes_with_the_width_first_is_noticed(tmp_path: Path) -> None:
    path = write_celeba_wild(tmp_path, list_sizes=True) / SIZES
    path.write_text("".join(f"{name} 70 120\n" for name in [line.split()[0] for line in path.read_text().splitlines()]))
    with pytest.raises(InputError, match=r"line 3: a landmark of 000001.jpg is outside .* height comes before width"):
        load_celeba_wild(tmp_path, CELEBA_WILD)


def test_cropped_images_are_refused(tmp_path: Path) -> None:
    write_celeba_wild(tmp_path, list_sizes=True)
    picture(tmp_path / "img_celeba" / "000006.jpg", (80, 101))
    with pytest.raises(InputError, match=r"000006.jpg: 101x80 pixels; expected 102x124 or a resized copy"):
        load_celeba_wild(tmp_path, CELEBA_WILD)


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        (TABLE, "8\n", "9\n", r"celeba.txt, line 1: announces 9 images, but the table has 8"),
        (TABLE, "000002.jpg 31 41", "000002.jpg 31", r"line 4: expected a name and 10 numbers, got 9"),
        (TABLE, "000002.jpg 31 41", "000002.jpg nan 41", r"line 4, 000002.jpg: a value that is not finite"),
        (TABLE, "000002.jpg 31 41", "000002.jpg 31 410", r"line 4: left_eye at x 31, y 410, but the image is 101x122"),
        (TABLE, "000003.jpg", "000002.jpg", r"line 5: 000002.jpg is listed twice"),
        (TABLE, "000003.jpg", "000099.jpg", r"no landmarks for 1 listed images, the first is 000003.jpg"),
        (BOXES, "000002.jpg    10 12 50 78", "000002.jpg    10 12 50", r"line 4: expected a name and 4 numbers, got 3"),
        (BOXES, "000002.jpg    10 12 50 78", "000002.jpg    10 12 -50 78", r"line 4: 000002.jpg has a box of negative size"),
        (BOXES, "000002.jpg", "000099.jpg", r"no box for 1 listed images, the first is 000002.jpg"),
        (PARTITION, "000003.jpg 2", "000003.jpg 3", r"line 3: '000003.jpg 3'; expected an image name and 0, 1 or 2"),
        (PARTITION, "000003.jpg", "000002.jpg", r"line 3: 000002.jpg is listed twice"),
        (SIZES, "000002.jpg 122 101", "000002.jpg 122", r"imsize_celeba.txt, line 2: expected 2 numbers, got 1"),
        (SIZES, "000002.jpg 122 101", "000002.jpg 122 0", r"line 2: 000002.jpg has a side below 1 pixel"),
        (SIZES, "000002.jpg", "000099.jpg", r"no size for 1 listed images, the first is 000002.jpg"),
        ("MAFL/training.txt", "000002.jpg", "000001.jpg", r"training.txt, line 2: 000001.jpg is already on line 1"),
    ],
)
def test_damaged_files_are_named_with_their_line(tmp_path: Path, file: str, old: str, new: str, message: str) -> None:
    replace(write_celeba_wild(tmp_path, list_sizes=True) / file, old, new)
    with pytest.raises(KpdetectError, match=message) as caught:
        load_celeba_wild(tmp_path, CELEBA_WILD)
    assert str(tmp_path / file) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_swapped_columns_are_named(tmp_path: Path) -> None:
    path = write_celeba_wild(tmp_path) / TABLE
    lines = path.read_text().splitlines()
    for row in range(2, len(lines)):
        name, *values = lines[row].split()
        swapped = [values[place + 1 - 2 * (place % 2)] for place in range(10)]
        lines[row] = " ".join([name, *swapped])
    path.write_text("\n".join(lines) + "\n")
    with pytest.raises(KpdetectError, match=r"line 3: left_eye and right_eye are further apart in y .* are columns swapped"):
        load_celeba_wild(tmp_path, CELEBA_WILD)


@pytest.mark.parametrize("name", [TABLE, BOXES, "MAFL/training.txt", "MAFL/testing.txt", "img_celeba/000006.jpg"])
def test_missing_files_are_named(tmp_path: Path, name: str) -> None:
    (write_celeba_wild(tmp_path, list_sizes=True) / name).unlink()
    with pytest.raises(InputError, match=Path(name).name):
        load_celeba_wild(tmp_path, CELEBA_WILD)


def test_the_partition_is_optional(tmp_path: Path) -> None:
    (write_celeba_wild(tmp_path) / PARTITION).unlink()
    assert not any("training part" in note for note in load_celeba_wild(tmp_path, CELEBA_WILD).notes)
