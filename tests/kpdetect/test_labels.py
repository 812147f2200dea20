"""Labels: stored beside the weights, checked, and used by everything that shows or writes keypoints."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

import kpdetect
from kpdetect.cli.main import app
from kpdetect.errors import ConfigError, InputError
from kpdetect.images.image_files import read_image, write_image
from kpdetect.inference.config import PredictConfig
from kpdetect.inference.folder_job import predict_folder
from kpdetect.inference.labelling import change_labels, describe_labels
from kpdetect.inference.labels import LABELS, Labels
from kpdetect.inference.predictions import Predictions
from tests.builders.dots import dots, perfect
from tests.builders.predicted_images import predict_images


def test_labels_are_stored_beside_the_weights_and_added_to(small_project):
    target, labels, keypoints = change_labels(small_project, names=["0=nose", "2 = l\u00e8vre"], pairs=["1,2"], links=["0-1"])
    assert target == small_project / "detector" / LABELS
    assert keypoints == 3
    predictor = kpdetect.load(small_project, device="cpu")
    assert predictor.labels == labels
    assert predictor.skeleton.names == ("nose", "keypoint1", "l\u00e8vre")
    assert predictor.skeleton.mirror().tolist() == [0, 2, 1]
    change_labels(small_project, names=["1=chin"], links=["1-0", "1-2"], drop=[0])
    skeleton = kpdetect.load(small_project / "detector", device="cpu").skeleton
    assert skeleton.numbers == (1, 2)
    assert skeleton.names == ("chin", "l\u00e8vre")
    assert skeleton.links == ((0, 1),)  # positions; what hung on the dropped keypoint is gone
    assert skeleton.pairs == ((0, 1),)
    before = target.read_bytes()
    assert list(describe_labels(*change_labels(small_project)[1:])) == [
        "  0  nose  (dropped)",
        "  1  chin  (mirror image of 2)",
        "  2  l\u00e8vre  (mirror image of 1)",
        "links: 1-0, 1-2",
    ]
    assert target.read_bytes() == before
    assert change_labels(small_project, clear=True)[1].names == {}


def test_labels_from_a_file(small_project, tmp_path):
    (tmp_path / "mine.yaml").write_text("names: {0: nose, 1: chin}\npairs: [[0, 2]]\ndrop: [1]\n")
    labels = change_labels(small_project, file=tmp_path / "mine.yaml", names=["1=mouth"])[1]
    assert labels.names == {0: "nose", 1: "mouth"}
    assert (labels.pairs, labels.drop) == (((0, 2),), (1,))
    (tmp_path / "mine.yaml").write_text("name: {0: nose}\n")
    with pytest.raises(ConfigError, match="unknown key 'name'; did you mean 'names'"):
        change_labels(small_project, file=tmp_path / "mine.yaml")


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"names": ["3=nose"]}, "keypoint 3: the model has the keypoints 0 to 2"),
        ({"names": ["nose"]}, "expected NUMBER=NAME"),
        ({"names": ["0=nose", "1=nose"]}, "two keypoints have the name 'nose'"),
        ({"names": ["0=keypoint1"]}, "two keypoints have the name 'keypoint1'"),
        ({"names": ["0= "]}, "one line that is not empty"),
        ({"pairs": ["1-2"]}, "`pairs=1-2`: expected two keypoints"),
        ({"pairs": ["1,1"]}, "two different keypoints"),
        ({"pairs": ["0,1", "1,2"]}, "keypoint 1 is in two pairs"),
        ({"links": ["0,1"]}, "`links=0,1`: expected two keypoints"),
        ({"drop": [-1]}, "keypoint -1: the model has the keypoints 0 to 2"),
        ({"drop": [0, 1, 2]}, "all 3 keypoints are dropped"),
    ],
)
def test_bad_labels_are_refused_and_nothing_is_written(small_project, given, reason):
    with pytest.raises(ConfigError, match=reason) as caught:
        change_labels(small_project, **given)
    assert "\n" not in str(caught.value)
    assert not (small_project / "detector" / LABELS).exists()


def test_labels_that_do_not_fit_the_model_are_refused_and_foreign_ones_warned_of(small_project, capsys):
    path = small_project / "detector" / LABELS
    path.write_text("names: {7: nose}\n")
    with pytest.raises(ConfigError, match=r"keypoints\.yaml: keypoint 7: the model has the keypoints 0 to 2"):
        kpdetect.load(small_project)
    path.write_text("names: {0: nose}\nweights: '0123456789abcdef'\n")
    kpdetect.load(small_project, device="cpu")
    assert "was written for other weights" in capsys.readouterr().err


@pytest.mark.slow
def test_results_have_names_and_lack_what_was_dropped(small_project, tmp_path):
    write_image(tmp_path / "in" / "a.png", dots(40, 60, (10, 20), (40, 30)))
    whole = predict_folder(small_project, tmp_path / "in", tmp_path / "out", device="cpu").predictions
    change_labels(small_project, names=["2=tail"], drop=[1])
    kept = predict_folder(small_project, tmp_path / "in", tmp_path / "out", device="cpu").predictions  # not taken for finished
    np.testing.assert_array_equal(kept.keypoints_px, whole.keypoints_px[:, [0, 2]])
    lines = (tmp_path / "out" / "predictions.csv").read_text().splitlines()
    assert [line.split(",")[1] for line in lines[1:]] == ["0", "2"]
    assert [line.split(",")[-1] for line in lines] == ["name", "keypoint0", "tail"]
    assert Predictions.read(tmp_path / "out").points.numbers == (0, 2)
    assert kpdetect.load(small_project)(tmp_path / "in" / "a.png")[0].shape == (3, 2)  # the detector itself gives all


def test_overlays_draw_links(tmp_path):
    write_image(tmp_path / "a.png", dots(150, 200, (40, 30), (140, 100)))
    labels = Labels(names={0: "red", 1: "green"}, links=((0, 1),))
    predict_images(perfect("stretch", labels=labels), [tmp_path / "a.png"], tmp_path, tmp_path / "out", PredictConfig())
    assert (read_image(tmp_path / "out" / "overlays" / "a.png")[196, 271] > 150).all()  # half way, three times as large


def test_labels_are_not_changed_for_images_that_cannot_be_shown(small_project, blob_folder, tmp_path):
    for path in blob_folder.iterdir():
        path.write_text("no picture")
    for images, reason in ((tmp_path / "nowhere", "not a folder"), (blob_folder, "none of 12 images can be read")):
        shown = CliRunner().invoke(app, ["label", str(small_project), "--name", "0=nose", "--images", str(images)])
        assert isinstance(shown.exception, InputError)
        assert reason in str(shown.exception)
        assert shown.stdout == ""
        assert not (small_project / "detector" / LABELS).exists()


def test_the_command_shows_and_draws(small_project, blob_folder):
    (blob_folder / "000.png").write_text("no picture")
    shown = CliRunner().invoke(app, ["label", str(small_project), "--name", "0=nose", "--images", str(blob_folder)])
    assert shown.exit_code == 0, shown.output
    assert "  0  nose" in shown.output
    assert "left out" in shown.output
    sheet = read_image(small_project / "detector" / "keypoints.png")
    assert sheet.shape == (3 * 386, 4 * 386, 3)
    record = json.dumps(kpdetect.load(small_project, device="cpu").skeleton.to_record())
    assert "nose" in record
