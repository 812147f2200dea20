"""The generator's layers against the paper's equations, and the tuned model's equivariance."""

import math

import pytest
import torch
from torch.nn import functional

from generator.keypoints import KeypointGenerator, Parts, latents_of
from generator.layers import InstanceNorm, PositionalStart, Spade, StyleConv, crop, grow
from generator.model import Generator
from generator.presets import preset
from generator.training.discriminator import Discriminator
from generator.training.losses import discriminator_loss, generator_loss, gradient_penalty
from kpdetect.errors import ConfigError
from kpdetect.heatmaps import gaussian_heatmaps, grid_axis
from tests.builders.generators import TEST_MODEL, whole_pixel_shift


def concatenated(conv: StyleConv, heat: torch.Tensor, embeddings: torch.Tensor) -> torch.Tensor:
    """The convolution as the paper writes it: over the style map with keypoints x embedding channels."""
    style = (heat[:, :, None] * embeddings[..., None, None]).flatten(1, 2)
    return functional.conv2d(style, conv.weight.flatten(1, 2), conv.bias, padding=1)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.float64, 1e-12)])
def test_factorised_style_convolution_is_exact(dtype, tolerance):
    torch.manual_seed(0)
    conv = StyleConv(keypoints=5, embedding=7, outputs=6).to(dtype)
    torch.nn.init.normal_(conv.bias)
    embeddings = torch.randn(2, 5, 7, dtype=dtype, requires_grad=True)
    along_y = torch.rand(2, 5, 9, dtype=dtype, requires_grad=True)  # H != W, and any factors: exactness is not of Gaussians
    along_x = torch.rand(2, 5, 12, dtype=dtype, requires_grad=True)
    inputs = (along_y, along_x, embeddings, conv.weight, conv.bias)
    ours, theirs = (
        conv(along_y, along_x, embeddings),
        concatenated(conv, along_y[..., None] * along_x[..., None, :], embeddings),
    )
    assert ours.shape == (2, 6, 9, 12)
    weights = torch.randn_like(ours)
    pairs = [
        (ours, theirs),
        *zip(torch.autograd.grad(ours, inputs, weights), torch.autograd.grad(theirs, inputs, weights), strict=True),
    ]
    for mine, reference in pairs:
        assert (mine - reference).abs().max() <= tolerance * reference.abs().max()


def test_positional_start_is_equation_8():
    torch.manual_seed(0)
    start = PositionalStart(points=2, width=6, size=4, margin=1)
    points = torch.tensor([[[0.1, -0.3], [0.5, 0.2]]])
    axis = grid_axis(4, 1)
    place = torch.tensor([axis[5], axis[2]])  # column 5, row 2
    phase = math.pi * start.linear((place - points[0]).flatten())
    torch.testing.assert_close(start(points)[0, :, 2, 5], torch.cat([phase.sin(), phase.cos()]), atol=1e-5, rtol=1e-5)


def test_spade_is_batch_norm_scaled_and_shifted():
    torch.manual_seed(0)
    spade = Spade(width=3, keypoints=2, embedding=4, hidden=5)
    features, embeddings = torch.randn(4, 3, 6, 6), torch.randn(4, 2, 4)
    keypoints = torch.rand(4, 2, 2)
    heat = gaussian_heatmaps(keypoints, (6, 6), 0.1)
    along = heat.sum(3), heat.sum(2)
    hidden = functional.relu(concatenated(spade.style, along[0][..., None] * along[1][..., None, :], embeddings))
    gamma, beta = functional.conv2d(hidden, spade.scale_shift.weight, spade.scale_shift.bias, padding=1).chunk(2, dim=1)
    mean, variance = features.mean(dim=(0, 2, 3), keepdim=True), features.var(dim=(0, 2, 3), keepdim=True, correction=0)
    expected = (features - mean) / (variance + 1e-5).sqrt() * (1 + gamma) + beta
    torch.testing.assert_close(spade(features, along, embeddings), expected, atol=1e-4, rtol=1e-4)


def test_instance_norm_gradient():
    features = torch.randn(2, 3, 4, 5, dtype=torch.float64, requires_grad=True)
    torch.testing.assert_close(InstanceNorm.apply(features), functional.instance_norm(features))
    assert torch.autograd.gradcheck(InstanceNorm.apply, features)


def test_growing_keeps_the_margin_and_the_place():
    ramp = grid_axis(8, margin=2).expand(1, 1, 12, 12)
    grown = grow(ramp, margin=2)
    assert grown.shape[-1] == 16 + 4
    torch.testing.assert_close(crop(grown, 2)[0, 0, 0], grid_axis(16))  # bilinear up-sampling of x is x


def test_foreground_and_mask_move_with_the_keypoints():
    torch.manual_seed(1)
    model = Generator(TEST_MODEL).double().eval()
    keypoints = torch.tensor([[[-0.2, 0.1], [0.1, -0.3], [0.0, 0.2]]], dtype=torch.float64)
    embeddings = torch.randn(1, 3, 4, dtype=torch.float64)
    nothing = torch.zeros(1, 4, dtype=torch.float64)
    parts = Parts(keypoints=keypoints, embeddings=embeddings, background=nothing, centre=nothing[:, :2])
    here, there = model.draw(parts), model.draw(whole_pixel_shift(parts, 2, TEST_MODEL))
    border, moved = 12, 4  # two pixels of the 16-grid are four of the image's 32
    for before, after in ((here.mask, there.mask), (here.foreground, there.foreground)):
        interior = before[..., border:-border, border - moved : -border - moved]
        shifted = after[..., border:-border, border:-border]
        assert interior.std() > 1e-4
        torch.testing.assert_close(shifted, interior, atol=1e-10, rtol=0)


def test_background_ignores_keypoints_and_foreground_ignores_background():
    torch.manual_seed(2)
    model = Generator(TEST_MODEL).eval()
    one, two = latents_of(0, 0, 1, 8), latents_of(0, 1, 2, 8)
    mixed = type(one)(pose=two.pose, appearance=two.appearance, background=one.background, centre=one.centre)
    torch.testing.assert_close(model(one).background, model(mixed).background)
    torch.testing.assert_close(model(two).foreground, model(mixed).foreground)
    assert (model(one).foreground - model(two).foreground).abs().max() > 1e-3


def test_image_is_the_blend():
    drawing = Generator(TEST_MODEL).eval()(latents_of(0, 0, 2, 8))
    expected = drawing.mask * drawing.foreground + (1 - drawing.mask) * drawing.background
    torch.testing.assert_close(drawing.image, expected)
    assert drawing.image.shape == (2, 3, 32, 32)
    assert drawing.keypoints.abs().max() < 1


def test_embeddings_are_global_times_constant():
    parts = KeypointGenerator(TEST_MODEL)
    latents = latents_of(0, 0, 2, 8)
    torch.testing.assert_close(parts(latents).embeddings[1, 2], parts.appearance(latents.appearance)[1] * parts.constants[2])


def test_latents_depend_on_seed_and_index_alone():
    together, alone = latents_of(3, 0, 6, 8), latents_of(3, 4, 5, 8)
    torch.testing.assert_close(together.pose[4:5], alone.pose, rtol=0, atol=0)
    torch.testing.assert_close(together.centre[4:5], alone.centre, rtol=0, atol=0)
    assert not torch.equal(latents_of(4, 4, 5, 8).pose, alone.pose)


def test_losses_hand_computed():
    logits = torch.tensor([0.0, 2.0])
    torch.testing.assert_close(generator_loss(logits), torch.tensor([math.log(2), math.log(1 + math.exp(-2))]))
    expected = torch.tensor([math.log(2) + math.log(1 + math.exp(-1)), math.log(1 + math.exp(-2)) + math.log(1 + math.exp(-1))])
    torch.testing.assert_close(discriminator_loss(logits, torch.tensor([-1.0, -1.0])), expected)


def test_gradient_penalty_of_a_linear_discriminator():
    class Linear(torch.nn.Module):
        def forward(self, images):
            return (images * torch.tensor([1.0, 2.0, 3.0])[:, None, None]).sum(dim=(1, 2, 3))

    penalty = gradient_penalty(Linear(), torch.randn(2, 3, 4, 5))
    torch.testing.assert_close(penalty, torch.full((2,), (1.0 + 4 + 9) * 20))


@pytest.mark.parametrize("name", ["tiny", "small", "paper"])
@pytest.mark.parametrize("size", [32, 64, 128, 256, 512])
def test_presets_are_consistent(name, size):
    config = preset(name, size, keypoints=7)
    assert config.model.size == size
    assert config.model.keypoints == 7
    smallest = size >> len(config.optimiser.discriminator_widths)
    assert smallest == (2 if name == "paper" else 4)


def test_discriminator_sees_any_size():
    widths = preset("tiny", 32).optimiser.discriminator_widths
    assert Discriminator(32, widths)(torch.randn(3, 3, 32, 32)).shape == (3,)


@pytest.mark.parametrize(
    ("arguments", "said"), [(("tiny", 48), "`size=48`"), (("tiny", 64, 0), "`keypoints=0`"), (("huge", 64), "`preset=huge`")]
)
def test_bad_choices_are_named(arguments, said):
    with pytest.raises(ConfigError, match=said):
        preset(*arguments)
