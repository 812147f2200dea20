"""Every model and ablation: it trains, its switch changes what it says, and the paper's own has the paper's shapes."""

from dataclasses import replace

import pytest
import torch
from torch.nn import functional

from generator.architectures import ABLATIONS, ARCHITECTURES, LADDER, architecture
from generator.config import ModelConfig
from generator.keypoints import KeypointGenerator, Parts, latents_of
from generator.layers import AdaIn, StyleConv, StyleMap
from generator.model import Generator
from generator.presets import preset
from generator.stream import PairStream
from generator.synthesis import ResidualBlock
from generator.training.discriminator import build_discriminator
from generator.training.losses import background_loss, contrastive_loss, hinge_discriminator_loss, hinge_generator_loss
from generator.training.train import GeneratorTrainer
from kpdetect.config import apply_overrides
from kpdetect.errors import ConfigError
from kpdetect.heatmaps import gaussian_heatmaps
from kpdetect.training.checkpoints import load_checkpoint, load_weights
from tests.builders.blobs import write_blobs
from tests.builders.generators import BASE, CONFIG
from tests.builders.runtimes import CPU
from tests.builders.states import states_equal
from tests.builders.trainings import fit_generator

STEPS = "steps=10"


def test_the_ladder_takes_one_thing_away_at_a_time():
    found = [architecture(preset("tiny", 64), name).model for name in ARCHITECTURES]
    steps = [
        lambda model: model.start_size == 4,
        lambda model: not model.separate_background,
        lambda model: model.start == "learned",
        lambda model: model.margin == 0,
        lambda model: model.progressive,
    ]
    assert [[step(model) for step in steps] for model in found] == [[place < depth for place in range(5)] for depth in range(6)]
    assert LADDER == ("tuned", "no-start32", "no-background", "no-positional", "no-margin")
    with pytest.raises(ConfigError, match="`model=best`: expected one of tuned, no-start32"):
        architecture(CONFIG, "best")


@pytest.mark.slow
@pytest.mark.parametrize("name", ARCHITECTURES)
def test_every_model_trains_and_its_weights_draw_pairs(blob_folder, tmp_path, name):
    config = apply_overrides(architecture(CONFIG, name), [STEPS])
    fit_generator(blob_folder, tmp_path / "run", config, CPU)
    early, late = Generator(config.model).state_dict(), load_weights(tmp_path / "run" / "model.safetensors", "generator")[0]
    assert early.keys() == late.keys()
    batch = next(PairStream(tmp_path / "run", CPU, masks=True).batches(0, 3))
    assert batch.images.shape == (3, 32, 32, 3)
    assert batch.images.std() > 1
    assert batch.visible.any()
    assert batch.masks.max() > 100


@pytest.fixture(scope="module")
def trained_base(tmp_path_factory):
    """Checkpoint of the base model."""
    folder = tmp_path_factory.mktemp("base")
    fit_generator(write_blobs(folder / "blobs"), folder / "run", apply_overrides(BASE, [STEPS]), CPU)
    return load_checkpoint(folder / "run" / "checkpoint.pt", "generator")


@pytest.mark.slow
@pytest.mark.parametrize("name", ABLATIONS)
def test_every_ablation_trains_and_is_not_the_base_model(blob_folder, tmp_path, trained_base, name):
    fit_generator(blob_folder, tmp_path / "run", apply_overrides(BASE, [*ABLATIONS[name], STEPS]), CPU)
    ours, base = load_checkpoint(tmp_path / "run" / "checkpoint.pt", "generator"), trained_base
    assert ours["step"] == 10
    same = states_equal(ours["generator"], base["generator"]) and states_equal(ours["discriminator"], base["discriminator"])
    assert same == (name == "without keypoint scheduler")  # which differs only where a model grows; see below


def drawn(model, **changed):
    """Images of the same seed with some noises of another."""
    torch.manual_seed(3)
    network = Generator(model).eval()
    latents, other = latents_of(0, 0, 4, model.noise_width), latents_of(1, 0, 4, model.noise_width)
    mixed = replace(latents, **{name: getattr(other, name) for name in changed})
    return network(latents), network(mixed)


def test_embeddings_are_what_their_names_say():
    noise = latents_of(0, 0, 2, 8).appearance

    def embeddings(kind):
        torch.manual_seed(0)
        parts = KeypointGenerator(ModelConfig(**{**CONFIG.model.model_dump(), "embedding": kind}))
        return parts, parts.embeddings(noise)

    parts, found = embeddings("added")
    torch.testing.assert_close(found[1, 2], parts.appearance(noise)[1] + parts.constants[2])
    parts, found = embeddings("constant")
    assert torch.equal(found[0], found[1])
    parts, found = embeddings("contrastive")
    assert found.shape == (2, 3, 4)
    assert not hasattr(parts, "constants")
    _, found = embeddings("none")
    assert torch.equal(found, torch.ones(2, 3, 1))


def test_without_a_background_part_the_background_noise_does_nothing():
    bare = apply_overrides(BASE, list(ABLATIONS["without background"])).model
    same, other = drawn(bare, background=True, centre=True)
    assert torch.equal(same.image, other.image)
    one, two = drawn(BASE.model, background=True)
    assert (one.image - two.image).abs().max() > 1e-4


def test_without_keypoints_positions_do_not_matter_and_without_them_in_the_style_they_do():
    flat = apply_overrides(BASE, list(ABLATIONS["without keypoints"])).model
    same, other = drawn(flat, pose=True)
    assert torch.equal(same.image, other.image)
    assert any(isinstance(layer, AdaIn) for layer in Generator(flat).modules())
    one, two = drawn(BASE.model, pose=True)
    assert (one.image - two.image).abs().max() > 1e-4


def test_a_model_without_separate_background_has_heatmaps_for_a_mask():
    model = architecture(CONFIG, "no-background").model
    drawing, _ = drawn(model)
    assert drawing.foreground is None
    assert drawing.background is None
    expected = gaussian_heatmaps(drawing.keypoints, (32, 32), model.tau).amax(dim=1, keepdim=True)
    torch.testing.assert_close(drawing.mask, expected)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.float64, 1e-12)])
def test_style_convolution_with_background_part_is_that_of_the_whole_map(dtype, tolerance):
    torch.manual_seed(0)
    conv = StyleConv(keypoints=3, embedding=4, outputs=5, background=6).to(dtype)
    torch.nn.init.normal_(conv.bias)
    keypoints = (torch.rand(2, 3, 2, dtype=dtype) * 2 - 1).requires_grad_()
    embeddings = torch.randn(2, 3, 4, dtype=dtype, requires_grad=True)
    behind = torch.randn(2, 6, dtype=dtype, requires_grad=True)
    parts = Parts(keypoints=keypoints, embeddings=embeddings, background=behind, centre=keypoints[:, 0])
    style = StyleMap(parts, 0.3, margin=1)
    ours = conv(*style.at(8), embeddings, style.behind(8))
    heat = gaussian_heatmaps(keypoints, (8, 8), 0.3, margin=1)
    empty = 1 - heat.amax(dim=1)
    maps = [(heat[:, :, None] * embeddings[..., None, None]).flatten(1, 2), empty[:, None] * behind[..., None, None]]
    weight = torch.cat([conv.weight.flatten(1, 2), conv.weight_behind], dim=1)
    theirs = functional.conv2d(torch.cat(maps, dim=1), weight, conv.bias, padding=1)
    inputs = (keypoints, embeddings, behind, conv.weight, conv.weight_behind, conv.bias)
    weights = torch.randn_like(ours)
    pairs = [
        (ours, theirs),
        *zip(torch.autograd.grad(ours, inputs, weights), torch.autograd.grad(theirs, inputs, weights), strict=True),
    ]
    for mine, reference in pairs:
        assert (mine - reference).abs().max() <= tolerance * reference.abs().max()


def shifted_interiors(model):
    """Interiors of image content before and after all keypoints move by two pixels of the 16-pixel grid."""
    torch.manual_seed(1)
    network = Generator(model).double().eval()
    keypoints = torch.tensor([[[-0.2, 0.1], [0.1, -0.3], [0.0, 0.2]]], dtype=torch.float64)
    behind = torch.randn(1, 4, dtype=torch.float64)
    here = Parts(
        keypoints=keypoints,
        embeddings=torch.randn(1, 3, 4, dtype=torch.float64),
        background=behind,
        centre=torch.zeros(1, 2, dtype=torch.float64),
    )
    there = replace(here, keypoints=keypoints + torch.tensor([0.25, 0.0], dtype=torch.float64))
    before, after = network.draw(here), network.draw(there)
    content = [each.foreground if each.foreground is not None else each.image for each in (before, after)]
    return content[0][..., 12:-12, 8:-16], content[1][..., 12:-12, 12:-12]


def test_the_tuned_model_moves_with_its_keypoints_and_the_base_model_does_not():
    interior, moved = shifted_interiors(CONFIG.model)
    assert interior.std() > 1e-4
    torch.testing.assert_close(moved, interior, atol=1e-10, rtol=0)
    interior, moved = shifted_interiors(BASE.model)
    assert (moved - interior).abs().max() > 1e-2


@pytest.mark.slow
def test_grey_models_draw_grey_images_and_learn_from_luma(blob_folder, tmp_path):
    config = apply_overrides(CONFIG, ["model.channels=1", "steps=2"])
    fit_generator(blob_folder, tmp_path / "run", config, CPU)
    images = next(PairStream(tmp_path / "run", CPU).batches(0, 2)).images
    assert images.shape == (2, 32, 32, 3)
    assert (images[..., 0] == images[..., 2]).all()


@pytest.mark.slow
def test_paper_recipe_of_the_pose_starts_small_and_learns_slowly(blob_folder, tmp_path, monkeypatch):
    recipe = apply_overrides(CONFIG, ["model.pose_divisor=1", "model.pose_scale=0.05", "optimiser.pose_rate=0.05", "steps=1"])
    torch.manual_seed(0)
    small = KeypointGenerator(recipe.model).pose[-1].weight
    torch.manual_seed(0)
    torch.testing.assert_close(small, 0.05 * KeypointGenerator(CONFIG.model).pose[-1].weight)
    rates = []
    step = GeneratorTrainer.train_step

    def noted(trainer):
        found = step(trainer)
        rates.append([group["lr"] for group in trainer.adam_generator.param_groups])
        return found

    monkeypatch.setattr(GeneratorTrainer, "train_step", noted)
    fit_generator(blob_folder, tmp_path / "run", recipe, CPU)
    assert rates == [pytest.approx([1e-5, 2e-4, 2e-4])]


def test_residual_links_and_blocks():
    model = ModelConfig(**{**CONFIG.model.model_dump(), "block": "resnet"})
    network = Generator(model)
    assert sum(isinstance(layer, ResidualBlock) for layer in network.modules()) == 3
    assert network(latents_of(0, 0, 2, 8)).image.shape == (2, 3, 32, 32)
    optimiser = CONFIG.optimiser.model_copy(update={"discriminator_residual": True})
    assert build_discriminator(model, optimiser)(torch.randn(2, 3, 32, 32)).shape == (2,)


def test_losses_by_hand():
    logits = torch.tensor([0.5, 3.0])
    torch.testing.assert_close(hinge_generator_loss(logits), torch.tensor([-0.5, -3.0]))
    torch.testing.assert_close(hinge_discriminator_loss(logits, torch.tensor([-2.0, 1.0])), torch.tensor([0.5, 2.0]))
    one, two = torch.zeros(1, 3, 1, 2), torch.tensor([1.0, -2.0]).expand(1, 3, 1, 2)
    torch.testing.assert_close(background_loss(one, two, torch.tensor([[[[0.5, 1.0]]]])), torch.tensor([1.25]))
    # Two images, two keypoints; those of a keypoint point the same way, the others at right angles.
    embeddings = torch.tensor([[[2.0, 0.0], [0.0, 1.0]], [[1.0, 0.0], [0.0, 3.0]]])
    expected = -torch.log(torch.tensor(2.0).exp() / (torch.tensor(2.0).exp() + 2))
    torch.testing.assert_close(contrastive_loss(embeddings, 0.5), expected[None])


def test_spectral_norm_bounds_every_layer():
    optimiser = CONFIG.optimiser.model_copy(update={"spectral_norm": True})
    torch.manual_seed(0)
    network = build_discriminator(CONFIG.model, optimiser)
    for _ in range(30):
        network(torch.randn(2, 3, 32, 32))
    largest = torch.linalg.matrix_norm(network.features[0].weight.detach().flatten(1), 2)
    assert float(largest) == pytest.approx(1, abs=0.05)
