"""Every preset, size and model can be built and drawn; what drawing costs; models of the paper's widths take a step."""

from itertools import pairwise

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from benchmarks.speed.counts import counted, drawing_flop, parameters
from benchmarks.speed.generator import small_trainer
from generator.architectures import ARCHITECTURES, architecture
from generator.config import ModelConfig
from generator.keypoints import Latents, Parts
from generator.layers import LearnedStart, PositionalStart, crop
from generator.model import Generator
from generator.presets import preset
from generator.training.discriminator import build_discriminator
from kpdetect.config import apply_overrides
from tests.builders.generators import whole_pixel_shift
from tests.builders.runtimes import CPU

SIZES = (32, 64, 128, 256, 512)
MLPS = ("pose", "appearance", "background")


@pytest.mark.slow
@pytest.mark.parametrize(("number", "name"), [*enumerate(["tiny", "small", "paper"])])
@pytest.mark.parametrize(("place", "model"), [*enumerate(ARCHITECTURES)])
def test_every_model_draws_every_size(number, name, place, model):
    """Two sizes of each preset and model, so that every two of preset, model and size meet."""
    for size in (SIZES[(place + 2 * number) % len(SIZES)], SIZES[(place + 2 * number + 1) % len(SIZES)]):
        config = architecture(preset(name, size, keypoints=4), model)
        with FakeTensorMode():
            pose, appearance, background = torch.randn(3, 2, config.model.noise_width)
            latents = Latents(pose=pose, appearance=appearance, background=background, centre=torch.rand(2, 2))
            drawing = Generator(config.model).eval()(latents)
            logits = build_discriminator(config.model, config.optimiser)(drawing.image)
        assert drawing.image.shape == (2, 3, size, size)
        assert drawing.keypoints.shape == (2, 4, 2)
        assert logits.shape == (2,)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "most"), [("tiny", 0.455), ("small", 1.5)])
def test_presets_for_a_cpu_are_cheap_enough(name, most):
    flop = [float(counted(model, name, 64)["drawing, GFLOP per image"]) for model in ARCHITECTURES]
    assert 0.9 * most < max(flop) <= most


def test_flop_of_drawing_count_every_layer_once():
    """One keypoint, one block at 32 pixels, no background: each layer by hand."""
    model = ModelConfig(
        size=32, keypoints=1, embedding_width=3, noise_width=5, mlp_width=7, start_size=32, start_blocks=1, widths=(4,),
        margin=0, spade_width=2, start="learned", separate_background=False, background_part=False,
    )  # fmt: skip
    config = preset("tiny", 32).model_copy(update={"model": model})
    mlps = 5 * 7 + 7 * 7 + 7 * 2, 2 * (5 * 7 + 7 * 7 + 7 * 3)
    style = 9 * 2 * 3 + 2 * 3 * 3 * 32 + 2 * 32 * 3 * 32  # kernels, then along y, then along x
    pixels = 32 * 32 * (9 * 2 * 8 + 9 * 4 * 4 + 4 * 3)  # gamma and beta, the block, to RGB
    assert drawing_flop(Generator(model).eval(), config) == 2 * (sum(mlps) + style + pixels)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "size", "cheaper"), [("base", 64, "optimiser.background_weight=0"), ("tuned", 32, "model.margin=0")]
)
def test_the_papers_widths_take_a_step(tmp_path, model, size, cheaper):
    """Without the margin or the second drawing of the background, which smaller models train with in other tests."""
    config = apply_overrides(architecture(preset("paper", size), model), ["optimiser.batch=2", cheaper])
    trainer = small_trainer(config, CPU, tmp_path)
    assert parameters(trainer.generator) > 20e6
    networks = (trainer.generator, trainer.adversary.pixel_discriminator)
    before = [parameter.clone() for network in networks for parameter in network.parameters()]
    metrics = trainer.train_step()
    assert torch.stack([value.float() for value in metrics.values()]).isfinite().all()
    after = [parameter for network in networks for parameter in network.parameters()]
    assert not any(torch.equal(one, two) for one, two in zip(before, after, strict=True))


def test_the_papers_blocks_move_with_their_keypoints():
    """As the paper has them: residual, narrowing after the up-sampling, a margin of 10."""
    paper = preset("paper", 64, keypoints=3).model
    small = {"widths": (8, 6), "background_widths": (8, 6), "spade_width": 4, "embedding_width": 4, "noise_width": 8}
    model = paper.model_copy(update={**small, "mlp_width": 8})
    torch.manual_seed(1)
    network = Generator(model).double().eval()
    nothing = torch.zeros(1, 4, dtype=torch.float64)
    places = torch.tensor([[[-0.2, 0.1], [0.1, -0.3], [0.0, 0.2]]], dtype=torch.float64)
    styles = torch.randn(1, 3, 4, dtype=torch.float64)
    parts = Parts(keypoints=places, embeddings=styles, background=nothing, centre=nothing[:, :2])
    here, there = network.draw(parts), network.draw(whole_pixel_shift(parts, 2, model))
    for before, after in ((here.mask, there.mask), (here.foreground, there.foreground)):
        assert before[..., 4:-4].std() > 1e-4
        # two pixels of the start are four of the image; with the margin not even the border is different
        torch.testing.assert_close(after[..., 8:], before[..., 4:-4], atol=1e-10, rtol=0)


def test_tables_of_widths_only_narrow():
    for name in ("tiny", "small", "paper"):
        for size in SIZES:
            model = preset(name, size).model  # type: ignore[arg-type]
            assert all(before >= after for before, after in pairwise(model.widths))


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
