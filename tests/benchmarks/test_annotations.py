"""Annotations as people have them: every format, every fault named by its line."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from benchmarks.datasets.annotation_formats import read_annotations
from benchmarks.datasets.flies import load_flies
from benchmarks.datasets.mtfl import load_mtfl
from benchmarks.datasets.own_table import TableOptions, load_table
from benchmarks.evaluation.placed import place
from benchmarks.protocol.named import FLIES, MTFL
from kpdetect.errors import FormatError, InputError
from kpdetect.images.image_files import write_image
from tests.builders.annotations import written

# Two images, two points; the tail of the second is hidden.
POINTS = np.array([[[1.0, 2.0], [3.5, 4.0]], [[5.0, 6.0], [np.nan, np.nan]]])
WIDE = "image,nose_x,nose_y,tail_x,tail_y\na.png,1,2,3.5,4\nsub/b.png,5,6,,\n"
LONG = "image,keypoint,x_px,y_px,visible\na.png,nose,1,2,1\na.png,tail,3.5,4,1\nsub/b.png,nose,5,6,1\nsub/b.png,tail,9,9,0\n"
DLC = (
    "scorer,,,me,me,me,me\nbodyparts,,,nose,nose,tail,tail\ncoords,,,x,y,x,y\n"
    "a.png,,,1,2,3.5,4\nsub,b.png,,5,6,,\n"
)  # fmt: skip
COCO = {
    "categories": [{"id": 1, "keypoints": ["nose", "tail"]}],
    "images": [{"id": 7, "file_name": "a.png"}, {"id": 3, "file_name": "sub/b.png"}],
    "annotations": [
        {"id": 1, "image_id": 7, "keypoints": [1, 2, 2, 3.5, 4, 1]},
        {"id": 2, "image_id": 3, "keypoints": [5, 6, 2, 0, 0, 0]},
    ],
}


@pytest.mark.parametrize(("name", "text"), [("w.csv", WIDE), ("l.csv", LONG), ("d.csv", DLC), ("c.json", json.dumps(COCO))])
def test_every_format_says_the_same(tmp_path: Path, name: str, text: str) -> None:
    table = read_annotations(written(tmp_path, name, text))
    assert table.images == ["a.png", "sub/b.png"]
    assert table.landmarks == ("nose", "tail")
    np.testing.assert_array_equal(table.points_px, POINTS)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (WIDE + "c.png,1,2\n", "line 4: 3 values for 5 columns"),
        (WIDE + "c.png,1,nan,3,4\n", "line 4, nose_y: not a number"),
        (WIDE + "c.png,1,two,3,4\n", "line 4, nose_y: 'two' is not a number"),
        (WIDE + "c.png,1,,3,4\n", "line 4: a point has only one of x and y"),
        (WIDE + "c.png,1,inf,3,4\n", "line 4: an infinite coordinate"),
        (WIDE + "a.png,1,2,3,4\n", "line 4: a.png is already on line 2"),
        (WIDE.replace("tail_y", "tail"), "line 1: column tail_x has no partner"),
        (WIDE.replace("tail", "nose"), "line 1: column nose_x occurs twice"),
        (WIDE.replace("image", "file"), "line 1: columns file, nose_x"),
        (LONG + "a.png,nose,1,2,1\n", "line 6: a second point nose of a.png"),
        (LONG + "c.png,nose,1,2,maybe\n", "line 6: visible is 'maybe'"),
        (LONG + "c.png,nose,x,2,1\n", "line 6: 'x', '2'; expected two numbers"),
        (DLC + "c.png,,,1,2\n", "line 6: 5 values for 7 columns"),
        (DLC.replace("bodyparts,,,", "individuals,,,"), "line 2: expected DeepLabCut's lines"),
    ],
)
def test_faults_are_named_by_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(FormatError, match=message):
        read_annotations(written(tmp_path, "table.csv", text))


def test_faults_of_coco(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="not valid JSON"):
        read_annotations(written(tmp_path, "c.json", "{"))
    short = {"id": 5, "image_id": 3, "keypoints": [1, 2, 2]}
    with pytest.raises(FormatError, match=r"annotation 2 \(id 5\): 3 numbers"):
        read_annotations(written(tmp_path, "c.json", json.dumps(COCO | {"annotations": [*COCO["annotations"], short]})))
    twice = [*COCO["annotations"], COCO["annotations"][0]]
    with pytest.raises(FormatError, match="annotation 2 .* second object in a.png"):
        read_annotations(written(tmp_path, "c.json", json.dumps(COCO | {"annotations": twice})))
    named = {"id": 1, "keypoints": ["nose", "nose"]}
    with pytest.raises(FormatError, match="two keypoints of a category are called nose"):
        read_annotations(written(tmp_path, "c.json", json.dumps(COCO | {"categories": [named]})))
    with pytest.raises(InputError, match="no such file"):
        read_annotations(tmp_path / "absent.csv")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([1, 2], r"c.json: no list of objects 'categories'; expected COCO keypoints: images, annotations, categories"),
        ({"images": []}, "no list of objects 'categories'"),
        (COCO | {"annotations": None}, "no list of objects 'annotations'"),
        (COCO | {"images": ["a.png"]}, "no list of objects 'images'"),
        (COCO | {"categories": []}, "no category has keypoints; expected a list of keypoint names in a category"),
        (COCO | {"categories": [{"keypoints": 2}]}, "keypoints of a category are 2; expected a list of names"),
        (COCO | {"images": [{"id": 7}]}, "image 0: id or file_name is missing"),
        (COCO | {"annotations": [{"id": 1, "image_id": 7}]}, r"annotation 0 \(id 1\): no list keypoints; expected x, y"),
        (COCO | {"annotations": [{"id": 1, "image_id": 9, "keypoints": [0] * 6}]}, "image_id 9; expected the id of one of"),
        (COCO | {"annotations": [{"id": 1, "keypoints": [0] * 6}]}, "image_id null; expected the id of one of the images"),
    ],
)
def test_faults_of_coco_are_told_in_words_of_the_file(tmp_path: Path, content: object, message: str) -> None:
    with pytest.raises(FormatError, match=message):
        read_annotations(written(tmp_path, "c.json", json.dumps(content)))


def coco_image(**changes: object) -> dict[str, object]:
    return COCO | {"images": [COCO["images"][0], {**COCO["images"][1], **changes}]}


def coco_object(**changes: object) -> dict[str, object]:
    return COCO | {"annotations": [COCO["annotations"][0], {**COCO["annotations"][1], **changes}]}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (coco_image(id=7), r"image 1 \(id 7\): sub/b.png has the id of a.png"),
        (coco_image(file_name="a.png"), r"image 1 \(id 3\): a.png is already the image with the id 7"),
        (coco_image(width=4), r"image 1 \(id 3\): width and height are 4 and null; expected pixels"),
        (coco_object(category_id=5), r"annotation 1 \(id 2\): category_id 5; expected the id of one of the categories"),
        (coco_object(num_keypoints=2), r"annotation 1 \(id 2\): num_keypoints 2, but 1 have a visibility above 0"),
        (coco_object(num_keypoints=0), r"annotation 1 \(id 2\): num_keypoints 0, but 1 have a visibility above 0"),
        (
            coco_object(category_id=2) | {"categories": [*COCO["categories"], {"id": 2, "name": "box"}]},
            r"annotation 1 \(id 2\): has keypoints, but category 2 has none",
        ),
        (COCO | {"categories": 2 * COCO["categories"]}, "two categories have the id 1"),
    ],
)
def test_what_contradicts_itself_in_coco_is_refused_with_its_id(tmp_path: Path, content: object, message: str) -> None:
    with pytest.raises(FormatError, match=message):
        read_annotations(written(tmp_path, "c.json", json.dumps(content)))


def test_boxes_beside_keypoints_in_coco_are_left_out(tmp_path: Path) -> None:
    box = {"id": 9, "image_id": 7, "category_id": 2, "bbox": [0, 0, 5, 5]}
    content = COCO | {
        "categories": [*COCO["categories"], {"id": 2, "name": "box"}],
        "annotations": [box, *({**each, "category_id": 1} for each in COCO["annotations"])],
    }
    table = read_annotations(written(tmp_path, "c.json", "\ufeff" + json.dumps(content)))
    np.testing.assert_array_equal(table.points_px, POINTS)


def coco_of(folder: Path, count: int, changes: dict[int, dict[str, object]]) -> Path:
    images = [{"id": i, "file_name": f"sub\\{i}.png", "width": 40, "height": 30, **changes.get(i, {})} for i in range(count)]
    objects = [{"id": i, "image_id": i, "keypoints": [i, 2, 2, 3, 4, 1]} for i in range(count)]
    for i in range(count):
        write_image(folder / "images" / "sub" / f"{i}.png", np.zeros((30, 40, 3), np.uint8))
    return written(folder, "c.json", json.dumps(COCO | {"images": images, "annotations": objects}))


def test_sizes_of_coco_are_those_of_its_images(tmp_path: Path) -> None:
    _, found = load_table(coco_of(tmp_path, 5, {}), tmp_path / "images", TableOptions())
    assert found.images == ["sub/0.png", "sub/1.png", "sub/2.png", "sub/4.png"]
    path = coco_of(tmp_path, 5, {2: {"width": 80, "height": 60}})
    with pytest.raises(
        FormatError, match=r"annotation 2 \(id 2\): the annotations state 80x60 pixels for sub/2.png, but the image has 40x30"
    ):
        load_table(path, tmp_path / "images", TableOptions())


def test_points_in_the_frame_of_a_picture_on_its_side_are_refused(tmp_path: Path) -> None:
    path, turned = coco_of(tmp_path, 5, {}), Pillow.fromarray(np.zeros((30, 40, 3), np.uint8))
    exif = turned.getexif()
    exif[0x0112] = 6
    turned.save(tmp_path / "images" / "sub" / "1.png", exif=exif)
    with pytest.raises(FormatError, match="state 40x30 pixels for sub/1.png, but the image has 30x40 .*EXIF data rotates"):
        load_table(path, tmp_path / "images", TableOptions())


def test_names_of_coco_stay_in_the_folder(tmp_path: Path) -> None:
    path = coco_of(tmp_path, 5, {1: {"file_name": "../other/1.png"}})
    write_image(tmp_path / "other" / "1.png", np.zeros((30, 40, 3), np.uint8))
    with pytest.raises(FormatError, match=r"annotation 1 \(id 1\): ../other/1.png is not in .*images"):
        load_table(path, tmp_path / "images", TableOptions())


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([1, 2, 2, float("nan"), 4, 1], r"annotation 0 \(id 1\), tail: NaN, 4; expected finite numbers"),
        (["x", 2, 2, 3.5, 4, 1], r'annotation 0 \(id 1\), nose: "x", 2; expected finite numbers'),
        ([1, 2, 2, None, 4, 1], r"annotation 0 \(id 1\), tail: null, 4; expected finite numbers"),
        ([1, 2, [2], 3.5, 4, 1], r"annotation 0 \(id 1\), nose: visibility \[2\]; expected 0 \(hidden\), 1 or 2"),
        ([1, 2, 3, 3.5, 4, 1], r"annotation 0 \(id 1\), nose: visibility 3; expected 0 \(hidden\), 1 or 2"),
    ],
)
def test_bad_points_of_coco_are_named(tmp_path: Path, values: list[float], message: str) -> None:
    bad = {"id": 1, "image_id": 7, "keypoints": values}
    with pytest.raises(FormatError, match=message):
        read_annotations(written(tmp_path, "c.json", json.dumps(COCO | {"annotations": [bad]})))


def test_categories_of_coco(tmp_path: Path) -> None:
    boxes, other = {"id": 2, "name": "box"}, {"id": 3, "keypoints": ["tail", "nose"]}
    path = written(tmp_path, "c.json", json.dumps(COCO | {"categories": [boxes, *COCO["categories"]]}))
    assert read_annotations(path).landmarks == ("nose", "tail")
    path = written(tmp_path, "c.json", json.dumps(COCO | {"categories": [*COCO["categories"], other]}))
    with pytest.raises(FormatError, match="2 categories with keypoints of different names"):
        read_annotations(path)


def test_a_point_outside_of_its_image_is_named_by_annotation(tmp_path: Path) -> None:
    table = read_annotations(written(tmp_path, "c.json", json.dumps(COCO)))
    with pytest.raises(FormatError, match=r"c.json, annotation 0 \(id 1\): tail at x 3.5, y 4, but the image is 2x9"):
        table.require_inside(np.array([[9, 2], [9, 9]]))


def test_flies_are_split_by_time(tmp_path: Path) -> None:
    names = [f"images/{frame:05d}_0.png" for frame in (0, 899, 900, 1199, 1200, 1300, 1301)]
    lines = ["image," + ",".join(f"{name}_{axis}" for name in ("head", "wing", *FLIES.landmarks[1:]) for axis in "xy")]
    for number, name in enumerate(names):
        write_image(tmp_path / name, np.zeros((20, 20, 3), np.uint8))
        head = "," if number == 6 else "10,2"
        lines.append(f"{name},{head},,,10,8,10,{14 + number % 2},8,3,12,3")
    written(tmp_path, "landmarks.csv", "\n".join(lines) + "\n")
    found = load_flies(tmp_path, FLIES)
    assert [found.images[index] for index in found.fit] == names[:2]
    assert [found.images[index] for index in found.test] == names[4:6]
    assert place(found, FLIES, FLIES.headline).unit == pytest.approx([12.0, 13.0])
    assert "1 crops without head or abdomen" in found.notes[1]
    assert found.groups is not None
    assert found.groups.tolist() == [0, 17, 18, 23, 24, 26]  # blocks of 50 frames
    with pytest.raises(FormatError, match="flies: 6 images, 5 groups"):
        replace(found, groups=found.groups[:-1])
    written(tmp_path, "landmarks.csv", "\n".join(lines).replace("images/00000_0", "images/first_0") + "\n")
    with pytest.raises(FormatError, match="line 2: the image's name begins with 'first'"):
        load_flies(tmp_path, FLIES)


def test_mtfl_is_split_within_each_part(tmp_path: Path) -> None:
    columns = ("lefteye", "righteye", "nose", "leftmouth", "rightmouth")
    lines = ["image,part,label_ok," + ",".join(f"{name}_{axis}" for name in columns for axis in "xy")]
    for part, count in (("web", 6), ("lfw", 5)):
        for number in reversed(range(count)):  # not in the order of the names
            name = f"{part}/{number}.jpg"
            write_image(tmp_path / name, np.zeros((16, 16, 3), np.uint8))
            usable = not (part == "web" and number == 1)
            y = 5 if usable else 900
            lines.append(f"{name},{part},{int(usable)},4,{y},12,{y},8,8,5,12,11,12")
    written(tmp_path, "landmarks.csv", "\n".join(lines) + "\n")
    found = load_mtfl(tmp_path, MTFL)
    assert sorted(found.images[index] for index in found.test) == ["lfw/4.jpg", "web/5.jpg"]
    assert sorted(found.images[index] for index in found.fit)[:3] == ["lfw/0.jpg", "lfw/1.jpg", "lfw/2.jpg"]
    assert "web/1.jpg" not in found.images
    assert len(found.images) == 10


LONG_SPLIT = "image,keypoint,x_px,y_px,split\na.png,nose,1,2,test\na.png,tail,3.5,4,test\nsub/b.png,nose,5,6,fit\n"


def test_the_split_of_a_table_with_a_line_per_point_is_honoured(tmp_path: Path) -> None:
    for name in ("a.png", "sub/b.png"):
        write_image(tmp_path / name, np.zeros((30, 40, 3), np.uint8))
    text = LONG_SPLIT + "sub/b.png,tail,7,8,fit\n"
    _, found = load_table(written(tmp_path, "long.csv", text), tmp_path, TableOptions())
    assert [[found.images[row] for row in part] for part in (found.fit, found.test)] == [["sub/b.png"], ["a.png"]]
    assert found.notes == ("split by the table's column",)
    with pytest.raises(FormatError, match=r"long.csv, from line 4 on \(sub/b.png\): split 'validate'; expected fit"):
        load_table(written(tmp_path, "long.csv", text.replace(",fit", ",validate")), tmp_path, TableOptions())
    message = r"long.csv, line 5: sub/b.png has split 'test', but 'fit' on line 4; give all lines of an image the same split"
    with pytest.raises(FormatError, match=message):
        read_annotations(written(tmp_path, "long.csv", LONG_SPLIT + "sub/b.png,tail,7,8,test\n"))


def test_a_visible_column_of_no_landmark_is_refused(tmp_path: Path) -> None:
    lines = WIDE.splitlines()
    text = "\n".join([lines[0] + ",tail_visible", lines[1] + ",0", lines[2] + ",1"]) + "\n"
    assert np.isnan(read_annotations(written(tmp_path, "w.csv", text)).points_px[0, 1]).all()
    with pytest.raises(FormatError, match="line 1: column tall_visible belongs to no landmark; the landmarks are nose, tail"):
        read_annotations(written(tmp_path, "w.csv", text.replace("tail_visible", "tall_visible")))
