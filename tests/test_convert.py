"""Pairs for other programs, read back by readers that know nothing of us."""

import json
import tarfile

import cv2
import numpy as np
import pytest

from kpdetect.data.coco import annotation, write_coco
from kpdetect.data.reader import ShardFolder
from kpdetect.data.webdataset import write_webdataset
from tests.test_detector import dots, write_pairs


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


def test_tar_files_that_are_there_are_kept(folder, tmp_path):
    first, second = write_webdataset(folder, tmp_path / "tars")
    second.unlink()
    first.write_bytes(b"kept")
    write_webdataset(folder, tmp_path / "tars")
    assert first.read_bytes() == b"kept"
    assert second.exists()
