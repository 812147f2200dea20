import os
import unicodedata

import numpy as np
import pytest

from benchmarks.datasets.own_table import TableOptions, load_table
from kpdetect.cli.main import main
from kpdetect.data.folder import build_cache
from kpdetect.data.name_lists import NameIndex, excluded_names, listed_names, without
from kpdetect.errors import FormatError, InputError
from kpdetect.images.image_files import list_names, write_image
from kpdetect.inference.boxes import read_boxes, write_boxes

CAFE = unicodedata.normalize("NFD", "café.png")
NAMES = ["a.png", "img 3.png", CAFE, "day1/b.png", "day2/b.png", "day2/c.jpg", "IMG.png"]


@pytest.fixture
def photos(tmp_path):
    for name in NAMES:
        (tmp_path / "photos" / name).parent.mkdir(parents=True, exist_ok=True)
        write_image(tmp_path / "photos" / name, np.full((40, 60, 3), 9, np.uint8))
    return tmp_path / "photos"


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"a.png\r\nimg 3.png\r\n", {"a.png", "img 3.png"}),
        (b"\xef\xbb\xbfa.png\n", {"a.png"}),
        (b"./a.png\n./day1/../day1/b.png", {"a.png", "day1/b.png"}),
        (b"day1\\b.png\n", {"day1/b.png"}),
        (b"b.png\n", {"day1/b.png", "day2/b.png"}),
        ("caf\u00e9.png\n".encode(), {CAFE}),
        (b"A.PNG\nDAY2/C.JPG\n", {"a.png", "day2/c.jpg"}),
        (b"a.jpg\nday2/c\n", {"a.png", "day2/c.jpg"}),
        (b"a.png 17\n\n  img 3.png  \n", {"a.png", "img 3.png"}),
        (b"photos/day1/b.png\n", {"day1/b.png"}),
        (b'"img 3.png"\n', {"img 3.png"}),
    ],
)
def test_a_line_means_an_image_however_it_is_spelt(photos, content, expected):
    (photos.parent / "list.txt").write_bytes(content)
    assert excluded_names(photos, [photos.parent / "list.txt"]) == expected


def test_paths_from_elsewhere(photos, monkeypatch):
    monkeypatch.chdir(photos / "day1")
    os.symlink(photos, photos.parent / "link")
    index, linked = (NameIndex(list_names(photos), folder) for folder in (photos, photos.parent / "link"))
    assert index(f"{photos}/a.png").names == ("a.png",) == linked(f"{photos}/a.png").names
    assert index("../day2/c.jpg").names == ("day2/c.jpg",)
    assert linked(f"{photos.parent}/link/img 3.png").names == ("img 3.png",)


def test_names_that_fit_nothing_are_counted_and_shown(photos, capsys):
    (photos.parent / "list.txt").write_text("a.png\nno 1.png\nday3/b.png\nIMG.jpg\n")
    assert excluded_names(photos, [photos.parent / "list.txt"]) == {"a.png", "IMG.png"}
    warning, note = capsys.readouterr().err.splitlines()
    assert "2 of its 4 names are not in" in warning
    assert warning.endswith("no 1.png, day3/b.png")
    assert note.endswith("IMG.jpg matches IMG.png")


def test_what_could_mean_several_images_is_not_guessed():
    index = NameIndex(["a.png", "A.tif", "x/b.png"])
    assert index("a.JPG").names == ()
    assert index("a.JPG").several == ("a.png", "A.tif")
    assert index("img 3.png").names == ()  # no image is called img
    assert index("x 3.png").names == ()
    assert index("y/b.png").names == ()


@pytest.mark.parametrize("content", ["", "\n \n", "none.png\n"])
def test_a_list_that_leaves_nothing_out_stops_a_command_before_it_writes(photos, content, capsys, monkeypatch):
    (photos.parent / "list.txt").write_text(content)
    out = photos.parent / "out"
    given = ["crop", str(photos), "--box", "0,0,32,32", "--exclude-list", str(photos.parent / "list.txt"), "--out", str(out)]
    monkeypatch.setattr("sys.argv", ["kpdetect", *given])
    with pytest.raises(SystemExit) as stopped:
        main()
    assert stopped.value.code == 2
    assert not out.exists()
    assert capsys.readouterr().err.startswith("error: --exclude-list ")


def test_training_refuses_names_of_which_none_is_there(tmp_path):
    for number in range(17):
        write_image(tmp_path / "in" / f"{number}.png", np.zeros((32, 32, 3), np.uint8))
    with pytest.raises(InputError, match="none of the 1 names to leave out is in this folder; the first one is x.png"):
        build_cache(tmp_path / "in", tmp_path / "out", 32, "centre", {"x.png"})
    assert not (tmp_path / "out").exists()
    assert len(build_cache(tmp_path / "in", tmp_path / "out", 32, "centre", {"./3.png"})) == 16


def test_names_without_a_folder_leave_out_files_in_every_folder():
    assert without(NAMES, {"b.png", "day2\\c.jpg"}) == ["a.png", "img 3.png", CAFE, "IMG.png"]


def test_a_list_of_known_names_is_followed_exactly_or_refused(tmp_path):
    path = tmp_path / "list.txt"
    path.write_bytes("\ufeffimg 3.png\r\n./a.png\r\ncaf\u00e9.png\r\n".encode())
    assert listed_names(path, NAMES, "fit_list", "table.csv") == ["img 3.png", "a.png", CAFE]
    faults = [("A.PNG\n", "its only name is not in table.csv: A.PNG"), ("b.png", "can mean"), ("a.png\n./a.png", "twice")]
    for text, fault in faults:
        path.write_text(text)
        with pytest.raises(FormatError, match=fault):
            listed_names(path, NAMES, "fit_list", "table.csv")


def test_lists_of_a_table_may_have_names_with_spaces(photos, tmp_path):
    (tmp_path / "own.csv").write_text("image,nose_x,nose_y\na.png,1,2\nimg 3.png,3,4\nIMG.png,5,6\n")
    (tmp_path / "fit.txt").write_text("img 3.png\nIMG.png\n")
    (tmp_path / "test.txt").write_bytes(b"\xef\xbb\xbf.\\a.png")
    landmark_set = load_table(tmp_path / "own.csv", photos, TableOptions(fit=tmp_path / "fit.txt", test=tmp_path / "test.txt"))[
        1
    ]
    assert [landmark_set.images[index] for index in landmark_set.fit] == ["img 3.png", "IMG.png"]
    assert [landmark_set.images[index] for index in landmark_set.test] == ["a.png"]


def test_boxes_find_their_images(tmp_path):
    (tmp_path / "boxes.csv").write_bytes(
        "\ufeffimage,left,top,width,height\nday1\\b.png,1,2,3,4\ncaf\u00e9.png,5,6,7,8\n".encode()
    )
    assert read_boxes(tmp_path / "boxes.csv", NAMES) == {"day1/b.png": (1, 2, 3, 4), CAFE: (5, 6, 7, 8)}
    (tmp_path / "boxes.csv").write_text("image,left,top,width,height\na.png,1,2,3,4\n./a.png,5,6,7,8\n")
    with pytest.raises(FormatError, match="two boxes"):
        read_boxes(tmp_path / "boxes.csv", NAMES)
    (tmp_path / "boxes.csv").write_text("image,left,top,width,height\na.png (copy),1,2,3,4\n")
    with pytest.raises(InputError, match=r"1 names are not inputs, the first one is a.png \(copy\)"):
        read_boxes(tmp_path / "boxes.csv", NAMES)


def test_a_path_means_this_image_alone_even_if_others_have_its_name(tmp_path):
    names = ["a.png", "sub/a.png", "other/a.png"]
    assert without(names, {"a.png"}) == ["sub/a.png", "other/a.png"]
    assert without(names, {"./sub/a.png"}) == ["a.png", "other/a.png"]
    (tmp_path / "list.txt").write_text("sub/a.png\n./a.png\n")
    assert listed_names(tmp_path / "list.txt", names, "fit_list", "table.csv") == ["sub/a.png", "a.png"]
    boxes = {"a.png": (1.0, 2.0, 3.0, 4.0), "sub/a.png": (5.0, 6.0, 7.0, 8.0)}
    write_boxes(boxes, tmp_path / "boxes.csv")
    assert read_boxes(tmp_path / "boxes.csv", names) == boxes
