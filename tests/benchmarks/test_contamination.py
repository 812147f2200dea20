"""Whether a model's own record of real images holds test images."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.datasets.landmarks import LandmarkSet
from benchmarks.evaluation.contamination import check_contamination, mark_contaminated, refuse_contamination
from benchmarks.evaluation.evaluate import evaluate
from benchmarks.protocol.named import TOY
from kpdetect.errors import FormatError, InputError
from kpdetect.files.hashes import file_hash
from kpdetect.files.sources import read_sources, write_sources
from kpdetect.images.image_files import write_image
from kpdetect.skeleton import Skeleton

NAMES = ["a.png", "b.png", "c.png", "d.png"]


def landmark_set(folder: Path, names_identify: bool = True) -> LandmarkSet:
    """Four pictures with different bytes; a and b are fitted, c and d tested."""
    for value, name in enumerate(NAMES):
        write_image(folder / name, np.full((6, 9, 3), 50 * value, np.uint8))
    points = np.random.default_rng(0).normal(size=(4, 5, 2))
    return LandmarkSet(
        name="four",
        folder=folder,
        images=NAMES,
        sizes=np.array([[6, 9]] * 4),
        landmarks_px=points,
        fit=np.array([0, 1]),
        test=np.array([2, 3]),
        names_identify=names_identify,
    )


def test_clean(tmp_path: Path) -> None:
    data = landmark_set(tmp_path / "images")
    write_sources(tmp_path, [("train/x.png", "0" * 16), ("y.png", "1" * 16)])
    found = check_contamination(tmp_path, data)
    assert (found.status, str(found)) == ("clean", "clean")
    refuse_contamination(found, allowed=False)


def test_same_bytes_under_another_name(tmp_path: Path) -> None:
    data = landmark_set(tmp_path / "images", names_identify=False)
    write_sources(tmp_path, [("x.png", file_hash(data.path(3))), ("y.png", "1" * 16)])
    found = check_contamination(tmp_path, data)
    assert (found.status, found.test_images, str(found)) == ("contaminated", ("d.png",), "contaminated (1)")


def test_same_name_with_other_bytes(tmp_path: Path) -> None:
    write_sources(tmp_path, [("part/c.png", "0" * 16), ("d.png", "1" * 16)])
    found = check_contamination(tmp_path, landmark_set(tmp_path / "images"))
    assert found.test_images == ("c.png", "d.png")


def test_names_that_do_not_identify_pictures_are_not_compared(tmp_path: Path) -> None:
    write_sources(tmp_path, [("c.png", "0" * 16)])
    data = landmark_set(tmp_path / "images", names_identify=False)
    assert check_contamination(tmp_path, data).status == "clean"


def test_fitting_images_are_allowed_and_said(tmp_path: Path) -> None:
    data = landmark_set(tmp_path / "images")
    write_sources(tmp_path, [("a.png", file_hash(data.path(0))), ("b.png", "1" * 16)])
    found = check_contamination(tmp_path, data)
    assert (found.status, found.fit_images) == ("clean", 2)
    assert str(found) == "clean; saw 2 of the fitting images"


def test_no_record(tmp_path: Path) -> None:
    data = landmark_set(tmp_path / "images")
    for folder in (None, tmp_path):
        found = check_contamination(folder, data)
        assert str(found) == "unknown (no record)"
        refuse_contamination(found, allowed=False)


def test_refused_unless_allowed_and_then_marked(tmp_path: Path) -> None:
    data = landmark_set(tmp_path / "images")
    write_sources(tmp_path, [("c.png", "0" * 16)])
    found = check_contamination(tmp_path, data)
    with pytest.raises(InputError, match=r"1 of the test images, the first is c.png.*`allow_contaminated`"):
        refuse_contamination(found, allowed=False)
    refuse_contamination(found, allowed=True)
    predictions = Predicted(data)
    rows = [measured.row for measured in evaluate(predictions, data, TOY)]  # type: ignore[arg-type]
    marked = mark_contaminated(rows, found)
    assert {row.kind: "CONTAMINATED" in row.note for row in marked} == {"model": True, "floor": False, "baseline": False}


class Predicted:
    """Keypoints for the four pictures."""

    def __init__(self, data: LandmarkSet) -> None:
        self.images, self.sizes = data.images, data.sizes
        self.keypoints_px = np.random.default_rng(1).normal(size=(4, 3, 2))
        self.points = Skeleton.plain(3)


def test_damaged_record(tmp_path: Path) -> None:
    data = landmark_set(tmp_path / "images")
    (tmp_path / "sources.csv").write_text("name,hash\nc.png,00\n")
    with pytest.raises(FormatError, match="sources.csv: expected the columns image,sha256"):
        check_contamination(tmp_path, data)
    (tmp_path / "sources.csv").write_text("image,sha256\nc.png\n")
    with pytest.raises(FormatError, match="row 2: expected an image name and a sha256"):
        check_contamination(tmp_path, data)


def test_the_same_picture_in_another_file_format(tmp_path: Path) -> None:
    """CelebA comes as JPEG and as PNG; its lists name the JPEG files."""
    write_sources(tmp_path, [("part/c.jpg", "0" * 16), ("d.tiff", "1" * 16), ("cc.png", "2" * 16)])
    found = check_contamination(tmp_path, landmark_set(tmp_path / "images"))
    assert found.test_images == ("c.png", "d.png")


def test_a_record_that_a_spreadsheet_saved_is_still_the_record(tmp_path):
    (tmp_path / "sources.csv").write_bytes(b"\xef\xbb\xbfimage,sha256\r\na.png,0123456789abcdef\r\n")
    assert read_sources(tmp_path) == [("a.png", "0123456789abcdef")]
