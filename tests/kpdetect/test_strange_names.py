"""Files whose names are not UTF-8, or hold line ends, cost themselves only; colons are no protocols."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from kpdetect.data.folder import build_cache
from kpdetect.errors import InputError
from kpdetect.files.atomic import read_json, write_json
from kpdetect.images.image_files import write_image
from kpdetect.inference.config import PredictConfig
from kpdetect.inference.overlay_video import OverlayWriter
from kpdetect.inference.prediction_job import predict_inputs
from kpdetect.inference.predictions import Predictions
from kpdetect.inference.video import VideoReader
from kpdetect.messages import log

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse such names themselves")
GREY = np.full((20, 24, 3), 128, np.uint8)


def picture(folder: Path, name: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    write_image(folder / "plain.png", GREY)
    os.rename(folder / "plain.png", folder / name)


def film(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    plain = path.parent.parent / "plain.mp4"
    writer = OverlayWriter(plain, (32, 48), 10.0)
    for level in (20, 120, 220):
        writer.add(np.full((32, 48, 3), level, np.uint8))
    writer.close()
    os.rename(plain, path)
    return path


def skipped(out: Path) -> dict[str, str]:
    with open(out / "skipped.csv", newline="", encoding="utf-8") as file:
        return dict(list(csv.reader(file))[1:])


@pytest.mark.slow
def test_predict_skips_files_whose_names_no_table_can_hold(tmp_path):
    for name in ("caf\udce9.png", "new\nline.png", "good.png"):
        picture(tmp_path / "in", name)
    film(tmp_path / "in" / "vid\udce9o.mp4")
    for inputs in ([str(tmp_path / "in")], [str(tmp_path / "in" / "*")]):
        done = predict_inputs("toy-32", inputs, tmp_path / "out", PredictConfig(overlays=0, formats=("coco", "yolo")))
        assert done.images == 1
        assert set(skipped(tmp_path / "out")) == {"caf\\xe9.png", "new\\x0aline.png", "vid\\xe9o.mp4"}
        assert Predictions.read(tmp_path / "out").images == ["good.png"]
    with pytest.raises(InputError, match="not UTF-8"):
        predict_inputs("toy-32", [str(tmp_path / "in")], tmp_path / "new", PredictConfig(strict=True))
    with pytest.raises(InputError, match="not UTF-8"):
        predict_inputs("toy-32", [str(tmp_path / "in" / "vid\udce9o.mp4")], tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_a_folder_whose_name_is_not_utf_8_is_read_and_its_records_too(tmp_path):
    folder = tmp_path / "g\udce9"
    for number in range(16):
        picture(folder, f"{number}.png")
    (folder / "broken.png").write_text("nothing")
    film(folder / "a.mp4")
    done = predict_inputs("toy-32", [str(folder)], tmp_path / "out", PredictConfig(overlays=0))
    assert (done.images, done.clips) == (16, [])
    record = (tmp_path / "out" / "predictions.json").stat()
    predict_inputs("toy-32", [str(folder)], tmp_path / "out", PredictConfig(overlays=0))
    assert (tmp_path / "out" / "predictions.json").stat().st_mtime_ns == record.st_mtime_ns  # it was read, not made again
    assert set(skipped(tmp_path / "out")) == {"a.mp4", "broken.png"}
    assert len(build_cache(folder, tmp_path / "run", 8, "centre", set())) == 16
    assert "g\\xe9/broken.png" in skipped(tmp_path / "run")["broken.png"]


def test_videos_in_folders_whose_names_are_not_utf_8_are_read(tmp_path):
    with VideoReader(film(tmp_path / "g\udce9" / "a.mp4")) as reader:
        assert len(list(reader.frames())) == 3


def test_messages_can_be_written(caplog):
    log.warning("skipped %s and %s", "g\udce9.png", "\ud800")
    assert caplog.messages == ["skipped g\\xe9.png and \\ud800"]


def test_json_holds_no_bytes_that_a_reader_refuses(tmp_path):
    write_json(tmp_path / "a.json", {"g\udce9": ["\U0001f600 \udce9", ("b", 1)], "c\\udce9": None})
    assert read_json(tmp_path / "a.json") == {"g\\xe9": ["\U0001f600 \\xe9", ["b", 1]], "c\\udce9": None}


def test_commands_refuse_results_and_files_whose_names_are_not_utf_8(tmp_path):
    picture(tmp_path, "caf\udce9.png")
    for arguments in (
        ["predict", "toy-32", ".", "--out", "o\udce9"],
        ["predict", "toy-32", "caf\udce9.png", "--out", "o"],
        ["edit", "toy-32", "--pose-from", "caf\udce9.png", "--out", "o"],
    ):
        done = subprocess.run(
            [sys.executable, "-m", "kpdetect.cli.main", *arguments], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert done.returncode == 2
        assert done.stderr.endswith("\\xe9; rename it\n") or done.stderr.endswith("the name is not UTF-8; rename it\n")
        assert len(done.stderr.splitlines()) == 1
    assert len(os.listdir(tmp_path)) == 1


def test_colons_in_names_are_no_protocols(tmp_path, monkeypatch):
    film(tmp_path / "2024-05-01T10:30:00.mp4")
    monkeypatch.chdir(tmp_path)
    with VideoReader(Path("2024-05-01T10:30:00.mp4")) as reader:
        assert len(list(reader.frames())) == 3
    done = predict_inputs("toy-32", ["2024-05-01T10:30:00.mp4"], "10:30")
    assert done.clips == [(Path("10:30/videos/2024-05-01T10:30:00"), 3)]
    assert (tmp_path / "10:30" / "videos" / "2024-05-01T10:30:00" / "overlay.mp4").stat().st_size > 0
    pytest.importorskip("av")
    predict_inputs("toy-32", ["2024-05-01T10:30:00.mp4"], "10:31", PredictConfig(h264=True))
    assert (tmp_path / "10:31" / "videos" / "2024-05-01T10:30:00" / "overlay.mp4").stat().st_size > 0
