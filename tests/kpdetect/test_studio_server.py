"""Who may ask the studio, for what, and that no save is lost; over a real socket."""

from __future__ import annotations

import http.client
import json
import os
import socket
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kpdetect.errors import InputError
from kpdetect.images.image_files import read_image
from kpdetect.inference.labels import read_labels
from kpdetect.studio.server import Served, open_studio
from kpdetect.studio.workplace import open_workplace
from tests.builders.studio import ask, port_of, token_of


def status(served: Served, path: str = "/api/about", **headers: str) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port_of(served), timeout=30)
    connection.request("GET", path, headers={name.replace("_", "-"): value for name, value in headers.items()})
    found = connection.getresponse().status
    connection.close()
    return found


def test_it_listens_on_this_machine_alone(served: Served) -> None:
    assert served.listening.getsockname()[0] == "127.0.0.1"
    assert served.address.startswith("http://127.0.0.1:")


def test_only_the_key_opens(served: Served) -> None:
    key = f"kpdetect-studio-{port_of(served)}={token_of(served)}"
    assert status(served) == 403
    assert status(served, "/edit") == 403
    assert status(served, "/static/app.js") == 403
    assert status(served, "/?token=wrong") == 403
    assert status(served, f"/?token={token_of(served)}") == 200
    assert status(served, Cookie=key) == 200
    assert status(served, Cookie=key[:-1]) == 403


@pytest.mark.parametrize("name", ["evil.example", "127.0.0.1", "127.0.0.1:1", "localhost.evil.example"])
def test_foreign_hosts_are_refused(served: Served, name: str) -> None:
    key = f"kpdetect-studio-{port_of(served)}={token_of(served)}"
    assert status(served, Cookie=key, Host=name) == 400


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1:1", "https://127.0.0.1"])
def test_foreign_origins_are_refused(served: Served, origin: str) -> None:
    key = f"kpdetect-studio-{port_of(served)}={token_of(served)}"
    assert status(served, Cookie=key, Origin=origin) == 403
    assert status(served, Cookie=key, Origin=f"http://127.0.0.1:{port_of(served)}") == 200
    assert status(served, Cookie=key, Sec_Fetch_Site="cross-site") == 403
    assert status(served, Cookie=key, Sec_Fetch_Site="same-site") == 403


def test_pages_may_load_nothing_from_elsewhere(served: Served) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port_of(served), timeout=30)
    connection.request("GET", f"/edit?token={token_of(served)}")
    response = connection.getresponse()
    assert "default-src 'none'" in str(response.getheader("content-security-policy"))
    assert "HttpOnly; SameSite=Strict" in str(response.getheader("set-cookie"))
    connection.close()


def test_a_large_request_is_refused_by_its_length(served: Served) -> None:
    code, answer = ask(served, "/api/edit/draw", b"{}", headers={"Content-Length": str(1 << 40)})
    assert (code, answer["error"]) == (413, "the file is larger than 8 MiB; give a smaller one")


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/api/edit/draw", b"not json"),
        ("/api/edit/draw", b"[1]"),
        ("/api/edit/draw", {"model": "project", "sample": -1}),
        ("/api/edit/draw", {"model": "/etc/passwd"}),
        ("/api/edit/model?model=../x", None),
        ("/api/edit/sample/0?model=toy-32&truncation=x", None),
        ("/api/edit/saved/..%2f..%2fpredictions%2fpredictions.csv", None),
        ("/api/name", {"model": "toy-32"}),
        ("/api/review/9", None),
        ("/api/review/0/picture/99", None),
        ("/api/review/0/export", {"formats": ["word"]}),
        ("/api/compare/none/tally", None),
        ("/api/compare/..%2f..%2f/page", None),
        ("/api/project/sheet/predictions/1", None),
        ("/static/..%2fserver.py", None),
        ("/nowhere", None),
    ],
)
def test_wrong_input_is_one_sentence(served: Served, path: str, body: Any) -> None:
    code, answer = ask(served, path, body)
    assert code in (400, 404)
    text = answer["error"] if isinstance(answer, dict) else answer.decode()
    assert "\n" not in text.strip()
    assert "Traceback" not in text
    assert text


def test_images_behind_links_to_elsewhere_are_refused(served: Served, studio_project: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside.png"
    outside.write_bytes((studio_project.parent / "images" / "001.png").read_bytes())
    inside = studio_project.parent / "images" / "001.png"
    inside.unlink()
    inside.symlink_to(outside)
    try:
        code, answer = ask(served, "/api/review/0/picture/1")
    finally:
        inside.unlink()
        os.replace(outside, inside)
    assert code == 400
    assert "outside of the folders" in answer["error"]
    assert ask(served, "/api/review/0/picture/1")[0] == 200


def test_labels_are_those_of_kpdetect_label_and_no_save_is_lost(served: Served, studio_project: Path) -> None:
    from kpdetect.inference.labelling import change_labels

    model = str(studio_project)
    _, first = ask(served, f"/api/name?model={model}")
    assert first["version"] == "new"
    labels = {"names": {"0": "left eye", "7": "right eye"}, "pairs": [[0, 7]], "links": [[0, 7]], "drop": [5]}
    labels["weights"] = first["weights"]
    code, saved = ask(served, "/api/name", {"model": model, "version": "new", **labels})
    assert code == 200
    found = read_labels(studio_project / "detector" / "model.safetensors", 10)
    assert (found.names, found.pairs, found.drop) == ({0: "left eye", 7: "right eye"}, ((0, 7),), (5,))
    code, answer = ask(served, "/api/name", {"model": model, "version": "new", **labels, "drop": []})
    assert (code, "changed elsewhere" in answer["error"]) == (409, True)
    change_labels(studio_project, names=["1=nose"])
    code, _ = ask(served, "/api/name", {"model": model, "version": saved["version"], **labels})
    assert code == 409
    assert read_labels(studio_project / "detector" / "model.safetensors", 10).names[1] == "nose"
    _, now = ask(served, f"/api/name?model={model}")
    code, answer = ask(served, "/api/name", {"model": model, "version": now["version"], **labels, "pairs": [[0, 0]]})
    assert (code, answer["error"]) == (400, "labels: 0,0: expected two different keypoints in a pair or link")
    (studio_project / "detector" / "keypoints.yaml").unlink()


def test_labels_of_shipped_models_are_not_written(served: Served) -> None:
    labels = {"model": "toy-32", "version": "new", "names": {"0": "a"}, "pairs": [], "links": [], "drop": []}
    weights = ask(served, "/api/name?model=toy-32")[1]["weights"]
    code, answer = ask(served, "/api/name", {**labels, "weights": weights})
    assert code == 400
    assert "comes with the package" in answer["error"]


def test_the_project_is_read_from_its_files(served: Served, studio_project: Path) -> None:
    from kpdetect.progress import Progress
    from kpdetect.training.progress_note import NOTE, noted_in

    with noted_in(studio_project, stage=1, stages=7, title="Train the generator"), Progress(400, "train") as progress:
        progress.update(100)
        _, found = ask(served, "/api/project")
    assert not (studio_project / NOTE).exists()
    assert {"stage": 1, "stages": 7, "done": 100, "total": 400, "stopped": False}.items() <= found["now"].items()
    [generator, detector] = found["stages"]
    assert (generator["name"], generator["images"], generator["sheets"]) == ("generator", 8000, [250])
    assert generator["curves"]["loss_g"] == [[50, 1.0], [100, 0.5], [150, 1 / 3], [200, 0.25], [250, 0.2]]
    assert detector["finished"]
    assert ask(served, "/api/project/sheet/generator/250")[0] == 200
    assert ask(served, "/report")[0] == 400


def test_a_port_in_use_is_said() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(InputError, match="cannot be used"):
            open_studio(open_workplace(Path("toy-32")), taken.getsockname()[1])


def test_what_cannot_be_opened_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such project or model"):
        open_workplace(tmp_path / "nothing")
    with pytest.raises(InputError, match="no predictions.csv"):
        open_workplace(None, predictions=tmp_path)
    with pytest.raises(InputError, match="no such folder"):
        open_workplace(None, compared=[tmp_path / "none"])


def correct(served: Served, row: int, version: str, points: dict[str, Any] | None) -> tuple[int, Any]:
    _, data = ask(served, "/api/review/0")
    shown = {"image": data["images"][row], "predictions": data["predictions"]}
    return ask(served, "/api/review/0/correct", {"row": row, **shown, "version": version, "points": points})


def test_corrections_flow_into_formats_and_annotations(served: Served, studio_project: Path) -> None:
    folder = studio_project / "predictions"
    before = (folder / "predictions.csv").read_bytes()
    _, data = ask(served, "/api/review/0")
    assert data["images"][2] == "002.png"
    code, first = correct(served, 2, "new", {"3": {"at": [11.25, 30.5], "by": "moved"}, "4": {"at": None, "by": "hidden"}})
    assert code == 200
    code, answer = correct(served, 2, "new", {"3": {"at": [1, 1], "by": "moved"}})
    assert (code, "changed elsewhere" in answer["error"]) == (409, True)
    code, answer = correct(served, 2, first["version"], {"3": {"at": [48, 1], "by": "moved"}})
    assert (code, "outside of the image of 48x40" in answer["error"]) == (400, True)
    assert (folder / "predictions.csv").read_bytes() == before
    rows = (folder / "corrections.csv").read_text().splitlines()
    assert rows[0] == "image,keypoint,x_px,y_px,visible,by,model,name"
    assert rows[1].startswith("002.png,3,11.250,30.500,1,moved,")
    assert rows[2].startswith("002.png,4,,,0,hidden,")

    code, _ = ask(served, "/api/review/0/export", {"formats": ["coco", "dlc-csv", "label-studio", "yolo", "sleap"]})
    assert code == 200
    coco = json.loads((folder / "predictions-coco.json").read_text())["annotations"][2]
    assert coco["keypoints"][9:12] == [11.25, 30.5, 2]
    assert coco["keypoints"][12:15] == [0, 0, 0]
    assert coco["keypoint_human"] == [0, 0, 0, 1, 1, 0, 0, 0, 0, 0]
    assert coco["keypoint_scores"][3] == 1.0
    task = json.loads((folder / "predictions-label-studio.json").read_text())[2]
    [point] = task["annotations"][0]["result"]
    assert (point["value"]["x"], point["value"]["y"]) == (round(100 * 11.75 / 48, 4), 77.5)
    assert "annotations" not in json.loads((folder / "predictions-label-studio.json").read_text())[1]
    human = (folder / "CollectedData_human.csv").read_text().splitlines()
    assert human[3].split(",")[:11] == ["002.png", *[""] * 6, "11.25", "30.5", "", ""]

    code, _ = correct(served, 2, first["version"], None)
    assert code == 200
    assert len((folder / "corrections.csv").read_text().splitlines()) == 1


def test_checked_images_are_a_table_to_benchmark(served: Served, studio_project: Path) -> None:
    from benchmarks.datasets.own_table import TableOptions, load_table

    _, data = ask(served, "/api/review/0")
    versions = {}
    for row in range(6):
        points = {str(number): {"at": data["points"][row][number], "by": "kept"} for number in data["numbers"]}
        code, saved = correct(served, row, "new", points)
        assert code == 200
        versions[row] = saved["version"]
    _, landmarks = load_table(
        studio_project / "predictions" / "corrections.csv", studio_project.parent / "images", TableOptions()
    )
    assert np.allclose(landmarks.landmarks_px[0], data["points"][0], atol=1e-3)
    for row, version in versions.items():
        assert correct(served, row, version, None)[0] == 200


def test_predictions_made_again_leave_corrections(studio_project: Path, tmp_path: Path) -> None:
    from kpdetect.inference.config import PredictConfig
    from kpdetect.inference.corrections import Checked, Corrections
    from kpdetect.inference.prediction_job import predict_inputs
    from kpdetect.inference.prediction_record import read_prediction_head

    images = str(studio_project.parent / "images")
    config = PredictConfig(formats=("coco",), overlays=0)
    predict_inputs(studio_project, [images], tmp_path, config)
    model = read_prediction_head(tmp_path).model
    points = {0: Checked(at_px=(5.0, 6.0), by="moved", model=model), 1: Checked(at_px=(7.0, 8.0), by="moved", model="x")}
    Corrections(images={"000.png": points}).write(tmp_path, {}, model)
    predict_inputs(studio_project, [images], tmp_path, config.model_copy(update={"overwrite": True}))
    coco = json.loads((tmp_path / "predictions-coco.json").read_text())["annotations"][0]
    assert coco["keypoints"][:3] == [5, 6, 2]
    assert coco["keypoints"][3:5] != [7, 8]  # of other weights
    assert coco["keypoint_human"][:2] == [1, 0]


def test_pictures_are_those_of_the_folder(served: Served, studio_project: Path, tmp_path: Path) -> None:
    code, jpeg = ask(served, "/api/review/0/picture/3")
    (tmp_path / "a.jpg").write_bytes(jpeg)
    shown = read_image(tmp_path / "a.jpg").astype(float)
    assert code == 200
    assert np.abs(shown - read_image(studio_project.parent / "images" / "003.png")).mean() < 8
