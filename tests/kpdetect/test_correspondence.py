"""The method `correspondence`: mutual nearest neighbours of pretrained features, the choice of clusters, and a project."""

import shutil

import numpy as np
import pytest
import torch

from benchmarks.evaluation.measured_model import method_name
from benchmarks.studies.verdict import read_verdict
from kpdetect.config import read_config
from kpdetect.data.training_images import TrainingImages
from kpdetect.detector import backbone
from kpdetect.detector.config import DetectorConfig
from kpdetect.discovery.clusters import Clusters, fit_clusters, warped_points
from kpdetect.discovery.config import CorrespondenceConfig
from kpdetect.discovery.dense_features import Whitening, grid_features, otsu
from kpdetect.discovery.matching import Matches, mutual_matches, with_positions
from kpdetect.discovery.object_masks import ObjectMasks, largest_piece
from kpdetect.discovery.selection import spread_choice, steadiness
from kpdetect.errors import ConfigError, InputError
from kpdetect.files.atomic import read_json
from kpdetect.files.hashes import file_hash
from kpdetect.images.image_files import read_image
from kpdetect.inference.predictions import Predictions
from kpdetect.project.budget import share_of
from kpdetect.project.config import ProjectConfig, project_config
from kpdetect.project.correspondence import find_correspondences
from kpdetect.project.correspondence_pairs import write_correspondence_pairs
from kpdetect.project.orientation import for_pairs
from kpdetect.project.pipeline import run_project
from kpdetect.training.checkpoints import read_description
from kpdetect.training.runtime import resolve_runtime
from tests.builders.projects import SMALL


def unit(degrees):
    return np.stack([np.cos(np.radians(degrees)), np.sin(np.radians(degrees))], axis=-1).astype(np.float32)


def test_a_match_is_mutual_only_if_the_cluster_is_the_nearest_one_to_its_cell():
    features = unit(np.array([[[0.0, 50.0, 90.0], [90.0, 90.0, 90.0]]]))  # 2 rows, 3 columns
    centres = unit(np.array([10.0, 0.0, 60.0]))
    matches = mutual_matches(features, centres, temperature=1e-4)
    # cluster 0 is nearest to cell (0, 0), which is nearer to cluster 1; cluster 2 is nearest to the cell of 50 degrees
    assert matches.mutual.tolist() == [[False, True, True]]
    np.testing.assert_allclose(matches.points[0], [[0, 0], [0, 0], [1, 0]], atol=1e-6)
    np.testing.assert_allclose(matches.similarity[0], np.cos(np.radians([10, 0, 10])), atol=1e-6)


def test_a_position_lies_between_cells_by_softmax_of_the_similarity():
    features = np.zeros((1, 3, 4, 2), np.float32)
    features[0, 1, 1], features[0, 1, 2] = unit(0.0), (0.8, 0.6)  # the similarities 1 and 0.8; elsewhere 0
    matches = mutual_matches(features, unit(np.array([0.0])), temperature=0.2)
    weights = np.exp(np.array([1.0, 0.8] + [0.0] * 7) / 0.2)  # the 3x3 cells around (1, 1): columns 0 to 2
    x = (weights[0] * 1 + weights[1] * 2 + weights[2] * (0 + 0 + 0 + 1 + 1 + 2 + 2)) / weights.sum()
    np.testing.assert_allclose(matches.points[0, 0], [x, 1.0], atol=1e-5)


def test_at_the_border_only_cells_inside_the_image_count():
    features = np.full((1, 2, 3, 2), unit(90.0), np.float32)
    features[0, 0, 0] = unit(0.0)
    matches = mutual_matches(features, unit(np.array([0.0])), temperature=1.0)
    total = np.e + 3
    np.testing.assert_allclose(matches.points[0, 0], [2 / total, 2 / total], atol=1e-5)


def test_positions_separate_parts_that_look_alike():
    same = np.ones((1, 2, 3, 1), np.float32)
    placed = with_positions(same, 0.5)
    np.testing.assert_allclose(placed[0, 0, 0], np.array([1, -0.5, -0.5]) / np.sqrt(1.5), atol=1e-6)
    np.testing.assert_allclose(placed[0, 1, 2], np.array([1, 0.5, 0.5]) / np.sqrt(1.5), atol=1e-6)
    assert with_positions(same, 0) is same


def test_steadiness_is_the_share_of_matches_that_follow_the_warp():
    points = np.array([[[1.0, 2.0], [0.0, 0.0]], [[3.0, 1.0], [5.0, 5.0]]], np.float32)  # 2 images, 2 clusters
    always, some = np.ones((2, 2), bool), np.array([[True, True], [True, False]])
    moved = points + np.array([1.0, 0.0], np.float32)
    found = moved.copy()
    found[1, 0] += (0.0, 2.0)
    score = steadiness(Matches(points, always * 1.0, always), Matches(found, always * 1.0, some), moved, tolerance=2.0)
    np.testing.assert_allclose(score, [(1 + np.exp(-1)) / 2, 1 / 2], atol=1e-6)


def test_near_clusters_compete_and_far_ones_do_not():
    points = np.array([[[0, 0], [1, 0], [4, 0], [8, 0]]], np.float32)
    chosen = spread_choice(np.array([1, 0.9, 0.4, 0.3], np.float32), points, np.ones((1, 4), bool), 3, apart=4.0)
    assert chosen.tolist() == [0, 2, 3]  # 0.9 counts a quarter next to the first; 0.4 and 0.3 count whole
    assert len(spread_choice(np.ones(4, np.float32), points, np.ones((1, 4), bool), 9, apart=4.0)) == 4


def test_points_are_moved_as_the_image_is():
    shift = np.array([[[1.0, 0, 6], [0, 1, -3]]])  # in pixels of a square of 12 pixels, which has 4 cells
    np.testing.assert_allclose(warped_points(np.array([[[0.0, 2.0]]], np.float32), shift, 12, 4), [[[2.0, 1.0]]], atol=1e-6)


def test_the_object_differs_from_the_border():
    assert 1 < otsu(np.array([0.0, 0.5, 1, 9, 9.5, 10])) < 9
    features = np.random.default_rng(0).normal(scale=0.01, size=(3, 12, 14, 4)).astype(np.float32)
    inside = np.zeros((12, 14), bool)
    inside[4:8, 5:9] = True
    features[:, inside, 1] += 1
    features[:, 4:8, 7:9, 2] += 1  # one half of the object differs from the other
    whitening = Whitening.of(features, kept=3, power=1.0)
    assert (whitening.foreground(features) == inside).all()
    np.testing.assert_allclose(np.linalg.norm(whitening(features), axis=-1), 1, atol=1e-5)


def test_each_chosen_map_is_a_vector_of_length_one_per_cell():
    def extract(images):
        fine = images[:, :2] + 3
        return [fine, torch.full((len(images), 1, 2, 2), 5.0)]

    features = grid_features(extract, np.zeros((2, 8, 8, 3), np.uint8), (0, 1), 4, torch.device("cpu"))
    assert features.shape == (2, 4, 4, 3)
    np.testing.assert_allclose(features[..., :2], np.sqrt(0.5), atol=1e-6)
    np.testing.assert_allclose(features[..., 2], 1, atol=1e-6)


def blob_features(images):
    """Features of 8x8 cells: their mean colour."""
    count, side, _, _ = images.shape
    cells = images.reshape(count, 8, side // 8, 8, side // 8, 3).mean(axis=(2, 4)).astype(np.float32) / 255
    return np.concatenate([cells, np.full((*cells.shape[:3], 1), 0.3, np.float32)], axis=-1)


def test_clusters_follow_coloured_parts_and_survive_a_file(tmp_path):
    source = np.random.default_rng(0)
    images, places = np.zeros((20, 64, 64, 3), np.uint8), source.integers(1, 5, (20, 2))
    for image, (row, column) in zip(images, places, strict=True):
        image[8 * row : 8 * row + 16, 8 * column : 8 * column + 8, 0] = 255
        image[8 * row : 8 * row + 16, 8 * column + 16 : 8 * column + 24, 1] = 255
    config = CorrespondenceConfig(cells=8, components=3, position=0.0, clusters=1, apart=0.1, temperature=0.01)
    clusters = fit_clusters(images, blob_features, 2, config)
    matches = clusters(blob_features(images))
    assert matches.mutual.all()
    columns = np.sort(matches.points[:, :, 0], axis=1)
    np.testing.assert_allclose(columns, places[:, 1:] + np.array([[0, 2]]), atol=0.3)
    clusters.write(tmp_path / "clusters.npz", "key")
    again = Clusters.read(tmp_path / "clusters.npz", "key")
    np.testing.assert_array_equal(again(blob_features(images)).points, matches.points)
    assert Clusters.read(tmp_path / "clusters.npz", "other") is None


def test_a_missing_extra_is_refused_with_the_command_before_anything_is_written(tmp_path, monkeypatch, blob_folder):
    monkeypatch.setattr(backbone, "find_spec", lambda name: None)
    config = project_config(method="correspondence", size=32, keypoints=4)
    with pytest.raises(ConfigError, match=r"correspondence\.features = installed.*pip install 'kpdetect\[imagenet\]'"):
        run_project(blob_folder, tmp_path / "out", config, device="cpu")
    assert not (tmp_path / "out").exists()


def test_the_object_is_the_largest_piece_inside_the_border():
    foreground = np.zeros((12, 10), bool)
    foreground[:, 0] = True  # the outermost cells do not count
    foreground[2, 2] = foreground[3, 3] = True  # pieces join at corners
    foreground[7, 7] = True
    assert np.argwhere(largest_piece(foreground)).tolist() == [[2, 2], [3, 3]]
    assert not largest_piece(np.zeros((12, 12), bool)).any()


def test_minutes_are_shared_by_the_stages_that_train():
    parts = [share_of(stage, True, 1, "correspondence") for stage in ("detector", "refine", "round")]
    assert sum(parts) == pytest.approx(1)
    assert share_of("detector", False, 0, "correspondence") == 1


def _finds_headings(images, out, config):
    runtime = resolve_runtime("cpu")
    find_correspondences(TrainingImages(images), out, config, runtime, keypoints=4, crop="centre")
    assert read_image(out / "headings.png").shape == (2 * 162, 8 * 162, 3)  # the sample has 16 images
    assert read_json(out / "predictions.json")["settings"]["headings"]
    assert Predictions.read(out).keypoints_px.shape == (40, 4, 2)
    write_correspondence_pairs(out, images, out / "pairs", config, runtime, size=32, crop="centre")
    assert for_pairs(DetectorConfig(), "auto", out / "pairs").augment.rotation == 180


def small_matching(folder):
    """Settings of a small network with random weights, which are written into the folder."""
    torch.manual_seed(0)
    weights = folder / "network.pth"
    torch.save(backbone.create_backbone("resnet10t").state_dict(), weights)
    small = ("network=resnet10t", f"features={weights}", "size=32", "cells=8", "maps=[1,2]", "components=8", "sample=16")
    return [f"correspondence.{each}" for each in (*small, "min_similarity=0")]


@pytest.mark.slow
def test_too_few_readable_images_are_refused_before_any_training(blob_folder, tmp_path):
    for number in range(0, 24, 2):
        (blob_folder / f"{number:03d}.png").write_text("no picture")
    config, out = project_config(method="correspondence", size=32, keypoints=4, spare=1), tmp_path / "project"
    overrides = [*SMALL, *small_matching(tmp_path)]
    with pytest.raises(InputError, match=r"in a sample of 16: \d readable images; training needs at least 16.*000.png: not a"):
        run_project(blob_folder, out, config, overrides=overrides, device="cpu")
    overrides.append("correspondence.sample=24")
    with pytest.raises(InputError, match="blobs: 12 readable images; training needs at least 16"):
        run_project(blob_folder, tmp_path / "other", config, overrides=overrides, device="cpu")
    assert not (out / "detector").exists()


@pytest.mark.slow
def test_a_project_without_a_generator(toy, tmp_path, capsys, monkeypatch):  # noqa: F811
    monkeypatch.setattr("kpdetect.discovery.matcher.FIRST_LOOK", 4)
    images, out = toy / "unlabelled" / "images", tmp_path / "project"
    config = project_config(method="correspondence", size=32, keypoints=4, spare=1)
    overrides = [*SMALL, *small_matching(tmp_path)]
    with pytest.raises(InputError, match="`init_generator`"):
        run_project(images, out, config, overrides=overrides, device="cpu", init_generator="toy-32")
    run_project(images, out, config, overrides=overrides, device="cpu")
    assert not (out / "generator").exists()
    assert (out / "correspondence" / "sheet.png").exists()
    said = capsys.readouterr().err
    assert 0 < said.find("(first look: clusters fitted on 4 images)") < said.find("(clusters fitted on 16 images)")
    objects = ObjectMasks.read(out / "correspondence")
    assert objects.masks.shape == (16, 8, 8)  # of the sample
    assert "How much of the object has keypoints is unknown: there is no generator" not in (out / "verdict.json").read_text()
    assert "The first detector saw 12 images and needs 6,000" in read_verdict(out / "verdict.json").sentences[-2]
    found = Predictions.read(out / "correspondence")
    assert found.keypoints_px.shape == (40, 4, 2)
    assert ((found.keypoints_px > -1) & (found.keypoints_px < 32)).all()
    first, last = (read_description(out / stage / "model.safetensors") for stage in ("detector", "taught-1"))
    assert first["provenance"]["discovery"] == last["provenance"]["discovery"] == "clusters of ImageNet features"
    assert method_name(last) == "kpdetect, clusters of ImageNet features"
    assert "Matched ImageNet features" in (out / "report" / "index.html").read_text()
    settings = read_config(ProjectConfig, out / "config.yaml").correspondence
    _finds_headings(images, tmp_path / "turned", settings.model_copy(update={"headings": True}))
    assert "Round 1: train a detector on the last one's predictions" in said
    assert "memorise" not in said  # no generator learns from the images
    run_project(images, out, config, overrides=overrides, device="cpu", last="detector")  # nothing is computed again
    assert "the keypoints are found already" in capsys.readouterr().err
    same = shutil.copytree(images, tmp_path / "same", copy_function=shutil.copyfile)  # with new times
    before = file_hash(out / "taught-1" / "model.safetensors")
    run_project(same, out, config, overrides=overrides, device="cpu", last="detector")
    said = capsys.readouterr().err
    assert "the keypoints are found already" in said
    assert "have changed" not in said
    shutil.copyfile(images / "000000.png", same / "another.png")
    for dry in (True, False):
        with pytest.raises(ConfigError, match=r"trained on other images \(files were added"):
            run_project(same, out, config, overrides=overrides, device="cpu", dry_run=dry)
    assert file_hash(out / "taught-1" / "model.safetensors") == before
