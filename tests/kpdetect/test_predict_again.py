"""A prediction that is repeated: what is finished is used again with all that was said of it, what has changed is not."""

from functools import partial

import numpy as np
import pandas as pd
import pytest
from PIL import Image as Pillow

from benchmarks.datasets.annotation_formats import read_annotations
from benchmarks.datasets.landmarks import image_sizes
from kpdetect.errors import InputError
from kpdetect.files.atomic import read_json
from kpdetect.inference import image_job as folder
from kpdetect.inference.config import PredictConfig
from kpdetect.inference.formats.choice import FILES, FORMATS
from kpdetect.inference.prediction_job import predict_inputs
from tests.builders.dots import write_video


@pytest.mark.slow
def test_what_was_skipped_is_said_again(small_project, blob_folder, tmp_path):
    (blob_folder / "broken.jpg").write_text("no picture")
    out = tmp_path / "found"
    first = predict_inputs(small_project, [str(blob_folder)], out, device="cpu")
    listed = (out / "skipped.csv").read_text()
    again = predict_inputs(small_project, [str(blob_folder)], out, device="cpu")
    assert again.skipped == first.skipped
    assert list(first.skipped) == ["broken.jpg"]
    assert (out / "skipped.csv").read_text() == listed


@pytest.mark.slow
def test_strict_does_not_accept_what_lenient_left(small_project, blob_folder, tmp_path):
    (blob_folder / "broken.jpg").write_text("no picture")
    predict_inputs(small_project, [str(blob_folder)], tmp_path / "found", device="cpu")
    with pytest.raises(InputError, match=r"broken\.jpg"):
        predict_inputs(small_project, [str(blob_folder)], tmp_path / "found", PredictConfig(strict=True), device="cpu")


@pytest.mark.slow
def test_a_damaged_video_is_said_again(small_project, tmp_path):
    write_video(tmp_path / "film.avi", 40)
    data = (tmp_path / "film.avi").read_bytes()
    (tmp_path / "film.avi").write_bytes(data[: len(data) // 2])
    arguments = small_project, [str(tmp_path / "film.avi")], tmp_path / "found", PredictConfig(overlays=0)
    first = predict_inputs(*arguments, device="cpu")
    assert "damaged after frame" in next(iter(first.skipped.values()))
    assert predict_inputs(*arguments, device="cpu").skipped == first.skipped
    with pytest.raises(InputError, match="damaged after frame"):
        predict_inputs(*arguments[:3], PredictConfig(overlays=0, strict=True), device="cpu")


@pytest.mark.slow
def test_other_boxes_in_the_same_file_are_predicted_anew(small_project, tmp_path):
    write_video(tmp_path / "film.avi", 5)
    boxes, found = tmp_path / "boxes.csv", {}
    for left in (0, 30):
        boxes.write_text(f"image,left,top,width,height\nfilm,{left},10,40,50\n")
        config = PredictConfig(overlays=0, boxes=boxes)
        predict_inputs(small_project, [str(tmp_path / "film.avi")], tmp_path / "found", config, device="cpu")
        found[left] = pd.read_csv(tmp_path / "found" / "videos" / "film" / "predictions.csv")["x_px"]
    assert found[0].between(-0.5, 49.5).all()
    assert found[30].mean() - found[0].mean() == pytest.approx(30, abs=5)


@pytest.mark.slow
def test_results_of_other_settings_do_not_stay_beside_new_ones(small_project, blob_folder, tmp_path):
    write_video(blob_folder / "film.avi", 3)
    out, clip = tmp_path / "found", tmp_path / "found" / "videos" / "film"

    def files(**settings):
        predict_inputs(small_project, [str(blob_folder)], out, PredictConfig(**settings), device="cpu")
        return {path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()}

    first = files(formats=tuple(FORMATS))
    written = ["yolo/data.yaml", *(name for names in FILES.values() for name in names)]
    assert all((folder / name).exists() for name in written for folder in (out, clip))
    assert files() == files(overwrite=True) == first  # nothing new was predicted
    tables = {f"{folder}{name}" for folder in ("", "videos/film/") for name in ("predictions.csv", "predictions.json")}
    pictures = {"derived.json", "videos/film/derived.json"}
    pictures |= {"overlays/000.png", "overlays/023.png", "videos/film/overlay.mp4"}
    assert files(overlays=2) == tables | pictures
    coco = {f"{folder}{name}" for folder in ("", "videos/film/") for name in ("predictions-coco.json", "derived.json")}
    assert files(overlays=0, formats=("coco",)) == tables | coco


@pytest.mark.slow
def test_records_of_the_earlier_border_are_still_those_of_weights_that_know_no_other(small_project, blob_folder, tmp_path):
    """They say 0.4 where nothing was asked for; nothing is predicted again, and no overlay is lost."""
    out = tmp_path / "found"
    predict_inputs(small_project, [str(blob_folder)], out, device="cpu")
    record = read_json(out / "predictions.json")
    assert record["settings"]["margin"] == 0.4
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*") if path.is_file()}
    predict_inputs(small_project, [str(blob_folder)], out, PredictConfig(margin=0.4), device="cpu")
    assert {path: path.stat().st_mtime_ns for path in before} == before


@pytest.mark.slow
@pytest.mark.parametrize("when", ["second look", "other size", "overlay"])
def test_an_image_that_is_lost_on_the_way_costs_itself_only(small_project, blob_folder, tmp_path, monkeypatch, when):
    lost = blob_folder / "003.png"

    def read(path, *given, whole):
        if path == lost and when != "other size":
            raise InputError(f"{path}: not a readable image")
        image = whole(path, *given)
        return image[:-1] if path == lost else image

    function = "read_at_least" if when == "overlay" else "read_image"  # the first look reads by a third one
    monkeypatch.setattr(folder, function, partial(read, whole=getattr(folder, function)))
    config = PredictConfig(two_pass=True, overlays=-1)
    summary = predict_inputs(small_project, [str(blob_folder)], tmp_path / "found", config, device="cpu")
    assert list(summary.skipped) == ["003.png"]
    images = pd.read_csv(tmp_path / "found" / "predictions.csv")["image"].unique()
    assert ("003.png" in images) == (when == "overlay")
    assert len(images) == 23 + (when == "overlay")
    again = predict_inputs(small_project, [str(blob_folder)], tmp_path / "found", config, device="cpu")
    assert again.skipped == summary.skipped
    strict = PredictConfig(two_pass=True, overlays=-1, strict=True)
    with pytest.raises(InputError, match=r"003\.png"):
        predict_inputs(small_project, [str(blob_folder)], tmp_path / "strict", strict, device="cpu")


@pytest.mark.slow
def test_formats_of_a_repeated_call_equal_those_of_the_first(small_project, blob_folder, tmp_path):
    """All are written from the table as it is read back; only JSON that holds the time of writing may differ."""
    write_video(blob_folder / "film.avi", 5)
    out, config = tmp_path / "found", PredictConfig(formats=tuple(FORMATS), overlays=0)
    predict_inputs(small_project, [str(blob_folder)], out, config, device="cpu")
    first = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    predict_inputs(small_project, [str(blob_folder)], out, config, device="cpu")
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == first


def test_exports_state_the_sizes_of_pictures_as_displayed(small_project, tmp_path):
    picture = Pillow.fromarray(np.zeros((30, 50, 3), np.uint8))  # H 30, W 50, stored on its side
    exif = picture.getexif()
    exif[0x0112] = 6
    (tmp_path / "in").mkdir()
    picture.save(tmp_path / "in" / "a.jpg", exif=exif)
    config = PredictConfig(formats=("coco", "label-studio"))
    predict_inputs(small_project, [str(tmp_path / "in")], tmp_path / "out", config, device="cpu")
    [image] = read_json(tmp_path / "out" / "predictions-coco.json")["images"]
    assert (image["height"], image["width"]) == (50, 30)
    [task] = read_json(tmp_path / "out" / "predictions-label-studio.json")
    for result in task["predictions"][0]["result"]:
        assert (result["original_height"], result["original_width"]) == (50, 30)
    table = read_annotations(tmp_path / "out" / "predictions-coco.json")
    assert table.images == ["a.jpg"]
    assert table.sizes is not None
    table.require_sizes(image_sizes(tmp_path / "in", table.images), lambda row: True, np.array([0]))
