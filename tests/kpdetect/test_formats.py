"""Every format, read again by somebody else's reader."""

import builtins
import json
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
import yaml

from kpdetect.errors import InputError
from kpdetect.inference.formats.choice import FORMATS, write_formats
from kpdetect.inference.predictions import Predictions, frame_names
from kpdetect.skeleton import Skeleton

NAMES = ("nose", "left eye", "Auge <rechts>")
SKELETON = Skeleton(numbers=(0, 2, 5), names=NAMES, links=((0, 1), (0, 2)), pairs=((1, 2),))
POINTS_PX = np.array([[[10.5, 20.25], [30.0, 7.0], [2.0, 60.5]], [[11.0, 21.0], [-4.0, 8.0], [3.0, 61.0]]], np.float32)
CONFIDENCE = np.array([[0.9, 0.8, 0.1], [0.7, 0.6, 0.5]], np.float32)
"""Below, 0.3 is the least that counts: keypoint 2 of the first image is missing; keypoint 1 of the second is outside."""
IMAGES = Predictions(
    images=["sub dir/ä.png", "b.jpg"],
    keypoints_px=POINTS_PX,
    confidence=CONFIDENCE,
    sizes=np.array([[100, 40], [80, 50]]),
    skeleton=SKELETON,
)
FRAMES = np.array([2, 5])
VIDEO = Predictions(
    images=frame_names("clip", FRAMES),
    keypoints_px=POINTS_PX,
    confidence=CONFIDENCE,
    sizes=np.array([[100, 40], [100, 40]]),
    skeleton=SKELETON,
    frames=FRAMES,
    rate=25.0,
)
CONFIDENT_PX = POINTS_PX.copy()
CONFIDENT_PX[0, 2] = np.nan


@pytest.fixture
def read_dlc_h5():
    pytest.importorskip("tables")
    return lambda folder: pd.read_hdf(folder / "predictions-dlc.h5", "df_with_missing")


def read_dlc_csv(folder):
    return pd.read_csv(folder / "predictions-dlc.csv", header=[0, 1, 2], index_col=0)


@pytest.mark.parametrize(("found", "index"), [(IMAGES, ["sub dir/ä.png", "b.jpg"]), (VIDEO, [2, 5])])
@pytest.mark.parametrize("kind", ["dlc-csv", "dlc-h5"])
def test_deeplabcut(tmp_path, kind, found, index, request):
    read = read_dlc_csv if kind == "dlc-csv" else request.getfixturevalue("read_dlc_h5")
    write_formats(found, [kind], tmp_path, 0.3)
    table = read(tmp_path)
    assert table.index.tolist() == index
    assert table.columns.names == ["scorer", "bodyparts", "coords"]
    assert table.columns.get_level_values("bodyparts").unique().tolist() == list(NAMES)
    values = table["kpdetect"].to_numpy().reshape(2, 3, 3)
    np.testing.assert_allclose(values[..., :2], CONFIDENT_PX, atol=1e-5)
    np.testing.assert_allclose(values[..., 2], CONFIDENCE, atol=1e-6)
    assert table["kpdetect"]["left eye"]["y"].iloc[0] == 7.0


def test_coco(tmp_path, capsys):
    coco_module = pytest.importorskip("pycocotools.coco")
    write_formats(IMAGES, ["coco"], tmp_path, 0.3)
    coco = coco_module.COCO(str(tmp_path / "predictions-coco.json"))
    category = coco.loadCats(coco.getCatIds())[0]
    assert category["keypoints"] == list(NAMES)
    assert category["skeleton"] == [[1, 2], [1, 3]]
    images = coco.loadImgs(sorted(coco.getImgIds()))
    assert [(image["file_name"], image["height"], image["width"]) for image in images] == [
        ("sub dir/ä.png", 100, 40), ("b.jpg", 80, 50)
    ]  # fmt: skip
    first, second = (coco.loadAnns(coco.getAnnIds(imgIds=[image["id"]]))[0] for image in images)
    assert first["keypoints"] == [10.5, 20.25, 2, 30.0, 7.0, 2, 0, 0, 0]
    assert first["bbox"] == [10.5, 7.0, 19.5, 13.25]
    assert (first["num_keypoints"], second["num_keypoints"]) == (2, 2)
    assert second["keypoints"] == [11.0, 21.0, 2, 0, 0, 0, 3.0, 61.0, 2]
    np.testing.assert_allclose(first["keypoint_scores"], CONFIDENCE[0], atol=1e-4)
    assert first["score"] == pytest.approx(0.6, abs=1e-3)


@pytest.mark.filterwarnings("ignore")
def test_sleap(tmp_path):
    sleap = pytest.importorskip("sleap_io")
    write_formats(VIDEO, ["sleap"], tmp_path, 0.3)
    labels = sleap.load_file(str(tmp_path / "predictions.analysis.h5"))
    assert labels.skeleton.node_names == list(NAMES)
    assert labels.skeleton.edge_inds == [(0, 1), (0, 2)]
    assert labels.skeleton.symmetry_inds == [(1, 2)]
    assert [frame.frame_idx for frame in labels.labeled_frames] == [2, 5]
    for frame, points_px, sure in zip(labels.labeled_frames, CONFIDENT_PX, CONFIDENCE, strict=True):
        (instance,) = frame.instances
        np.testing.assert_allclose(instance.numpy(), points_px, atol=1e-5)
        assert instance.score == pytest.approx(sure.mean(), abs=1e-5)
        scores = instance.numpy(scores=True)[:, 2]
        np.testing.assert_allclose(scores[~np.isnan(points_px[:, 0])], sure[~np.isnan(points_px[:, 0])], atol=1e-5)


def test_sleap_arrays_have_the_axes_that_its_readers_expect(tmp_path):
    import h5py

    write_formats(VIDEO, ["sleap"], tmp_path, 0.3)
    with h5py.File(tmp_path / "predictions.analysis.h5") as file:
        assert file["tracks"].shape == (1, 2, 3, 6)  # track, xy, node, frame
        assert file["tracks"][0, 1, 0, 5] == 21.0
        assert file["point_scores"][0, 2, 5] == np.float32(0.5)
        assert file["track_occupancy"][:, 0].tolist() == [0, 0, 1, 0, 0, 1]
        assert [name.decode() for name in file["node_names"]] == list(NAMES)
        assert json.loads(file.attrs["skeleton_symmetries"]) == [[NAMES[1], NAMES[2]]]
        assert np.isnan(file["tracks"][0, :, 2, 2]).all()


def test_yolo(tmp_path):
    write_formats(IMAGES, ["yolo"], tmp_path, 0.3)
    line = [float(value) for value in (tmp_path / "yolo" / "labels" / "sub dir" / "ä.txt").read_text().split()]
    x, y = [11.0 / 40, 30.5 / 40], [20.75 / 100, 7.5 / 100]  # (x_px + 0.5) / W
    box = [sum(x) / 2, sum(y) / 2, x[1] - x[0], y[0] - y[1]]
    np.testing.assert_allclose(line, [0, *box, x[0], y[0], 2, x[1], y[1], 2, 0, 0, 0], atol=1e-5)
    assert (tmp_path / "yolo" / "confidence" / "b.txt").read_text() == "0.7000 0.6000 0.5000\n"
    data = yaml.safe_load((tmp_path / "yolo" / "data.yaml").read_text(encoding="utf-8"))
    assert data["kpt_shape"] == [3, 3]
    assert data["flip_idx"] == [0, 2, 1]
    same = Predictions(images=["a.png", "a.jpg"], keypoints_px=POINTS_PX, confidence=CONFIDENCE, sizes=IMAGES.sizes)
    with pytest.raises(InputError, match=r"2 images share the label file a\.txt"):
        write_formats(same, ["yolo"], tmp_path)


@pytest.mark.filterwarnings("ignore")
def test_yolo_by_another_reader(tmp_path):
    from kpdetect.images.image_files import write_image

    sleap = pytest.importorskip("sleap_io")
    write_formats(IMAGES, ["yolo"], tmp_path, 0.3)
    folder = tmp_path / "data" / "train"
    write_image(folder / "images" / "b.png", np.zeros((80, 50, 3), np.uint8))
    (folder / "labels").mkdir()
    (tmp_path / "yolo" / "labels" / "b.txt").rename(folder / "labels" / "b.txt")
    data = yaml.safe_load((tmp_path / "yolo" / "data.yaml").read_text(encoding="utf-8"))
    (tmp_path / "data" / "data.yaml").write_text(yaml.safe_dump({**data, "train": "train/images"}))
    labels = sleap.load_ultralytics(str(tmp_path / "data"), split="train")
    points = labels[0].instances[0].numpy()
    np.testing.assert_allclose(points[[0, 2]], POINTS_PX[1, [0, 2]] + 0.5, atol=1e-3)  # that reader counts from pixel edges
    assert np.isnan(points[1]).all()


def test_label_studio(tmp_path):
    write_formats(IMAGES, ["label-studio"], tmp_path, 0.3)
    first, second = json.loads((tmp_path / "predictions-label-studio.json").read_text())
    assert first["data"]["image"] == "/data/local-files/?d=sub%20dir/%C3%A4.png"
    results = first["predictions"][0]["result"]
    assert [result["value"]["keypointlabels"] for result in results] == [["nose"], ["left eye"]]
    assert results[0]["value"]["x"] == pytest.approx(27.5)
    assert results[0]["value"]["y"] == pytest.approx(20.75)
    assert (results[0]["original_width"], results[0]["original_height"]) == (40, 100)
    assert results[1]["score"] == pytest.approx(0.8)
    assert len(second["predictions"][0]["result"]) == 2
    view = ElementTree.parse(tmp_path / "label-studio.xml").getroot()
    assert [label.get("value") for label in view.iter("Label")] == list(NAMES)
    assert view.find("KeyPointLabels").get("name") == results[0]["from_name"]


@pytest.mark.filterwarnings("ignore")
def test_label_studio_by_its_own_tools(tmp_path):
    pytest.importorskip("label_studio_sdk")
    from label_studio_sdk.converter import Converter
    from label_studio_sdk.label_interface import LabelInterface

    write_formats(IMAGES, ["label-studio"], tmp_path, 0.3)
    interface = LabelInterface((tmp_path / "label-studio.xml").read_text(encoding="utf-8"))
    interface.validate()
    tasks = json.loads((tmp_path / "predictions-label-studio.json").read_text())
    for task in tasks:
        assert interface.validate_prediction(task["predictions"][0], return_errors=True) == []
    accepted = [{**task, "id": at, "annotations": [{"id": at, **task["predictions"][0]}]} for at, task in enumerate(tasks)]
    (tmp_path / "accepted.json").write_text(json.dumps(accepted))
    converter = Converter(str(tmp_path / "label-studio.xml"), project_dir=str(tmp_path), download_resources=False)
    converter.convert_to_coco(str(tmp_path / "accepted.json"), str(tmp_path / "coco"), is_dir=False)
    first, second = json.loads((tmp_path / "coco" / "result.json").read_text())["annotations"]
    assert first["keypoints"] == [11, 21, 2, 30, 8, 2, 0, 0, 0]  # that writer counts from pixel edges, in whole pixels
    assert second["keypoints"] == [12, 22, 2, 0, 0, 0, 4, 62, 2]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("kind", "reader", "file"),
    [
        ("dlc-csv", "from_dlc_file", "predictions-dlc.csv"),
        ("dlc-h5", "from_dlc_file", "predictions-dlc.h5"),
        ("sleap", "from_sleap_file", "predictions.analysis.h5"),
    ],
)
def test_poses_by_movement(tmp_path, kind, reader, file):
    load_poses = pytest.importorskip("movement.io.load_poses")
    write_formats(VIDEO, [kind], tmp_path, 0.3)
    poses = getattr(load_poses, reader)(tmp_path / file, fps=25)
    assert poses.keypoints.values.tolist() == list(NAMES)
    found = poses.position.values[..., 0].transpose(0, 2, 1)  # time, space, keypoint
    sure = poses.confidence.values[..., 0]
    rows = [2, 5] if kind == "sleap" else [0, 1]
    np.testing.assert_allclose(found[rows], CONFIDENT_PX, atol=1e-4)
    known = ~np.isnan(CONFIDENT_PX[..., 0])
    np.testing.assert_allclose(sure[rows][known], CONFIDENCE[known], atol=1e-4)


def test_the_long_table_has_names_and_numbers_of_the_model(tmp_path):
    for found in (IMAGES, VIDEO):
        found.write(tmp_path, {})
        again = Predictions.read(tmp_path)
        assert again.skeleton == SKELETON
        assert again.images == found.images
        np.testing.assert_array_equal(again.keypoints_px, POINTS_PX)
        np.testing.assert_allclose(again.confidence, CONFIDENCE, atol=1e-4)
    lines = (tmp_path / "predictions.csv").read_text(encoding="utf-8").splitlines()
    assert lines[0] == "frame,time_s,keypoint,x_px,y_px,confidence,name"
    assert lines[5] == "5,0.2,2,-4.0,8.0,0.6,left eye"
    np.testing.assert_array_equal(again.frames, FRAMES)


def test_unknown_formats_and_missing_packages_are_refused(tmp_path, monkeypatch):
    with pytest.raises(InputError, match="`formats=dlc`: expected one or more of csv,dlc-csv"):
        write_formats(IMAGES, ["dlc"], tmp_path)
    whole = builtins.__import__

    def without_tables(name, *rest, **more):
        if name == "tables":
            raise ImportError(name)
        return whole(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without_tables)
    monkeypatch.setattr("importlib.import_module", lambda name, *rest: without_tables(name, fromlist=["x"]))
    with pytest.raises(InputError, match="the package tables is not installed"):
        write_formats(IMAGES, ["dlc-h5"], tmp_path)


def test_every_format_writes_every_kind_of_result(tmp_path):
    pytest.importorskip("tables")
    for found, folder in ((IMAGES, tmp_path / "i"), (VIDEO, tmp_path / "v")):
        written = write_formats(found, FORMATS, folder)
        assert len(written) == len(FORMATS) - 1
        assert all(path.exists() for path in written)
        assert not list(folder.rglob("*.part"))
