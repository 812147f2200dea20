"""Learning from real images: warps against hand-computed points, views against each other, training that continues exactly."""

import numpy as np
import pytest
import torch

from kpdetect.config import apply_overrides
from kpdetect.errors import CheckpointError, InputError, TrainingError
from kpdetect.files.sources import SOURCES
from kpdetect.refinement.anchor import fixed_statistics
from kpdetect.refinement.collapse import Health, closeness, measure_health, require_health
from kpdetect.refinement.config import RefineConfig, WarpConfig, imm_config
from kpdetect.refinement.reconstruction import Reconstruction, feature_error, hide_patches, shrink
from kpdetect.refinement.views import ViewBatches, Warps, as_images, control_points, draw_warps
from kpdetect.training.checkpoints import find_weights, load_weights, read_description, save_weights
from kpdetect.training.runtime import resolve_runtime
from tests.builders.trainings import fit_on_images

CPU = resolve_runtime("cpu", "float32")
SMALL = [
    "size=32", "batch=4", "model.backbone=test_resnet", "model.input_size=32", "model.head_width=8", "reconstruction.size=32",
    "reconstruction.width=16",
]  # fmt: skip


def plain(linear=((1.0, 0.0), (0.0, 1.0)), shift=(0.0, 0.0)):
    return Warps(linear=torch.tensor([linear]), shift=torch.tensor([shift]), bends=torch.zeros(1, 16, 2))


def test_a_warp_maps_points_of_the_view_to_the_image():
    warps = plain(((2.0, 0.0), (0.0, 0.5)), (0.25, -0.5))
    found = warps(torch.tensor([[[0.1, 0.2], [0.0, 1.0]]]))
    torch.testing.assert_close(found, torch.tensor([[[0.45, -0.4], [0.25, 0.0]]]))


def test_a_shifted_view_shows_the_pixels_beside():
    image = torch.arange(2 * 4, dtype=torch.float32).view(1, 1, 2, 4).expand(1, 3, 2, 4).contiguous()
    view = plain(shift=(0.5, 0.0)).views(image, (2, 4))  # one of four pixels is half a unit
    assert view[0, 0].tolist() == [[1.0, 2.0, 3.0, 3.0], [5.0, 6.0, 7.0, 7.0]]


def test_the_spline_moves_control_points_where_it_is_told_up_to_an_affine_map():
    source = torch.Generator().manual_seed(0)
    config = WarpConfig(scale=0, rotation=0, shift=0, bend=0.05)
    warps = draw_warps(config, 1, torch.Generator().manual_seed(0))
    torch.rand(1, 4, generator=source)
    wanted = 0.1 * torch.randn(1, 16, 2, generator=source)
    centres = control_points(torch.zeros(()))
    left = (warps(centres[None]) - centres - wanted)[0]
    affine = torch.cat([torch.ones(16, 1), centres], dim=1)
    rest = left - affine @ torch.linalg.lstsq(affine, left).solution
    assert rest.abs().max() < 1e-4
    assert (warps(centres[None]) - centres).abs().max() > 0.01


def test_a_mirrored_warp_is_the_warp_of_the_mirrored_image():
    config = WarpConfig()
    straight = draw_warps(config, 2, torch.Generator().manual_seed(3))
    mirrored = draw_warps(config, 2, torch.Generator().manual_seed(3), mirrored=torch.tensor([False, True]))
    points = torch.tensor([[0.3, -0.2], [-0.7, 0.4], [0.0, 0.9]]).expand(2, 3, 2)
    torch.testing.assert_close(mirrored(points)[0], straight(points)[0])
    torch.testing.assert_close(mirrored(points)[1], straight(points)[1] * torch.tensor([-1.0, 1.0]))


def test_both_views_show_the_same_point_of_the_image():
    ramp = np.zeros((1, 48, 48, 3), np.uint8)
    ramp[..., 0], ramp[..., 1] = np.linspace(20, 230, 48), np.linspace(20, 230, 48)[:, None]
    config = apply_overrides(RefineConfig(), [*SMALL, "size=48", "flip=false", "warp.shift=0.02", "warp.scale=0.05"])
    views = ViewBatches(ramp, config).at(0)
    points = torch.rand(4, 20, 2, generator=torch.Generator().manual_seed(1)) - 0.5
    for view, warp in ((views.first, views.warp_first), (views.second, views.warp_second)):
        seen = torch.nn.functional.grid_sample(view, points[:, :, None], align_corners=False)[:, :2, :, 0]
        there = warp(points)  # the ramp's colour says where one is: from 20 at -1 + 1/48 to 230 at 1 - 1/48
        wanted = (20 + 210 * (there / (1 - 1 / 48) + 1) / 2) / 127.5 - 1
        assert (seen.transpose(1, 2) - wanted).abs().max() < 0.03


def test_zoom_magnifies_both_views_alike_about_the_middle():
    config = WarpConfig(scale=0, rotation=0, shift=0.1, bend=0)
    plain_draw = draw_warps(config, 2, torch.Generator().manual_seed(5))
    zoomed = draw_warps(config, 2, torch.Generator().manual_seed(5), zoom=torch.tensor([1.0, 2.0]))
    points = torch.tensor([[[0.6, -0.4]]]).expand(2, 1, 2)
    torch.testing.assert_close(zoomed(points)[0], plain_draw(points)[0])
    torch.testing.assert_close(zoomed(points)[1], plain_draw(points)[1] / 2)
    images = np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3), dtype=np.uint8)
    still = [*SMALL, "flip=false", "warp.scale=0", "warp.rotation=0", "warp.shift=0", "warp.bend=0", "warp.zoom=3"]
    views = ViewBatches(images, apply_overrides(RefineConfig(), still)).at(0)
    torch.testing.assert_close(views.first, views.second)
    factors = 1 / views.warp_first.linear[:, 0, 0]
    assert factors.min() >= 1
    assert factors.max() <= 3
    assert factors.std() > 0.1


def test_views_follow_from_seed_and_step():
    images = np.random.default_rng(0).integers(0, 256, (8, 32, 32, 3), dtype=np.uint8)
    config = apply_overrides(RefineConfig(), SMALL)
    again, other = ViewBatches(images, config).at(5), ViewBatches(images, config).at(6)
    views = ViewBatches(images, config).at(5)
    assert torch.equal(views.student, again.student)
    assert not torch.equal(views.student, other.student)
    assert not torch.equal(views.first, views.second)
    ahead = ViewBatches(images, config).ahead(3, workers=4)
    assert torch.equal([next(ahead) for _ in range(3)][2].student, views.student)
    ahead.close()


def test_reconstruction_depends_on_the_keypoints_and_the_look():
    torch.manual_seed(0)
    network = Reconstruction(keypoints=3, size=32, width=16, sigma=0.1).eval()
    look = torch.rand(1, 3, 32, 32)
    keypoints = torch.tensor([[[0.0, 0.0], [0.5, 0.0], [0.0, -0.5]]])
    drawn = network(look, keypoints)
    assert drawn.shape == (1, 3, 32, 32)
    assert not torch.equal(drawn, network(look, keypoints + 0.2))
    assert not torch.equal(drawn, network(look.flip(1), keypoints))


def test_shrink_keeps_the_mean():
    images = torch.rand(1, 3, 64, 64)
    assert shrink(images, 32).shape == (1, 3, 32, 32)
    assert abs(float(shrink(images, 32).mean() - images.mean())) < 5e-3
    assert shrink(images, 64) is images


def test_feature_error_is_relative_to_each_layer():
    found = [torch.tensor([1.0, 3.0]), torch.tensor([[100.0]])]
    wanted = [torch.tensor([1.0, 1.0]), torch.tensor([[200.0]])]
    assert float(feature_error(found, wanted)) == pytest.approx((2.0 + 0.25) / 2)


def test_closeness_of_two_near_points_and_a_far_one():
    keypoints = torch.tensor([[[0.0, 0.0], [0.1, 0.0], [0.9, 0.9]]])
    near = float(np.exp(-0.5))
    assert closeness(keypoints, 0.1)[0].tolist() == pytest.approx([near, near, 0.0], abs=1e-6)


def test_statistics_stay_fixed():
    network = torch.nn.Sequential(torch.nn.BatchNorm2d(2)).train()
    with fixed_statistics(network):
        network(torch.rand(4, 2, 3, 3) + 5)
    assert network[0].running_mean.tolist() == [0.0, 0.0]
    network(torch.rand(4, 2, 3, 3) + 5)
    assert network[0].running_mean[0] > 0.5


def test_health_by_hand():
    keypoints = torch.tensor([[[0.0, 0.0], [0.4, 0.0]], [[0.0, 0.2], [0.4, 0.2]]])
    health = measure_health(keypoints, keypoints + torch.tensor([0.3, 0.4]))
    assert health.spread == pytest.approx(0.1)  # 0.2 along x, 0 along y
    assert health.motion == pytest.approx(0.05)  # 0 along x, 0.1 along y
    assert health.drift == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("now", "said"),
    [(Health(spread=0.1, motion=0.1, drift=0.0), "move to one point"), (Health(spread=0.3, motion=0.1, drift=0.7), "moved")],
)
def test_collapse_stops(now, said):
    start = Health(spread=0.3, motion=0.1, drift=0.0)
    require_health(start, start, RefineConfig(), "run")
    with pytest.raises(TrainingError, match=said):
        require_health(now, start, RefineConfig(), "run")


@pytest.mark.slow
def test_imm_trains_continues_exactly_and_is_a_detector(blob_folder, tmp_path):
    import kpdetect

    config = apply_overrides(imm_config(), [*SMALL, "keypoints=3", "steps=4", "checkpoint_every=2"])
    weights = fit_on_images(blob_folder, tmp_path / "whole", config, CPU)
    half = config.model_copy(update={"steps": 2})
    fit_on_images(blob_folder, tmp_path / "parts", half, CPU)
    again = fit_on_images(blob_folder, tmp_path / "parts", config, CPU)
    first, second = load_weights(weights, "detector")[0], load_weights(again, "detector")[0]
    assert all(torch.equal(first[name], second[name]) for name in first)
    keypoints_px, _ = kpdetect.load(weights)(np.zeros((40, 60, 3), np.uint8))
    assert keypoints_px.shape == (3, 2)
    assert (tmp_path / "whole" / SOURCES).exists()


@pytest.mark.slow
def test_refine_keeps_the_records_of_both_stages(blob_folder, tmp_path):
    config = apply_overrides(imm_config(), [*SMALL, "keypoints=3", "steps=1"])
    first = fit_on_images(blob_folder, tmp_path / "first", config, CPU)
    description = read_description(first)
    description.pop("refined")  # stands for a detector trained on pairs
    for name in ("kind", "version"):
        description.pop(name)
    save_weights(first, "detector", load_weights(first, "detector")[0], description)
    with open(tmp_path / "first" / SOURCES, "a") as file:
        file.write("elsewhere.jpg,0123456789abcdef\n")
    steps = apply_overrides(RefineConfig(), [*SMALL, "steps=2"])
    out = fit_on_images(blob_folder, tmp_path / "second", steps, CPU, model=tmp_path / "first")
    told = read_description(out)
    assert told["keypoints"] == 3
    assert told["refined"]["method"] == "refine"
    assert told["first_stage"]
    assert "elsewhere.jpg" in (tmp_path / "second" / SOURCES).read_text()
    assert told["refined_before"] == []


@pytest.mark.slow
def test_a_refined_detector_goes_on_and_remembers_both_runs(blob_folder, tmp_path):
    trained = fit_on_images(
        blob_folder, tmp_path / "imm", apply_overrides(imm_config(), [*SMALL, "keypoints=3", "steps=1"]), CPU
    )
    tensors, facts = load_weights(trained, "detector")
    facts = {name: value for name, value in facts.items() if name not in ("kind", "version")}
    save_weights(trained, "detector", tensors, facts | {"refined": {"method": "refine"}, "minutes": 1.5, "images_seen": 4})
    steps = apply_overrides(RefineConfig(), [*SMALL, "steps=6", "rate=0.01", "warmup=0"])
    out = fit_on_images(blob_folder, tmp_path / "again", steps, CPU, model=tmp_path / "imm")
    told = read_description(out)
    assert [run["minutes"] for run in told["refined_before"]] == [1.5]
    assert told["refined_before"][0]["images_seen"] == 4
    assert told["images_seen"] == 24
    assert told["drift"] > 0


@pytest.mark.slow
def test_a_project_is_refined_from_its_first_stage_also_when_repeated(blob_folder, tmp_path):
    config = apply_overrides(imm_config(), [*SMALL, "keypoints=3", "steps=1"])
    trained = fit_on_images(blob_folder, tmp_path / "detector", config, CPU)
    tensors, description = load_weights(trained, "detector")
    facts = {name: value for name, value in description.items() if name not in ("kind", "version", "refined")}
    save_weights(trained, "detector", tensors, facts)
    steps = apply_overrides(RefineConfig(), [*SMALL, "steps=1"])
    for _ in range(2):
        fit_on_images(blob_folder, tmp_path / "refined", steps, CPU, model=tmp_path)
    assert find_weights(tmp_path, "detector") == tmp_path / "refined" / "model.safetensors"


@pytest.mark.slow
def test_a_detector_by_imm_is_no_first_stage(blob_folder, tmp_path):
    trained = fit_on_images(blob_folder, tmp_path / "imm", apply_overrides(imm_config(), [*SMALL, "steps=1"]), CPU)
    with pytest.raises(CheckpointError, match="was trained by IMM, on real images alone"):
        fit_on_images(blob_folder, tmp_path / "run", RefineConfig(), CPU, model=trained)


def test_hidden_patches_are_grey_whole_and_as_many_as_asked_for():
    images = torch.rand(40, 3, 12, 20, generator=torch.Generator().manual_seed(1)) * 0.5 + 0.25
    found = hide_patches(images, 0.75, 8, torch.Generator().manual_seed(2))  # patches: 2 x 3, those at the border are cut
    hidden = (found == 0).all(dim=1)
    assert torch.equal(found.movedim(1, -1)[~hidden], images.movedim(1, -1)[~hidden])
    assert all(torch.equal(part, part[:, :1, :1].expand_as(part)) for part in (hidden[:, :8, :8], hidden[:, 8:, 16:]))
    assert hidden[:, ::8, ::8].float().mean() == pytest.approx(0.75, abs=0.1)  # 240 patches
    assert hide_patches(images, 0.0, 8, torch.Generator()) is images


def test_refine_needs_a_model_and_imm_none(blob_folder, tmp_path):
    with pytest.raises(InputError, match="refine needs a trained detector, the method imm needs none"):
        fit_on_images(blob_folder, tmp_path / "run", RefineConfig(), CPU)


@pytest.mark.slow
def test_each_term_can_be_switched_off(blob_folder, tmp_path):
    off = ["reconstruction.weight=0", "agreement_weight=1", "separation_weight=1", "steps=1", "log_every=1"]
    fit_on_images(blob_folder, tmp_path / "run", apply_overrides(imm_config(), [*SMALL, *off]), CPU)
    line = (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()[0]
    assert "loss_agreement" in line
    assert "loss_separation" in line
    assert "loss_pixels" not in line


def test_images_are_read_as_tensors():
    assert as_images(np.full((1, 2, 3, 3), 255, np.uint8)).max() == 1


def test_the_parts_of_a_batch_of_views_are_the_batch():
    images = np.random.default_rng(0).integers(0, 255, (5, 32, 32, 3), dtype=np.uint8)
    config = apply_overrides(RefineConfig(), SMALL)
    whole, *parts = [ViewBatches(images, config, rank, world).at(2) for rank, world in ((0, 1), (0, 2), (1, 2))]
    for name in ("first", "second"):
        views = [getattr(part, name) for part in parts]
        assert torch.equal(torch.stack([views[0][0], views[1][0], views[0][1], views[1][1]]), getattr(whole, name))
    points = torch.full((1, 1, 2), 0.3)
    assert torch.equal(parts[1].warp_second(points), whole.warp_second(points)[1::2])
    assert not torch.equal(parts[0].student, parts[0].second)
