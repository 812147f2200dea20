"""Every model and ablation: it trains, its switch changes what it says, and the paper's own has the paper's shapes."""

from dataclasses import replace

import pytest
import torch
from torch.nn import functional

from generator.architectures import ABLATIONS, ARCHITECTURES, LADDER, architecture
from generator.config import GrowthConfig, ModelConfig, preset
from generator.discriminator import GrowingDiscriminator, build_discriminator
from generator.growing import Stage, faded, seen_at, stage_at
from generator.keypoints import KeypointGenerator, Parts
from generator.latents import latents_of
from generator.layers import AdaIn, LearnedStart, PositionalStart, StyleConv, StyleMap, crop
from generator.losses import background_loss, contrastive_loss, hinge_discriminator_loss, hinge_generator_loss
from generator.model import Generator
from generator.stream import PairStream
from generator.synthesis import ResidualBlock
from generator.train import GeneratorTrainer, train_generator
from kpdetect.checkpoints import load_checkpoint, load_weights
from kpdetect.config import apply_overrides
from kpdetect.errors import ConfigError
from kpdetect.heatmaps import gaussian_heatmaps
from tests.conftest import write_blobs
from tests.test_train_generator import CONFIG, CPU, states_equal

BASE = architecture(CONFIG, "base")
STEPS = "steps=50"
MLPS = ("pose", "appearance", "background")
GROWING = apply_overrides(
    BASE,
    [
        "model.size=64",
        "model.widths=[8,8,8,6,4]",
        "optimiser.discriminator_widths=[4,6,8,8]",
        "growth.images_stable=8",
        "growth.images_adapting=8",
    ],
)
"""Images of 64 pixels; `first` below makes 32 the smallest."""


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
    with pytest.raises(ConfigError, match="--model best: expected one of tuned, no-start32"):
        architecture(CONFIG, "best")


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_every_model_trains_and_its_weights_draw_pairs(blob_folder, tmp_path, name):
    config = apply_overrides(architecture(CONFIG, name), [STEPS])
    train_generator(blob_folder, tmp_path / "run", config, CPU)
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
    train_generator(write_blobs(folder / "blobs"), folder / "run", apply_overrides(BASE, [STEPS]), CPU)
    return load_checkpoint(folder / "run" / "checkpoint.pt", "generator")


@pytest.mark.parametrize("name", ABLATIONS)
def test_every_ablation_trains_and_is_not_the_base_model(blob_folder, tmp_path, trained_base, name):
    train_generator(blob_folder, tmp_path / "run", apply_overrides(BASE, [*ABLATIONS[name], STEPS]), CPU)
    ours, base = load_checkpoint(tmp_path / "run" / "checkpoint.pt", "generator"), trained_base
    assert ours["step"] == 50
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
    style = StyleMap(keypoints, embeddings, behind, 0.3, margin=1)
    ours = conv(*style.at(8), embeddings, style.behind(8))
    heat = gaussian_heatmaps(keypoints, (8, 8), 0.3, margin=1)
    empty = 1 - heat.amax(dim=1)
    parts = [(heat[:, :, None] * embeddings[..., None, None]).flatten(1, 2), empty[:, None] * behind[..., None, None]]
    weight = torch.cat([conv.weight.flatten(1, 2), conv.weight_behind], dim=1)
    theirs = functional.conv2d(torch.cat(parts, dim=1), weight, conv.bias, padding=1)
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


def test_grey_models_draw_grey_images_and_learn_from_luma(blob_folder, tmp_path):
    config = apply_overrides(CONFIG, ["model.channels=1", "steps=2"])
    train_generator(blob_folder, tmp_path / "run", config, CPU)
    images = next(PairStream(tmp_path / "run", CPU).batches(0, 2)).images
    assert images.shape == (2, 32, 32, 3)
    assert (images[..., 0] == images[..., 2]).all()


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
    train_generator(blob_folder, tmp_path / "run", recipe, CPU)
    assert rates == [pytest.approx([1e-5, 2e-4, 2e-4])]


def test_residual_links_and_blocks():
    model = ModelConfig(**{**CONFIG.model.model_dump(), "block": "resnet"})
    network = Generator(model)
    assert sum(isinstance(layer, ResidualBlock) for layer in network.modules()) == 3
    assert network(latents_of(0, 0, 2, 8)).image.shape == (2, 3, 32, 32)
    optimiser = CONFIG.optimiser.model_copy(update={"discriminator_residual": True})
    assert build_discriminator(model, optimiser)(torch.randn(2, 3, 32, 32)).shape == (2,)


def test_stages_follow_from_the_images_seen():
    model = ModelConfig(size=256, start_size=64, widths=(8, 8, 8), start="learned", separate_background=False, progressive=True)
    growth = GrowthConfig(images_stable=100, images_adapting=50)
    assert model.image_sizes == (64, 128, 256)
    found = [stage_at(images, model, growth) for images in (0, 99, 100, 125, 150, 249, 250, 299, 300, 10_000)]
    assert [(each.size, each.alpha) for each in found] == [
        (64, 1), (64, 1), (128, 0), (128, 0.5), (128, 1), (128, 1), (256, 0), (256, 0.98), (256, 1), (256, 1),
    ]  # fmt: skip
    assert stage_at(0, model.model_copy(update={"progressive": False}), growth) == Stage(size=256)


def test_what_a_fading_stage_sees():
    images = torch.arange(16.0).view(1, 1, 4, 4)
    assert torch.equal(seen_at(images, Stage(size=4)), images)
    small = torch.tensor([[[[2.5, 4.5], [10.5, 12.5]]]])
    assert torch.equal(seen_at(images, Stage(size=2)), small)
    mixed = seen_at(images, Stage(size=4, alpha=0.25))
    assert mixed[0, 0, 0, 1] == 0.25 * 1 + 0.75 * 2.5
    assert torch.equal(faded(images, small, Stage(size=4, alpha=0.25)), mixed)


@pytest.fixture
def first_is_32(monkeypatch):
    """Growing models of 64 pixels that begin with 32."""
    monkeypatch.setattr(ModelConfig, "image_sizes", property(lambda model: (32, 64) if model.progressive else (model.size,)))


def test_a_growing_model_fades_its_next_size_in(first_is_32):
    torch.manual_seed(0)
    network = Generator(GROWING.model).eval()
    latents = latents_of(0, 0, 2, 8)
    small, start, half, whole = (
        network(latents, stage).image for stage in (Stage(size=32), Stage(size=64, alpha=0), Stage(size=64, alpha=0.5), None)
    )
    assert small.shape[-1] == 32
    assert half.shape[-1] == 64
    before = functional.interpolate(small.atanh(), scale_factor=2, mode="nearest")
    torch.testing.assert_close(start.atanh(), before, atol=1e-4, rtol=1e-3)
    torch.testing.assert_close(half.atanh(), (before + whole.atanh()) / 2, atol=1e-4, rtol=1e-3)


def test_a_growing_discriminator_fades_too(first_is_32):
    torch.manual_seed(0)
    network = build_discriminator(GROWING.model, GROWING.optimiser)
    assert isinstance(network, GrowingDiscriminator)
    images = torch.randn(3, 3, 64, 64)
    reduced = functional.avg_pool2d(images, 2)
    torch.testing.assert_close(network(images, Stage(size=64, alpha=0)), network(reduced, Stage(size=32)))
    assert not torch.allclose(network(images, Stage(size=64)), network(images, Stage(size=64, alpha=0.5)))


def test_growing_is_resumed_exactly_and_its_keypoints_rest(blob_folder, tmp_path, first_is_32):
    # Batches of 4: steps 0, 1 at 32 pixels, 2 and 3 fade 64 in, 4 is at 64.
    train_generator(blob_folder, tmp_path / "whole", apply_overrides(GROWING, ["steps=5", "checkpoint_every=1"]), CPU)
    poses, sizes = [], []
    for steps in range(1, 6):
        train_generator(blob_folder, tmp_path / "parts", apply_overrides(GROWING, [f"steps={steps}"]), CPU)
        poses.append(load_checkpoint(tmp_path / "parts" / "checkpoint.pt", "generator")["generator"]["parts.pose.4.weight"])
        sizes.append(load_weights(tmp_path / "parts" / "model.safetensors", "generator")[1]["drawn_size"])
    ends = [load_checkpoint(tmp_path / name / "checkpoint.pt", "generator") for name in ("whole", "parts")]
    assert states_equal(ends[0]["generator"], ends[1]["generator"])
    assert states_equal(ends[0]["discriminator"], ends[1]["discriminator"])
    assert [torch.equal(before, after) for before, after in zip(poses, poses[1:], strict=False)] == [False, True, True, False]
    assert sizes[0] == 32
    assert sizes[-1] == 64
    awake = apply_overrides(GROWING, ["optimiser.rest_when_adapting=false", "steps=3"])
    train_generator(blob_folder, tmp_path / "awake", awake, CPU)
    late = load_checkpoint(tmp_path / "awake" / "checkpoint.pt", "generator")["generator"]["parts.pose.4.weight"]
    assert not torch.equal(late, poses[2])


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


FIGURE_12 = [(512, 4), (512, 8), (512, 16), (512, 32), (256, 64), (128, 128), (64, 256), (32, 512)]
"""Channels and side of the paper's keypoint blocks, for images of 512 pixels; smaller images have fewer of them."""


@pytest.mark.parametrize(("size", "blocks"), [(128, 6), (256, 7), (512, 8)])
def test_the_papers_base_model_has_the_shapes_of_figure_12(size, blocks):
    config = architecture(preset("paper", size), "base")
    with torch.device("meta"):
        network = Generator(config.model)
        critic = build_discriminator(config.model, config.optimiser)
    drawn = network.foreground
    assert isinstance(drawn.start, LearnedStart)
    assert drawn.start.constant.shape == (1, 512, 4, 4)
    assert [(block.conv.out_channels, block.side) for block in drawn.blocks] == FIGURE_12[:blocks]
    assert [block.spade.norm.num_features for block in drawn.blocks] == [512, *(width for width, _ in FIGURE_12[: blocks - 1])]
    shown = [side for _, side in FIGURE_12[:blocks] if side >= 64]  # to and from RGB
    assert [*map(int, drawn.to_smaller), drawn.config.size] == shown
    assert [*map(int, critic.entries)] == shown[::-1]
    widths = [(block[2].out_channels, size >> number) for number, block in enumerate(critic.blocks, start=1)]
    halved = [(width, side) for width, side in reversed(FIGURE_12) if 4 <= side < size]
    assert widths == [(max(width, 64), side) for width, side in halved] + [(512, 2)]
    assert [block[0].kernel_size for block in critic.blocks] == [(4, 4)] * len(critic.blocks)
    assert critic.logit.in_features == 512 * 2 * 2


def test_the_papers_keypoint_generator_has_the_shapes_of_figure_2():
    config = architecture(preset("paper", 128), "base")
    with torch.device("meta"):
        network = Generator(config.model)
    layers = {name: [layer for layer in getattr(network.parts, name) if hasattr(layer, "in_features")] for name in MLPS}
    assert {name: (mlp[0].in_features, mlp[-1].out_features, len(mlp)) for name, mlp in layers.items()} == {
        "pose": (256, 10 * 2, 3),
        "appearance": (256, 128, 3),  # w_global
        "background": (256, 128, 3),  # w_bg
    }
    assert network.parts.constants.shape == (10, 128)
    style = network.foreground.blocks[0].spade.style
    assert style.weight.shape[1:] == (10, 128, 3, 3)
    assert style.weight_behind.shape[1:] == (128, 3, 3)  # with it (K + 1) x D_embed channels


def test_the_papers_tuned_model():
    tuned = preset("paper", 128).model
    assert (tuned.start_size, tuned.margin, tuned.embedding_width, tuned.block) == (32, 10, 128, "resnet")
    with torch.device("meta"):
        assert isinstance(Generator(tuned).foreground.start, PositionalStart)
    assert crop(torch.zeros(1, 1, 52, 52), 10).shape[-1] == 32
