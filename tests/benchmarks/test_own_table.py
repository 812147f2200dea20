"""The benchmark of one's own annotations: split, unit, name of the result, and what cannot be measured."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.benchmarking.benchmark import benchmark
from benchmarks.datasets.own_table import TableOptions, load_table
from benchmarks.evaluation.placed import place
from benchmarks.evaluation.results import errors_path
from benchmarks.tables.table import Measurement, tables
from benchmarks.tables.table_files import make_table
from kpdetect.errors import FormatError, InputError
from kpdetect.images.image_files import write_image
from tests.builders.annotations import written


def annotated_folder(folder: Path, count: int = 10, extra: str = "") -> Path:
    """Images 40 wide and 30 high, with three points that move together; returns the table."""
    lines = ["image,a_x,a_y,b_x,b_y,c_x,c_y" + (",split" if extra else "")]
    for number in range(count):
        name = f"{number:02d}.png"
        write_image(folder / "images" / name, np.zeros((30, 40, 3), np.uint8))
        x = 5 + number
        part = ",test" if number % 2 else ",train"
        lines.append(f"{name},{x},5,{x + 3},9,{x + 10},{20}" + (part if extra else ""))
    return written(folder, "mine.csv", "\n".join(lines) + "\n")


def test_split_of_a_table_by_rule_column_and_lists(tmp_path: Path) -> None:
    table = annotated_folder(tmp_path)
    _, found = load_table(table, tmp_path / "images", TableOptions())
    assert [found.images[index] for index in found.fit] == [f"{number:02d}.png" for number in (0, 1, 2, 5, 6, 7)]
    assert [found.images[index] for index in found.test] == ["04.png", "09.png"]
    fit, test = written(tmp_path, "fit.txt", "03.png\n01.png\n"), written(tmp_path, "test.txt", "08.png\n")
    _, found = load_table(table, tmp_path / "images", TableOptions(fit=fit, test=test))
    assert [found.images[index] for index in found.fit] == ["03.png", "01.png"]
    assert found.landmarks_px[found.test[0], 0] == pytest.approx([13, 5])
    _, found = load_table(annotated_folder(tmp_path, extra="split"), tmp_path / "images", TableOptions())
    assert [found.images[index] for index in found.test] == [f"{number:02d}.png" for number in (1, 3, 5, 7, 9)]
    with pytest.raises(InputError, match="one of the two is missing; give both or none"):
        load_table(table, tmp_path / "images", TableOptions(fit=fit))
    written(tmp_path, "test.txt", "99.png\n")
    with pytest.raises(FormatError, match="its only name is not in .*mine.csv: 99.png"):
        load_table(table, tmp_path / "images", TableOptions(fit=fit, test=test))


def test_an_image_in_two_spellings_is_not_in_both_parts(tmp_path: Path) -> None:
    path = annotated_folder(tmp_path, extra="split")
    path.write_text(path.read_text().replace("01.png,6,", "./00.png,6,"))
    with pytest.raises(FormatError, match=r"mine.csv, line 3: 00.png is already on line 2; remove one"):
        load_table(path, tmp_path / "images", TableOptions())
    path.write_text(path.read_text().replace("./00.png,6,", "./x/..//01.png,6,"))
    _, found = load_table(path, tmp_path / "images", TableOptions())
    assert found.images[1] == "01.png"


def test_unit_of_a_table(tmp_path: Path) -> None:
    table = annotated_folder(tmp_path)
    protocol, found = load_table(table, tmp_path / "images", TableOptions(unit="a,b"))
    assert place(found, protocol, protocol.headline).unit == pytest.approx([5.0, 5.0])
    protocol, found = load_table(table, tmp_path / "images", TableOptions())
    assert place(found, protocol, protocol.headline).unit == pytest.approx([np.sqrt(150)] * 2)
    with pytest.raises(InputError, match="`normaliser=a,d`: expected box, image, pixel, or two of a, b, c"):
        load_table(table, tmp_path / "images", TableOptions(unit="a,d"))


def test_swapped_columns_and_missing_images_are_named(tmp_path: Path) -> None:
    table = annotated_folder(tmp_path)
    good = table.read_text()
    table.write_text(good.replace("04.png,9,5,12,9,19,20", "04.png,9,5,12,9,19,62"))
    with pytest.raises(FormatError, match=r"line 6: c at x 19, y 62, but the image is 40x30 .*are columns swapped"):
        load_table(table, tmp_path / "images", TableOptions())
    table.write_text(good)
    (tmp_path / "images" / "09.png").unlink()
    with pytest.raises(InputError, match="1 listed images are missing, the first is 09.png"):
        load_table(table, tmp_path / "images", TableOptions())


def test_images_that_cannot_be_measured_are_named(tmp_path: Path) -> None:
    path = annotated_folder(tmp_path)
    good = path.read_text()
    path.write_text(good.replace("04.png,9,5,12,9,19,20", "04.png,,,,,,"))
    with pytest.raises(FormatError, match="mine.csv, line 6: 04.png shows no keypoint; leave the image out"):
        load_table(path, tmp_path / "images", TableOptions(unit="a,b"))
    path.write_text(good.replace("04.png,9,5,12,9,19,20", "04.png,,,12,9,19,20"))
    protocol, found = load_table(path, tmp_path / "images", TableOptions(unit="a,b"))
    with pytest.raises(InputError, match=r"1 images, the first is 04.png: the unit of the error \(a - b\) is zero or hidden"):
        place(found, protocol, protocol.headline)


def test_a_landmark_that_no_fitting_image_shows_is_named(tmp_path: Path) -> None:
    path = annotated_folder(tmp_path)
    lines = [",".join([*line.split(",")[:5], "", ""]) for line in path.read_text().splitlines()[1:]]
    path.write_text("\n".join([path.read_text().splitlines()[0], *lines]) + "\n")
    with pytest.raises(InputError, match="mine: landmark c is hidden in all fitting images"):
        load_table(path, tmp_path / "images", TableOptions())


def test_lists_are_part_of_what_was_measured_and_of_its_name(tmp_path: Path) -> None:
    path, images = annotated_folder(tmp_path), tmp_path / "images"
    fit, test = written(tmp_path, "fit.txt", "03.png\n01.png\n"), written(tmp_path, "test.txt", "08.png\n")
    protocol, by_rule = load_table(path, images, TableOptions())
    assert (protocol.name, list(by_rule.lists)) == ("table", ["mine.csv"])
    listed, by_lists = load_table(path, images, TableOptions(fit=fit, test=test))
    # sha256 of "01.png\n03.png\n" and of "08.png\n"; of both hashes in a row
    hashes = {"fit list": "9dcb15c2192e1003", "test list": "224bedda00565401"}
    assert by_lists.lists == {**by_rule.lists, **hashes}
    assert listed.name == "table-e4b1d1c2"
    exchanged, by_others = load_table(path, images, TableOptions(fit=test, test=fit))
    assert by_others.lists != by_lists.lists
    assert exchanged.name not in (listed.name, protocol.name)


def test_the_unit_is_part_of_the_name_of_a_result(tmp_path: Path) -> None:
    path, images = annotated_folder(tmp_path), tmp_path / "images"
    named = {unit: load_table(path, images, TableOptions(unit=unit))[0].name for unit in ("box", "image", "pixel", "a, b")}
    assert named == {"box": "table", "image": "table-image", "pixel": "table-pixel", "a, b": "table-a,b"}


def test_an_image_in_both_lists_is_named(tmp_path: Path) -> None:
    path = annotated_folder(tmp_path)
    fit, test = written(tmp_path, "fit.txt", "03.png\n08.png\n"), written(tmp_path, "test.txt", "08.png\n")
    with pytest.raises(
        InputError, match=r"fit.txt and .*test.txt: 1 images are in both lists, the first is 08.png; remove each"
    ):
        load_table(path, tmp_path / "images", TableOptions(fit=fit, test=test))


@pytest.mark.slow
def test_measurements_of_one_file_lie_beside_each_other(tmp_path: Path) -> None:
    path, images, out = annotated_folder(tmp_path), tmp_path / "images", tmp_path / "out"
    fit, test = written(tmp_path, "fit.txt", "03.png\n01.png\n"), written(tmp_path, "test.txt", "08.png\n")
    ways = [{}, {"normaliser": "a,b"}, {"fit_list": fit, "test_list": test}, {"fit_list": test, "test_list": fit}]
    found = [benchmark(f"table:{path}", None, images, out, baselines=False, **way).path for way in ways]
    assert [file.name for file in found[:2]] == ["table_mine_none.json", "table-a,b_mine_none.json"]
    assert len(set(found)) == len({errors_path(file) for file in found}) == 4
    assert make_table([out]).count("### MINE (table") == 4


def test_results_of_different_lists_of_equal_length_are_not_one_table(tmp_path: Path) -> None:
    path, images = annotated_folder(tmp_path), tmp_path / "images"
    first, second = (written(tmp_path, f"{number}.txt", f"0{number}.png\n") for number in (1, 2))
    test = written(tmp_path, "test.txt", "08.png\n")
    found = [
        benchmark(f"table:{path}", None, images, tmp_path / "out", fit_list=fit, test_list=test, baselines=False)
        for fit in (first, second)
    ]
    results = [replace(each.result, protocol="table") for each in found]
    assert len(tables([Measurement(result) for result in results])) == 2
