"""`kpdetect predict` on any mix of inputs: what is found, what is skipped, what is written, what is left alone."""

import csv
import json

import numpy as np
import pytest
from PIL import Image as Pillow
from typer.testing import CliRunner

from kpdetect.cli.main import app
from kpdetect.errors import FormatError, InputError
from kpdetect.images.image_files import read_image, write_image
from kpdetect.inference import image_job, page_reader, sources
from kpdetect.inference.config import PredictConfig
from kpdetect.inference.overlap import workers_of
from kpdetect.inference.prediction_job import predict_inputs
from kpdetect.inference.predictions import Predictions
from kpdetect.inference.sources import find_sources
from tests.builders.dots import dots, perfect, write_video
from tests.builders.predicted_images import predict_images
from tests.builders.runtimes import CPU


@pytest.fixture
def mixed(tmp_path):
    """A folder with names nobody likes: three images, one of them broken, and three videos, two of them broken."""
    source = tmp_path / "Bilder für später"
    write_image(source / "sub folder" / "ä 1.png", dots(40, 60, (10, 20), (40, 30)))
    write_image(source / "顔.png", dots(61, 43, (10, 20), (40, 30)))
    (source / "broken.jpg").write_text("no picture")
    write_video(source / "fl ö.avi", 6)
    (source / "zero.mp4").write_bytes(b"")
    (source / "text.mov").write_text("no video")
    return source


def test_a_folder_of_everything_is_finished_and_what_was_skipped_is_listed(small_project, mixed, tmp_path):
    out = tmp_path / "out"
    summary = predict_inputs(small_project, [str(mixed)], out, PredictConfig(), "cpu")
    assert summary.images == 2
    assert summary.clips == [(out / "videos" / "fl ö", 6)]
    with open(out / "skipped.csv", newline="", encoding="utf-8") as file:
        rows = dict(list(csv.reader(file))[1:])
    assert sorted(rows) == ["broken.jpg", "text.mov", "zero.mp4"]  # below the folder, as images are named
    assert all("not a readable" in reason and "\n" not in reason for reason in rows.values())
    assert Predictions.read(out).images == ["sub folder/ä 1.png", "顔.png"]
    assert (out / "overlays" / "顔.png").exists()
    assert (out / "videos" / "fl ö" / "overlay.mp4").exists()
    assert [path.name for path in (out / "videos").iterdir()] == ["fl ö"]  # nothing of what could not be read


@pytest.mark.slow
def test_a_format_that_is_refused_keeps_no_other_from_being_written(small_project, mixed, tmp_path):
    out, formats = tmp_path / "out", ("yolo", "coco")
    write_image(mixed / "顔.bmp", dots(61, 43, (10, 20), (40, 30)))  # YOLO knows both as 顔.txt
    arguments = ["predict", str(small_project), str(mixed), "--out", str(out), "--format", ",".join(formats), "--device", "cpu"]
    done = CliRunner().invoke(app, arguments)
    assert isinstance(done.exception, InputError)
    assert str(done.exception).startswith("`formats=yolo`: 2 images share the label file 顔.txt")
    assert (out / "predictions-coco.json").exists()
    assert not (out / "yolo").exists()
    assert (out / "videos" / "fl ö" / "yolo" / "data.yaml").exists()  # frames have numbers
    with open(out / "skipped.csv", newline="", encoding="utf-8") as file:
        assert len(list(csv.reader(file))) == 1 + 3  # the broken files
    strict = PredictConfig(formats=formats, strict=True)
    with pytest.raises(InputError, match="`formats=yolo`"):
        predict_inputs(small_project, [str(mixed / "顔.bmp"), str(mixed / "顔.png")], out, strict, "cpu")


@pytest.mark.slow
def test_finished_work_is_left_alone_until_something_changes(small_project, mixed, tmp_path, capsys):
    out, config = tmp_path / "out", PredictConfig()
    tables = [out / "predictions.csv", out / "videos" / "fl ö" / "predictions.csv"]

    def times(config):
        predict_inputs(small_project, [str(mixed)], out, config, "cpu")
        return [table.stat().st_mtime_ns for table in tables]

    first = times(config)
    assert times(config) == first
    assert capsys.readouterr().err.count("predicted already") == 2
    assert all(new > old for new, old in zip(times(PredictConfig(overwrite=True)), first, strict=True))
    second = times(config)
    write_image(mixed / "new.png", dots(40, 60, (10, 20), (40, 30)))
    third = times(config)
    assert third[0] > second[0]
    assert third[1] == second[1]  # the video is as it was
    assert times(PredictConfig(stride=2))[1] > second[1]


def test_results_inside_the_input_folder_are_no_inputs(small_project, mixed):
    for _ in range(2):
        summary = predict_inputs(small_project, [str(mixed)], mixed / "out", PredictConfig(), "cpu")
        assert (summary.images, len(summary.clips)) == (2, 1)


def test_strict_stops_at_the_first(small_project, mixed, tmp_path):
    with pytest.raises(InputError, match=r"broken\.jpg"):
        predict_inputs(small_project, [str(mixed)], tmp_path / "out", PredictConfig(strict=True), "cpu")
    with pytest.raises(InputError, match=r"zero\.mp4"):
        predict_inputs(small_project, [str(mixed / "zero.mp4")], tmp_path / "out", PredictConfig(), "cpu")
    assert not (tmp_path / "out" / "videos" / "zero").exists()


@pytest.mark.slow
def test_what_is_refused_leaves_no_new_folder(small_project, mixed, tmp_path):
    box, film = tmp_path / "boxes.csv", mixed / "fl ö.avi"
    box.write_text("image,left,top,width,height\nfl ö,9000,0,5,5\n", encoding="utf-8")
    for name, config in (
        ("broken.jpg", PredictConfig()),
        ("zero.mp4", PredictConfig()),
        ("fl ö.avi", PredictConfig(start=100)),
        ("fl ö.avi", PredictConfig(boxes=box)),
        (".", PredictConfig(strict=True)),
    ):
        with pytest.raises(InputError):
            predict_inputs(small_project, [str(mixed / name)], tmp_path / "new" / "out", config, "cpu")
        assert not (tmp_path / "new").exists(), name
    (tmp_path / "there").mkdir()
    with pytest.raises(InputError, match="no readable frame"):
        predict_inputs(small_project, [str(film)], tmp_path / "there", PredictConfig(start=100), "cpu")
    assert (tmp_path / "there").exists()


def test_images_none_of_which_can_be_read_are_all_listed_beside_a_video(small_project, mixed, tmp_path):
    (mixed / "torn.png").write_text("no picture")
    inputs = [str(mixed / name) for name in ("broken.jpg", "torn.png", "fl ö.avi")] + [str(tmp_path / "short.avi")]
    (tmp_path / "short.avi").write_text("no video")
    summary = predict_inputs(small_project, inputs, tmp_path / "out", PredictConfig(), "cpu")
    assert list(summary.skipped) == ["broken.jpg", "torn.png", str(tmp_path / "short.avi")]  # elsewhere: as it was given
    assert "torn.png" in summary.skipped["torn.png"]


def test_inputs_are_files_folders_and_patterns(mixed, tmp_path):
    (tmp_path / "other").mkdir()
    write_image(tmp_path / "other" / "b.png", dots(40, 60, (1, 1), (2, 2)))
    found = find_sources([str(mixed / "*.png"), str(tmp_path / "other"), str(mixed / "fl ö.avi"), "webcam:1"])
    assert found.root == tmp_path
    assert found.names == ["Bilder für später/顔.png", "other/b.png"]
    assert [(clip.name, clip.source) for clip in found.clips] == [("fl ö", mixed / "fl ö.avi"), ("webcam1", 1)]
    assert find_sources([str(mixed / "**" / "*.png")]).names == ["sub folder/ä 1.png", "顔.png"]


def test_videos_of_one_name_get_different_folders(tmp_path):
    for name in ("a/v.mp4", "b/v.mp4", "b/v.avi", "w.mp4"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    names = [clip.name for clip in find_sources([str(tmp_path)]).clips]
    assert names == ["a-v", "v-avi", "v-mp4", "w"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [("missing.png", "no such file"), ("none*.png", "no file fits"), ("webcam:x", "expected webcam:NUMBER")],
)
def test_inputs_that_do_not_exist_are_refused_before_anything_starts(small_project, mixed, tmp_path, text, reason):
    with pytest.raises(InputError, match=reason):
        predict_inputs(small_project, [str(mixed), text], tmp_path / "out", PredictConfig(), "cpu")
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_only_a_few_images_are_decoded_at_a_time(tmp_path, monkeypatch):
    """However many there are, and however many overlays and passes are asked for."""
    alive, most = [0], [0]

    class Counted(np.ndarray):
        def __del__(self):
            if self.base is None:
                alive[0] -= 1

    def read(path):
        image = read_image(path)
        counted = Counted(image.shape, image.dtype)
        counted[...] = image
        alive[0] += 1
        most[0] = max(most[0], alive[0])
        return counted

    for number in range(70):
        write_image(tmp_path / "in" / f"{number}.png", dots(40, 60, (10, 20), (40, 30)))
    monkeypatch.setattr(image_job, "read_image", read)
    config = PredictConfig(overlays=-1, two_pass=True, flip_average=True)
    found, _ = predict_images(perfect(), sorted((tmp_path / "in").iterdir()), tmp_path / "in", tmp_path / "out", config)
    assert len(found.images) == 70
    assert 1 <= most[0] <= workers_of(CPU)


def test_overlays_of_files_that_differ_in_their_ending_only(tmp_path):
    for name in ("a.png", "a.bmp", "b.png"):
        write_image(tmp_path / "in" / name, dots(40, 60, (10, 20), (40, 30)))
    predict_images(perfect(), sorted((tmp_path / "in").iterdir()), tmp_path / "in", tmp_path / "out", PredictConfig())
    assert sorted(path.name for path in (tmp_path / "out" / "overlays").iterdir()) == ["a.bmp.png", "a.png.png", "b.png"]


def test_boxes_choose_the_part_that_is_seen(tmp_path):
    image = np.zeros((150, 260, 3), np.uint8)
    image[20:100, 130:210] = dots(80, 80, (30, 60), (50, 20))
    image[120:140, 10:30, :2] = 255  # what a look at the whole image would find
    write_image(tmp_path / "a.png", image)
    write_image(tmp_path / "b.png", dots(80, 80, (30, 60), (50, 20)))
    paths, boxes = [tmp_path / "a.png", tmp_path / "b.png"], {"a.png": (130.0, 25.0, 80.0, 70.0)}
    found, _ = predict_images(perfect(), paths, tmp_path, tmp_path / "out", PredictConfig(), boxes)
    np.testing.assert_allclose(found.keypoints_px[0], [[160, 80], [180, 40]], atol=0.2)
    np.testing.assert_allclose(found.keypoints_px[1], [[30, 60], [50, 20]], atol=0.2)
    with pytest.raises(InputError, match="outside the image of 260 x 150"):
        predict_images(perfect(), paths[:1], tmp_path, tmp_path / "o", PredictConfig(), {"a.png": (300.0, 0.0, 9.0, 9.0)})


@pytest.mark.parametrize(
    ("text", "error", "reason"),
    [
        ("image,left,top,width\na,1,2,3\n", FormatError, "no column height"),
        ("image,left,top,width,height\na,1,2,x,4\n", FormatError, "a: not a box"),
        ("image,left,top,width,height\na,1,2,0,4\n", FormatError, "a: not a box"),
        ("image,left,top,width,height\n顔.png,1,2,3,4\n顔.png,1,2,3,4\n", FormatError, "two boxes"),
        ("image,left,top,width,height\nc,1,2,3,4\n", InputError, "1 names are not inputs, the first one is c"),
        ("", FormatError, "not a table"),
    ],
)
def test_bad_boxes_are_refused(small_project, mixed, tmp_path, text, error, reason):
    (tmp_path / "boxes.csv").write_text(text, encoding="utf-8")
    with pytest.raises(error, match=reason):
        predict_inputs(small_project, [str(mixed)], tmp_path / "out", PredictConfig(boxes=tmp_path / "boxes.csv"), "cpu")


def test_the_command_says_what_it_did(small_project, mixed, tmp_path):
    out = tmp_path / "out"
    arguments = ["predict", str(small_project), str(mixed), str(mixed / "fl ö.avi"), "--out", str(out), "--stride", "2"]
    shown = CliRunner().invoke(app, [*arguments, "--start", "1", "--end", "6", "--overlays", "3", "--device", "cpu"])
    assert shown.exit_code == 0, shown.output
    assert "(2 images)" in shown.output
    assert "(3 frames)" in shown.output
    assert "skipped 3 inputs" in shown.output
    record = json.loads((out / "videos" / "fl ö" / "predictions.json").read_text(encoding="utf-8"))
    assert record["settings"]["stride"] == 2
    assert record["clip"]["size"] == [102, 122]
    told = CliRunner().invoke(app, ["info", str(out)]).output.splitlines()
    assert told[0] == "predictions: 2 images, 3 keypoints"
    assert "  predictions: 3 frames of a video at 25 a second, 3 keypoints" in told
    assert len(list((out / "overlays").rglob("*.png"))) == 2  # the third is the broken one


@pytest.mark.slow
def test_the_command_names_no_overlays_where_there_are_none_and_counts_what_it_does_not_name(small_project, mixed, tmp_path):
    for number in range(3):
        (mixed / f"torn{number}.png").write_text("no picture")
    given = ["predict", str(small_project), str(mixed), "--out", str(tmp_path / "out"), "--device", "cpu"]
    shown = CliRunner().invoke(app, [*given, "--overlays", "0"])
    assert "overlays" not in shown.stdout
    assert not (tmp_path / "out" / "overlays").exists()
    told = shown.stderr.splitlines()
    assert told[-7].startswith("warning: skipped 6 inputs, listed in ")
    assert told[-1] == "  and 1 more"
    assert f"overlays: {tmp_path / 'out' / 'overlays'}" in CliRunner().invoke(app, given).stdout


@pytest.mark.slow
def test_scales_look_at_boxes_that_hardly_touch_their_image(small_project, tmp_path):
    write_image(tmp_path / "images" / "a.png", np.full((40, 60, 3), 77, np.uint8))
    (tmp_path / "boxes.csv").write_text("image,left,top,width,height\na.png,-48,10,50,20\n")
    given = ["predict", str(small_project), str(tmp_path / "images"), "--crop-boxes", str(tmp_path / "boxes.csv")]
    found = {}
    for scales in ("0.5", "1", "1,0.5", " 1 , 0.5,2"):
        run = CliRunner().invoke(app, [*given, "--out", str(tmp_path / scales), "--scales", scales], catch_exceptions=False)
        assert run.exit_code == 0
        found[scales] = Predictions.read(tmp_path / scales).keypoints_px
    np.testing.assert_allclose(found["1,0.5"], (found["1"] + found["0.5"]) / 2, atol=2e-3)
    assert len(found) == len({points.tobytes() for points in found.values()})
    with pytest.raises(InputError, match="--scales 1;2: expected numbers separated by commas"):
        CliRunner().invoke(app, [*given, "--out", str(tmp_path / "out"), "--scales", "1;2"], catch_exceptions=False)


@pytest.mark.slow
def test_the_command_tells_inputs_with_gaps_from_those_that_were_skipped(small_project, mixed, tmp_path):
    whole = (mixed / "fl ö.avi").read_bytes()
    (mixed / "cut.avi").write_bytes(whole[: len(whole) * 2 // 3])
    given = ["predict", str(small_project), str(mixed), "--out", str(tmp_path / "out"), "--device", "cpu"]
    for _ in range(2):  # the second time from the results that are there
        said = CliRunner().invoke(app, given).stderr
        assert f"warning: skipped 3 inputs, listed in {tmp_path / 'out' / 'skipped.csv'}:" in said
        assert f"warning: predicted with gaps: 1 inputs, listed in {tmp_path / 'out' / 'skipped.csv'}:" in said
        assert said.index("cut.avi: damaged after frame") > said.index("predicted with gaps")
        assert "broken.jpg" in said[: said.index("predicted with gaps")]


def test_a_stack_is_opened_once_to_count_and_once_to_read(small_project, tmp_path, monkeypatch):
    page = Pillow.fromarray(dots(40, 60, (10, 20), (40, 30)))
    (tmp_path / "in").mkdir()
    page.save(tmp_path / "in" / "stack.tif", save_all=True, append_images=[page, page])
    openings = []
    for module in (sources, page_reader):
        monkeypatch.setattr(module, "opened", lambda path, opening=module.opened: openings.append(path.name) or opening(path))
    summary = predict_inputs(small_project, [str(tmp_path / "in")], tmp_path / "out", PredictConfig(overlays=0), "cpu")
    assert summary.clips == [(tmp_path / "out" / "videos" / "stack", 3)]
    assert openings == ["stack.tif"] * 2
