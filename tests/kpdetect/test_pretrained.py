"""Which pretrained weights a project uses, and how they are turned off."""

from pathlib import Path

import pytest

from kpdetect.config import apply_overrides, write_config
from kpdetect.errors import ConfigError
from kpdetect.inference.model_card import model_card
from kpdetect.project.config import project_config
from kpdetect.project.pipeline import run_project
from kpdetect.skeleton import Skeleton
from kpdetect.training.pretrained import pretrained_sentence, pretrained_settings
from kpdetect.training.stage_choice import StageChoice


def settings_of(method, *overrides):
    return apply_overrides(project_config(method=method), overrides).model_dump(mode="json")


@pytest.mark.parametrize(
    ("method", "overrides", "names"),
    [
        ("gan", (), []),
        ("imm", (), []),
        ("correspondence", (), ["correspondence.features"]),
        ("correspondence", ("generator.optimiser.features=w.pth",), ["correspondence.features"]),
        ("gan", ("generator.optimiser.features=w.pth",), ["generator.optimiser.features"]),
        ("gan", ("generator.stopping.patience=3",), ["generator.stopping.features"]),
        ("gan", ("generator.stopping.patience=3", "generator.stopping.features=random"), []),
        ("gan", ("detector.model.backbone_weights=w.pth",), ["detector.model.backbone_weights"]),
        ("gan", ("refine.reconstruction.features=w.pth",), ["refine.reconstruction.features"]),
        ("gan", ("refine.reconstruction.features=w.pth", "refined=false"), []),
        ("imm", ("refine.reconstruction.features=w.pth",), ["refine.reconstruction.features"]),
    ],
)
def test_only_weights_of_stages_that_the_project_has_are_listed(method, overrides, names):
    assert list(pretrained_settings(settings_of(method, *overrides))) == names


def test_turned_off_such_a_setting_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    settings = project_config(method="correspondence")
    with pytest.raises(ConfigError, match=r"^correspondence\.features=installed: names pretrained .* `pretrained` is off"):
        run_project(tmp_path, tmp_path / "out", settings, pretrained=False)
    assert not (tmp_path / "out").exists()


def test_the_report_and_the_card_name_the_weights(tmp_path: Path) -> None:
    assert pretrained_sentence(tmp_path) == ""
    write_config(project_config(), tmp_path / "config.yaml")
    assert pretrained_sentence(tmp_path) == ""
    write_config(project_config(method="correspondence"), tmp_path / "config.yaml")
    sentence = "This project uses weights that were trained on other images: correspondence.features=installed."
    assert pretrained_sentence(tmp_path) == sentence
    choice = StageChoice.model_construct(stages=(), chosen="detector", images=1, sentence="")
    points = Skeleton.plain(2)
    assert f"without labels. {sentence}\n" in model_card("mine", points, choice, sentence)
    assert "other images" not in model_card("mine", points, choice)
