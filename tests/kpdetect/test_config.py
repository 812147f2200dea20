from pathlib import Path

import pytest
import yaml
from pydantic import Field

from generator.config import GeneratorConfig
from generator.presets import preset
from kpdetect.config import StrictConfig, apply_overrides, differences, read_config, write_config
from kpdetect.errors import ConfigError
from kpdetect.training.run_folder import ORIENTATION, RunFolder


class Inner(StrictConfig):
    width: int = Field(3, ge=1)
    """How wide."""


class Outer(StrictConfig):
    inner: Inner = Inner()
    """The part inside."""
    rate: float = 0.5
    """How fast."""


def test_overrides_reach_nested_values_and_are_validated():
    assert apply_overrides(Outer(), ["inner.width=7", "rate=1e-3"]) == Outer(inner=Inner(width=7), rate=1e-3)
    with pytest.raises(ConfigError, match=r"inner\.width = 0 is not valid"):
        apply_overrides(Outer(), ["inner.width=0"])


def test_values_that_do_not_fit_each_other_are_refused_in_a_short_line():
    with pytest.raises(ConfigError) as caught:
        apply_overrides(preset("tiny", 64), ["model.widths=[8,8]"])
    expected = "`overrides`: model: widths and background_widths need 3 entries, one per size 16..64"
    assert str(caught.value) == expected


@pytest.mark.parametrize(("wrong", "right"), [("inner.widht=3", "inner.width"), ("rat=3", "rate"), ("width=3", "inner.width")])
def test_unknown_keys_suggest_the_nearest(wrong, right):
    with pytest.raises(ConfigError, match=f"did you mean '{right}'"):
        apply_overrides(Outer(), [wrong])


def test_unknown_key_in_a_file_names_the_file(tmp_path):
    path = tmp_path / "c.yaml"
    path.write_text("inner:\n  wdth: 3\n")
    with pytest.raises(ConfigError, match=r"c\.yaml: unknown key 'inner\.wdth'; did you mean 'inner\.width'"):
        read_config(Outer, path)


def test_written_config_is_commented_and_reads_back(tmp_path):
    config = preset("tiny", 32, keypoints=4)
    write_config(config, tmp_path / "config.yaml")
    text = (tmp_path / "config.yaml").read_text()
    assert "# Number of keypoints K." in text
    assert yaml.safe_load(text)["model"]["keypoints"] == 4
    assert read_config(GeneratorConfig, tmp_path / "config.yaml") == config


def test_differences_leave_budgets_out():
    old, new = preset("tiny", 64), apply_overrides(preset("tiny", 64), ["steps=7", "model.tau=0.02"])
    assert differences(old, new, exempt=["steps"]) == ["model.tau: 0.01 -> 0.02"]


def test_run_folder_refuses_another_config(tmp_path: Path):
    RunFolder(tmp_path / "run", Outer(rate=0.4))
    (tmp_path / "run" / ORIENTATION).touch()  # found before the work begins
    RunFolder(tmp_path / "run", Outer()).log(step=1)  # begun
    with pytest.raises(ConfigError, match=r"rate: 0\.5 -> 0\.6"):
        RunFolder(tmp_path / "run", Outer(rate=0.6))


def test_rewind_drops_what_happened_after_the_checkpoint(tmp_path):
    run = RunFolder(tmp_path / "run", Outer())
    for step in (10, 20, 30):
        run.log(step=step)
    with open(run.metrics, "a") as file:
        file.write('{"step": 4')  # cut off by a kill
    run.rewind(20)
    assert run.metrics.read_text() == '{"step": 10}\n{"step": 20}\n'
