"""DiffAugment: changes on small images computed by hand, gradients, and that it is off unless asked for."""

import pytest
import torch

from generator.training.adversary import Adversary
from generator.training.augmentation import CHANGES, augment, change_colour, cut_out, translate
from kpdetect.config import apply_overrides
from kpdetect.errors import ConfigError
from kpdetect.training.checkpoints import load_weights
from tests.builders.generators import CONFIG
from tests.builders.runtimes import CPU
from tests.builders.trainings import fit_generator


def source(seed=0):
    return torch.Generator().manual_seed(seed)


def test_nothing_asked_for_nothing_changed():
    images = torch.rand(2, 3, 8, 12)
    assert augment(images, (), source()) is images


def test_a_translation_moves_whole_pixels_and_fills_with_zero():
    images = torch.arange(1, 8 * 16 + 1, dtype=torch.float32).view(1, 1, 8, 16).expand(64, 3, 8, 16)
    moved = translate(images, source(1))
    draws = source(1)
    down, right = torch.randint(-1, 2, (64, 1), generator=draws), torch.randint(-2, 3, (64, 1), generator=draws)
    assert {*right[:, 0].tolist()} == {-2, -1, 0, 1, 2}
    for image, dy, dx in zip(moved, down[:, 0].tolist(), right[:, 0].tolist(), strict=True):
        for row, column in ((0, 0), (3, 5), (7, 15)):
            y, x = row + dy, column + dx
            inside = 0 <= y < 8 and 0 <= x < 16
            assert image[0, row, column] == (y * 16 + x + 1 if inside else 0)


def test_a_cut_out_is_a_square_of_half_the_side():
    cut = cut_out(torch.ones(200, 3, 8, 12), source(2))
    missing = (cut[:, 0] == 0).sum(dim=(1, 2))
    assert missing.max() == 4 * 6
    assert missing.min() < 4 * 6  # partly outside
    assert torch.equal(cut[:, 0], cut[:, 2])


def test_colours_by_hand():
    images = torch.tensor([[0.2, 0.0, -0.5]]).view(1, 3, 1, 1).expand(1, 3, 2, 2).clone()
    images[0, :, 0, 0] += 0.3
    draws = source(3)
    brightness, saturation, contrast = (torch.rand(1, 1, 1, 1, generator=draws) for _ in range(3))
    bright = images + brightness - 0.5
    grey = bright.mean(dim=1, keepdim=True)
    full = grey + (bright - grey) * 2 * saturation
    wanted = full.mean() + (full - full.mean()) * (contrast + 0.5)
    torch.testing.assert_close(change_colour(images, source(3)), wanted)


@pytest.mark.parametrize("change", CHANGES)
def test_changes_repeat_differ_between_images_and_pass_gradients(change):
    images = torch.rand(16, 3, 16, 16, generator=source(4)).requires_grad_()
    changed = augment(images, (change,), source(5))
    assert torch.equal(changed, augment(images, (change,), source(5)))
    assert not torch.equal(changed, augment(images, (change,), source(6)))
    changed.square().sum().backward()
    assert (images.grad.abs().sum(dim=(1, 2, 3)) > 0).all()


@pytest.mark.slow
def test_training_uses_it_in_both_updates(blob_folder, tmp_path, monkeypatch):
    seen = []
    original = Adversary.changed

    def watched(adversary, images, which, step):
        seen.append(which)
        return original(adversary, images, which, step)

    monkeypatch.setattr(Adversary, "changed", watched)
    one = CONFIG.model_copy(update={"steps": 1})
    plain = fit_generator(blob_folder, tmp_path / "plain", one, CPU)
    changed = apply_overrides(one, ["optimiser.diffaugment=[colour,translation,cutout]"])
    other = fit_generator(blob_folder, tmp_path / "changed", changed, CPU)
    assert seen == ["real", "fake", "drawn"] * 2
    first, second = load_weights(plain, "generator")[0], load_weights(other, "generator")[0]
    assert any(not torch.equal(first[name], second[name]) for name in first)


def test_an_unknown_change_is_refused():
    with pytest.raises(ConfigError, match=r"optimiser\.diffaugment"):
        apply_overrides(CONFIG, ["optimiser.diffaugment=[blur]"])
