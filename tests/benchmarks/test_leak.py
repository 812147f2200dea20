"""Signs of augmentation in images: by hand, and the command on two very short trainings."""

import json

import pytest
import torch

from benchmarks.studies.diffaugment_leak import Signs, leaked, main, signs
from generator.presets import preset
from generator.training.augmentation import augment
from tests.builders.generators import CONFIG

pytestmark = pytest.mark.slow


def test_signs_by_hand():
    images = torch.full((4, 3, 8, 8), 0.5)
    images[1, :, :, 7] = 0.0  # a border
    images[2, :, 3:5, 4:6] = 0.05  # a patch of a quarter of the side
    images[2, 0, 6, 6] = -0.05
    images[3] += torch.tensor([0.25, 0.0, -0.25])[:, None, None]
    found = signs(images)
    assert (found.border, found.patch) == (0.25, 0.25)
    brightness = torch.tensor([0.5, 0.5 * 7 / 8, (0.5 * (192 - 13) + 0.05 * 12 - 0.05) / 192, 0.5])
    assert found.brightness == pytest.approx(float(brightness.std()), rel=1e-5)
    odd = (-0.05 + 0.5 + 0.5) / 3  # the mean of the one coloured pixel
    coloured = torch.tensor([0.0, 0.0, (odd + 0.05 + 2 * (0.5 - odd)) / 192, 0.5 / 3])
    assert found.saturation == pytest.approx(float(coloured.std()), rel=1e-4)


def test_every_change_leaves_its_sign():
    source = torch.Generator().manual_seed(0)
    plain = torch.rand(200, 3, 16, 16, generator=source) * 0.5 + 0.2
    before = signs(plain)
    for change, names in (("translation", ["border"]), ("cutout", ["patch"]), ("colour", ["brightness", "saturation"])):
        after = signs(augment(plain, [change], torch.Generator().manual_seed(1)))
        assert all(getattr(after, name) > 2 * getattr(before, name) + 0.001 for name in names), change


def test_the_share_that_leaked():
    flat = {"patch": 0.0, "brightness": 0.0, "saturation": 0.0}
    rows = ("real", 0.1), ("real, changed", 0.9), ("generated without", 0.2), ("generated with", 0.4)
    found = {
        name: Signs(border=value, **(flat if name != "real, changed" else dict.fromkeys(flat, 1.0))) for name, value in rows
    }
    assert leaked(found) == pytest.approx({"border": 0.25, **flat})


def test_the_command_trains_measures_and_continues(tmp_path, capsys, monkeypatch):
    small = lambda name, size: CONFIG if size == 32 else preset(name, size)  # noqa: E731
    monkeypatch.setattr("benchmarks.studies.diffaugment_leak.preset", small)
    arguments = ["--minutes", "1e-9", "--images", "40", "--device", "cpu", "--out", str(tmp_path / "leak")]
    assert main(arguments) == 0
    assert main(arguments) == 0
    record = json.loads((tmp_path / "leak" / "leak.json").read_text())
    assert set(record["leaked"]) == {"border", "patch", "brightness", "saturation"}
    assert record["real, changed"]["patch"] > 0.2
    assert "| generated with |" in capsys.readouterr().out
    assert main(["--size", "48", "--out", str(tmp_path / "leak")]) == 2
