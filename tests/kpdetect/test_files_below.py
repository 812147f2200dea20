"""Files of a folder as a sequence of paths that keeps names alone; names of overlays."""

from pathlib import Path

from kpdetect.files.files_below import FilesBelow, names_below, without
from kpdetect.inference.overlay_names import picture_names
from kpdetect.inference.sources import find_sources


def test_files_are_a_sequence_of_paths():
    files = FilesBelow(Path("/in"), ["a.jpg", "sub/b.jpg", "c.jpg"])
    assert list(files) == [Path("/in/a.jpg"), Path("/in/sub/b.jpg"), Path("/in/c.jpg")]
    assert files[1:] == [Path("/in/sub/b.jpg"), Path("/in/c.jpg")]
    assert without(files, {Path("/in/c.jpg")}) == [Path("/in/a.jpg"), Path("/in/sub/b.jpg")]
    assert names_below(files, Path("/in")) is files.names
    assert names_below(files, Path("/")) == ["in/a.jpg", "in/sub/b.jpg", "in/c.jpg"]


def test_one_folder_keeps_names_and_two_spellings_of_it_give_each_file_once(tmp_path):
    for name in ("b.jpg", "a.jpg"):
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "link").symlink_to(tmp_path, target_is_directory=True)
    single = find_sources([str(tmp_path)])
    assert isinstance(single.images, FilesBelow)
    assert single.names == ["a.jpg", "b.jpg"]
    assert find_sources([str(tmp_path), str(tmp_path / "a.jpg"), str(tmp_path)]).names == ["a.jpg", "b.jpg"]


def test_overlays_of_images_with_one_stem_have_names_of_their_own():
    names = ["a.jpg", "a.tif", "b.v1.jpg", "c.png"]
    assert picture_names(names, [0, 2]) == {0: "a.jpg.png", 2: "b.v1.png"}
    assert picture_names(names, [3]) == {3: "c.png"}


def test_no_two_overlays_have_the_same_name():
    names = ["a.jpg", "a.png", "a.jpg.webp", "B.jpg", "b.png", "c.jpg"]
    found = picture_names(names, range(len(names)))
    assert found == {0: "a.jpg-2.png", 1: "a.png.png", 2: "a.jpg.png", 3: "B.jpg.png", 4: "b.png.png", 5: "c.png"}
