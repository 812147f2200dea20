"""The main job at its smallest: images in; generator, pairs, detector, keypoints, report and benchmark out."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest

import kpdetect
from benchmarks.benchmarking.benchmark import benchmark
from benchmarks.reporting.report import write_report
from benchmarks.studies.verdict import read_verdict
from generator.stream import PairStream
from kpdetect.cli.main import app
from kpdetect.config import write_config
from kpdetect.errors import ConfigError, InputError
from kpdetect.images.image_files import list_images, read_image
from kpdetect.inference.config import PredictConfig
from kpdetect.inference.describe import describe_file
from kpdetect.inference.folder_job import predict_folder
from kpdetect.inference.labels import Labels
from kpdetect.inference.prediction_job import predict_inputs
from kpdetect.project.config import project_config
from kpdetect.project.pipeline import run_project
from kpdetect.training.checkpoints import read_description
from kpdetect.training.runtime import resolve_runtime
from tests.builders.projects import SMALL, run_small

pytestmark = pytest.mark.slow


def test_every_stage_leaves_what_it_should(project):
    expected = [
        "config.yaml", "environment.json", "generator/model.safetensors", "generator/checkpoint.pt", "pairs/manifest.json",
        "pairs/pairs-00001.h5", "detector/model.safetensors", "detector/sources.csv", "predictions/predictions.csv",
        "predictions/predictions.json", "predictions/overlays/000007.png", "refined/model.safetensors", "refined/sources.csv",
        "taught-1/found/predictions.csv", "taught-1/pairs/manifest.json", "taught-1/model.safetensors", "taught-1/sources.csv",
        "report/index.html", "verdict.json",
    ]  # fmt: skip
    assert [name for name in expected if not (project / name).exists()] == []
    assert not list(project.rglob("*.part"))


def test_predictions_are_in_original_pixels_of_every_image(project):
    table = pd.read_csv(project / "predictions" / "predictions.csv")
    assert list(table.columns) == ["image", "keypoint", "x_px", "y_px", "confidence"]
    assert len(table) == 40 * 4
    assert table["x_px"].between(-0.5, 31.5).all()
    assert table["confidence"].between(0, 1).all()


@pytest.mark.parametrize("stage", ["detector", "refined", "taught-1"])
def test_detectors_say_where_keypoints_lay_in_training(project, stage):
    told = read_description(project / stage / "model.safetensors")["keypoint_layout"]
    assert np.shape(told["places"]) == (4, 2)
    assert np.shape(told["distances"]) == (4, 4)


def test_report_is_one_self_contained_page(project):
    page = (project / "report" / "index.html").read_text()
    assert "data:image/png;base64," in page
    assert "http://" not in page
    assert 'src="/' not in page
    cores = json.loads((project / "generator" / "environment.json").read_text())["hardware"]["cores"]
    assert f", {cores} cores, " in page
    assert "{" not in page.partition('class="facts">')[2]


def test_the_page_begins_with_the_verdict_and_images(project):
    verdict = read_verdict(project / "verdict.json")
    page = (project / "report" / "index.html").read_text()
    titles = [part.partition("<")[0] for part in page.replace("<h3>", "<h2>").split("<h2>")[1:3]]
    assert titles == ["Verdict without labels", "Keypoints on input images"]
    assert f"<li>{verdict.sentences[0]}</li>" in page
    assert (len(verdict.keypoints), verdict.images, verdict.images_seen) == (4, 40, 12)
    assert all(each.redrawn_error is not None for each in verdict.keypoints)


def test_the_verdict_is_printed_and_follows_the_weights_and_labels(toy, project, tmp_path, capsys):
    copy = tmp_path / "copy"
    shutil.copytree(project, copy, ignore=shutil.ignore_patterns("pairs", "checkpoint.pt", "images.h5"))
    app(["report", str(copy)], standalone_mode=False)
    before = (copy / "verdict.json").read_bytes()
    assert f"verdict:\n  {read_verdict(copy / 'verdict.json').sentences[0]}\n" in capsys.readouterr().out
    write_config(Labels(drop=(1,)), copy / "taught-1" / "keypoints.yaml")
    write_report(copy, copy / "report")
    assert [each.number for each in read_verdict(copy / "verdict.json").keypoints] == [0, 2, 3]
    (copy / "taught-1" / "keypoints.yaml").unlink()
    (copy / "verdict.json").write_text("damaged")
    write_report(copy, copy / "report")
    assert (copy / "verdict.json").read_bytes() == before


def test_repeating_the_command_changes_nothing(project, toy):
    kept = {path: path.read_bytes() for path in project.rglob("*") if path.is_file() and "report" not in path.parts}
    assert run_small(toy / "unlabelled" / "images", project).report == project / "report" / "index.html"
    assert {path: path.read_bytes() for path in kept} == kept


def test_other_settings_are_refused(project, toy):
    with pytest.raises(ConfigError, match=r"generator\.model\.tau: 0\.01 -> 0\.02"):
        run_small(toy / "unlabelled" / "images", project, "generator.model.tau=0.02")


def test_a_longer_budget_starts_the_later_stages_anew(project, toy, tmp_path, capsys):
    out = shutil.copytree(project, tmp_path / "longer")
    before = (out / "pairs" / "manifest.json").read_text()
    run_small(toy / "unlabelled" / "images", out, "generator.steps=5", last="detector")
    assert "are made again" in capsys.readouterr().err
    after = (out / "pairs" / "manifest.json").read_text()
    assert json.loads(after)["provenance"]["generator"] != json.loads(before)["provenance"]["generator"]


def test_a_detector_trained_further_is_refined_anew(project, toy, tmp_path, capsys):
    out = shutil.copytree(project, tmp_path / "further")
    before = read_description(out / "refined" / "model.safetensors")["first_stage"]
    run_small(toy / "unlabelled" / "images", out, "detector.steps=4", last="detector")
    assert "the refined detector and the later stages are made again" in capsys.readouterr().err
    assert read_description(out / "refined" / "model.safetensors")["first_stage"] != before


def test_imm_needs_no_generator(toy, tmp_path):
    images, out = toy / "unlabelled" / "images", tmp_path / "imm"
    network = [f"refine.model.{setting}" for setting in ("backbone=test_resnet", "input_size=32", "head_width=8")]
    config = project_config(method="imm", size=32, keypoints=4)
    run_project(images, out, config, overrides=[*SMALL, *network], device="cpu")
    assert not (out / "generator").exists()
    assert read_description(out / "detector" / "model.safetensors")["refined"]["method"] == "imm"
    assert (out / "predictions" / "predictions.csv").exists()
    assert (out / "report" / "index.html").exists()


def test_one_keypoint_is_enough(toy, tmp_path):
    images, out = toy / "unlabelled" / "images", tmp_path / "one"
    run_project(images, out, size=32, keypoints=1, overrides=SMALL, device="cpu")
    table = pd.read_csv(out / "predictions" / "predictions.csv")
    assert table["keypoint"].tolist() == [0] * 40
    assert np.isfinite(table[["x_px", "y_px", "confidence"]].to_numpy()).all()
    config = PredictConfig(two_pass=True, flip_average=True)
    assert predict_inputs(out, [str(images)], tmp_path / "found", config, "cpu").images == 40


def test_load_predicts_one_image_a_path_and_a_list(project, toy):
    paths = list_images(toy / "annotated" / "images")[:3]
    model = kpdetect.load(project)
    keypoints_px, confidence = model(read_image(paths[1]))
    assert keypoints_px.shape == (4, 2)
    assert confidence.shape == (4,)
    several, _ = model(paths)
    assert several.shape == (3, 4, 2)
    np.testing.assert_allclose(several[1], keypoints_px, atol=1e-3)
    with pytest.raises(InputError, match=r"expected uint8 RGB"):
        model(np.zeros((3, 8, 8), np.float32))


def test_pairs_depend_on_seed_and_index_alone(project):
    stream = PairStream(project, resolve_runtime("cpu", "float32"), seed=3)
    (whole,), (part,) = list(stream.batches(0, 50)), list(stream.batches(0, 7))
    np.testing.assert_array_equal(part.keypoints, whole.keypoints[:7])
    np.testing.assert_array_equal(part.images, whole.images[:7])
    other = next(iter(stream.batches(5, 6)))
    np.testing.assert_array_equal(other.keypoints[0], whole.keypoints[5])
    assert np.abs(other.images[0].astype(int) - whole.images[5]).max() <= 1


def test_a_stream_gives_masks_that_agree_with_visibility(project):
    (batch,) = list(PairStream(project, resolve_runtime("cpu", "float32"), masks=True).batches(0, 9))
    assert batch.masks.shape == (9, 32, 32)
    assert batch.masks.dtype == np.uint8
    shown = {(image, place) for image, place in np.argwhere(batch.visible)}
    for image, place in shown:
        column, row = ((batch.keypoints[image, place] + 1) * 16 - 0.5).round().astype(int).clip(1, 30)
        assert batch.masks[image, row - 1 : row + 2, column - 1 : column + 2].max() > 127


def test_benchmark_writes_a_result_with_floor_and_baseline(project, toy, tmp_path):
    result = json.loads(benchmark("toy", project, toy / "annotated", tmp_path).path.read_text())
    rows = {row["method"].split(":")[0]: row for row in result["rows"]}
    live = {"random-weights resnet18 features", "PCA of 32x32 grey pixels", "fixed grid of 4"}
    assert set(rows) == {"kpdetect, self-trained", "mean shape", "mean keypoints", *live}
    assert result["contamination"] == "clean"
    assert "commit" in result["environment"]


def test_predictions_say_how_their_model_was_trained_when_it_is_gone(project, toy, tmp_path):
    predict_folder(project, toy / "annotated" / "images", tmp_path / "found", device="cpu")
    result = json.loads(benchmark("toy", None, toy / "annotated", tmp_path, predictions=tmp_path / "found").path.read_text())
    assert "kpdetect, self-trained" in {row["method"] for row in result["rows"]}


def test_benchmark_refuses_a_model_that_saw_the_test_images(project, toy, tmp_path):
    with pytest.raises(InputError, match="was trained on 8 of the test images"):
        benchmark("toy", project, toy / "unlabelled", tmp_path)


def test_predict_skips_unreadable_images_and_finished_work(project, blob_folder, tmp_path, capsys):
    (blob_folder / "broken.jpg").write_text("no picture")
    predictions = predict_folder(project, blob_folder, tmp_path / "found", overlays=-1).predictions
    assert len(predictions.images) == 24
    assert predictions.sizes.tolist() == [[36, 40]] * 24
    assert "broken.jpg" in capsys.readouterr().err
    assert len(list((tmp_path / "found" / "overlays").iterdir())) == 24
    predict_folder(project, blob_folder, tmp_path / "found", overlays=-1)
    assert "predicted already" in capsys.readouterr().err
    with pytest.raises(InputError, match=r"broken\.jpg"):
        predict_folder(project, blob_folder, tmp_path / "strict", strict=True)


@pytest.mark.parametrize(
    "name", ["", "generator", "pairs", "pairs/pairs-00000.h5", "detector/checkpoint.pt", "taught-1", "predictions"]
)
def test_info_describes_everything(project, name):
    lines = list(describe_file(project / name, verify=True))
    assert lines
    assert all(isinstance(line, str) for line in lines)
    if name == "pairs":
        assert lines[0] == "pairs: 100 of 32x32 px with 4 keypoints"
        assert lines[-1] == "checksums: all 2 shards are whole"


def test_a_time_budget_ends_the_stages_whatever_the_steps(toy, tmp_path):
    clocked = [override for override in SMALL if ".steps=" not in override]
    run_project(toy / "unlabelled" / "images", tmp_path / "p", size=32, keypoints=4, minutes=0.02, overrides=clocked)
    config = (tmp_path / "p" / "config.yaml").read_text()
    assert config.count("steps: 1000000000") == 4
    assert (tmp_path / "p" / "detector" / "model.safetensors").exists()
