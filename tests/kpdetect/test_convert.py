"""Pairs for other programs, read back by readers that know nothing of us."""

import json
import tarfile

import cv2
import numpy as np
import pytest

from kpdetect.data.coco import annotation, write_coco
from kpdetect.data.shard_folder import ShardFolder
from kpdetect.data.webdataset import write_webdataset
from kpdetect.errors import FormatError, OutputError
from tests.builders.detectors import dots, write_pairs


@pytest.fixture
def folder(tmp_path):
    return ShardFolder(write_pairs(tmp_path / "pairs", dots(20)))


def test_annotation_by_hand():
    keypoints = np.array([[-0.5, 0.0], [0.5, 0.5], [1.2, 0.0]], np.float32)
    found = annotation(6, keypoints, np.array([True, False, True]), (20, 40))
    assert found["keypoints"] == [9.5, 9.5, 2, 29.5, 14.5, 1, 0.0, 0.0, 0]
    assert found["num_keypoints"] == 2
    assert found["bbox"] == [9.5, 9.5, 20.0, 5.0]
    assert (found["id"], found["image_id"]) == (7, 6)


def test_an_object_outside_the_frame_has_no_keypoints():
    found = annotation(0, np.full((2, 2), 3.0, np.float32), np.array([False, False]), (20, 40))
    assert found["num_keypoints"] == 0
    assert found["bbox"] == [0.0, 0.0, 0.0, 0.0]


def test_coco_is_read_by_its_own_tools(folder, tmp_path, capsys):
    reader = pytest.importorskip("pycocotools.coco", reason="pycocotools is not installed")
    coco = reader.COCO(write_coco(folder, tmp_path / "coco"))
    assert len(coco.getImgIds()) == 20
    (found,) = coco.loadAnns(coco.getAnnIds(imgIds=[3]))
    _, keypoints, visible = folder.read(3)
    triples = np.array(found["keypoints"]).reshape(-1, 3)
    np.testing.assert_allclose(triples[:, :2], (keypoints + 1) * 16 - 0.5, atol=1e-3)
    assert triples[:, 2].tolist() == [2 if seen else 1 for seen in visible]
    picture = cv2.imread(str(tmp_path / "coco" / "images" / coco.loadImgs([3])[0]["file_name"]))
    assert np.abs(picture[..., ::-1].astype(int) - folder.read(3)[0]).mean() < 3


def test_coco_file_is_complete_without_its_tools(folder, tmp_path):
    content = json.loads(write_coco(folder, tmp_path / "coco").read_text())
    assert [len(content[name]) for name in ("images", "annotations", "categories")] == [20, 20, 1]
    assert content["categories"][0]["keypoints"] == ["0", "1"]
    assert len(list((tmp_path / "coco" / "images").iterdir())) == 20


def test_tar_files_hold_jpeg_and_json_of_the_same_pair(folder, tmp_path):
    paths = write_webdataset(folder, tmp_path / "tars")
    assert [path.name for path in paths] == ["pairs-00000.tar", "pairs-00001.tar"]
    with tarfile.open(paths[1]) as tar:
        assert tar.getnames()[:2] == ["00000012.jpg", "00000012.json"]
        facts = json.load(tar.extractfile("00000015.json"))
        data = np.frombuffer(tar.extractfile("00000015.jpg").read(), np.uint8)
    image, keypoints, visible = folder.read(15)
    np.testing.assert_allclose(facts["keypoints"], keypoints, atol=1e-6)
    assert facts["visible"] == visible.tolist()
    assert np.abs(cv2.imdecode(data, cv2.IMREAD_COLOR)[..., ::-1].astype(int) - image).mean() < 3


def inodes(folder):
    return {path.name: path.stat().st_ino for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("write", [write_coco, write_webdataset])
def test_what_is_current_is_kept_and_what_is_missing_is_written(folder, tmp_path, write):
    write(folder, tmp_path / "out")
    before = inodes(tmp_path / "out")
    write(folder, tmp_path / "out")
    assert inodes(tmp_path / "out") == before
    lost = sorted(path for path in (tmp_path / "out").rglob("*0001*") if path.is_file())[0]
    lost.unlink()
    write(folder, tmp_path / "out")
    after = inodes(tmp_path / "out")
    assert after.keys() == before.keys()
    again = {name for name in before if after[name] != before[name]}
    assert again <= {lost.name, "annotations.json", "derived.json"}


@pytest.mark.parametrize(("count", "tars"), [(36, 3), (8, 1)])
def test_other_pairs_replace_what_was_written_of_the_first(tmp_path, count, tars):
    """More pairs, or fewer: nothing of the first is left, and nobody else's file goes."""
    first = ShardFolder(write_pairs(tmp_path / "pairs", dots(20)))
    second = ShardFolder(write_pairs(tmp_path / "others", dots(count)))
    for write in (write_coco, write_webdataset):
        out, fresh = tmp_path / write.__name__, tmp_path / f"{write.__name__}-fresh"
        write(first, out)
        (out / "notes.txt").write_text("mine")
        write(second, out)
        write(second, fresh)
        (out / "notes.txt").rename(tmp_path / "notes.txt")
        files = [path.relative_to(fresh) for path in fresh.rglob("*")]
        assert {path.relative_to(out) for path in out.rglob("*")} == set(files)
        assert all((out / name).read_bytes() == (fresh / name).read_bytes() for name in files if (out / name).is_file())
        assert (tmp_path / "notes.txt").read_text() == "mine"
    assert len(list((tmp_path / "write_webdataset").glob("*.tar"))) == tars
    content = json.loads((tmp_path / "write_coco" / "annotations.json").read_text())
    assert len(content["images"]) == count


def test_a_file_that_nobody_recorded_is_not_overwritten(folder, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "annotations.json").write_text("mine")
    with pytest.raises(OutputError, match=r"annotations\.json: this file exists, and no such command wrote it"):
        write_coco(folder, tmp_path / "out")
    assert (tmp_path / "out" / "annotations.json").read_text() == "mine"
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["annotations.json"]


def test_a_record_that_names_files_outside_is_refused(folder, tmp_path):
    write_webdataset(folder, tmp_path / "out")
    (tmp_path / "mine.txt").write_text("mine")
    record = {"webdataset": {"source": "other", "complete": True, "files": {"../mine.txt": 4}}}
    (tmp_path / "out" / "derived.json").write_text(json.dumps(record))
    with pytest.raises(FormatError, match="outside the folder"):
        write_webdataset(folder, tmp_path / "out")
    assert (tmp_path / "mine.txt").read_text() == "mine"


@pytest.mark.parametrize("write", [write_coco, write_webdataset])
def test_a_conversion_that_was_stopped_is_finished_by_the_next(folder, tmp_path, write, monkeypatch):
    """The first 13 pairs are read, then reading fails; of other pairs nothing that was written meanwhile stays."""
    real = ShardFolder.read_jpeg

    def failing(self, index):
        if index == 13:
            raise KeyboardInterrupt
        return real(self, index)

    monkeypatch.setattr(ShardFolder, "read_jpeg", failing)
    with pytest.raises(KeyboardInterrupt):
        write(folder, tmp_path / "out")
    monkeypatch.undo()
    left = inodes(tmp_path / "out")
    assert "annotations.json" not in left
    write(folder, tmp_path / "out")
    write(folder, tmp_path / "fresh")
    after = inodes(tmp_path / "out")
    assert after.keys() == inodes(tmp_path / "fresh").keys()
    assert {name for name in left if left[name] != after[name]} == {"derived.json"}
