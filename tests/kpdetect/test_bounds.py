"""Settings and texts from others are bounded: one line with the key's name, no traceback, no waiting."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from generator.config import GeneratorConfig
from kpdetect.config import apply_overrides, read_config
from kpdetect.detector.config import DetectorConfig
from kpdetect.errors import ConfigError, FormatError, InputError, ShardError
from kpdetect.files.json_yaml import parse_json, parse_yaml, read_json_file
from kpdetect.files.reading import reading

BOMB = "a0: &a0 [x, x, x]\n" + "".join(f"a{n + 1}: &a{n + 1} [{', '.join([f'*a{n}'] * 9)}]\n" for n in range(9))


@pytest.mark.parametrize(
    ("assignment", "key"),
    [
        ("optimiser.betas=[1,1]", "optimiser.betas.0 = 1 "),
        ("optimiser.feature_betas=[0,-1]", "optimiser.feature_betas.1 = -1 "),
        ("model.widths=[0,8,8]", "model.widths.0 = 0 "),
        ("model.widths=[8,8,-8]", "model.widths.2 = -8 "),
        ("optimiser.discriminator_widths=[8,8,8,8,8,8,8,8]", "optimiser.discriminator_widths has 8 entries.* 1 to 6"),
        ("optimiser.discriminator_widths=[]", "optimiser.discriminator_widths"),
        (f"seed={2**64}", "seed = 18446744073709551616 "),
        ("optimiser.rate_generator=.nan", "optimiser.rate_generator = nan "),
        ("optimiser.rate_generator=.inf", "optimiser.rate_generator = inf "),
        ("model.mlp_width=99999999999", "model.mlp_width = 99999999999 "),
        ("steps=1e300", "steps = '1e300' "),
    ],
)
def test_values_that_only_torch_would_refuse_are_named(assignment: str, key: str) -> None:
    with pytest.raises(ConfigError, match=f"^`overrides`: {key}"):
        apply_overrides(GeneratorConfig(), [assignment])


@pytest.mark.parametrize(
    "text", ["[1,2", "'", "*a", "2001-99-99", "9" * 5000, "!!python/name:os.system", "!!bool x", "!!timestamp x", "[" * 3000]
)
def test_assignments_that_are_no_values_are_one_line(text: str) -> None:
    with pytest.raises(ConfigError, match=r"^`overrides=seed=") as caught:
        apply_overrides(DetectorConfig(), [f"seed={text}"])
    assert len(str(caught.value).splitlines()) == 1
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize("text", [BOMB, "[" * 3000, "&a [*a]", "\x00", "a: 2001-99-99", "seed: {a: 1}", "- 1", "1: 2"])
@pytest.mark.parametrize("kind", [DetectorConfig, DetectorConfig()])
def test_configurations_are_bounded(tmp_path: Path, text: str, kind: DetectorConfig) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=r"config\.yaml: ") as caught:
        read_config(kind, path)
    assert len(str(caught.value).splitlines()) == 1


def test_a_few_aliases_are_read() -> None:
    assert parse_yaml("a: &x [1, 2]\nb: *x") == {"a": [1, 2], "b": [1, 2]}
    assert parse_yaml("a: &x {c: 1}\nb: {<<: *x, d: 2}") == {"a": {"c": 1}, "b": {"c": 1, "d": 2}}


def test_json_is_bounded_in_depth(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    inner = '"]]]]"'  # brackets in texts do not count
    path.write_text('{"a": ' * 60 + inner + "}" * 60)
    assert json.dumps(read_json_file(path)).count("{") == 60
    for text in ("[" * 100_000, '{"a":' * 65 + "1" + "}" * 65, '["' + "]" * 90 + '",' + "[" * 70 + "]" * 70 + "]"):
        path.write_text(text)
        with pytest.raises(FormatError, match=r"x\.json: .*nested .*expected at most 64"):
            read_json_file(path)
    assert parse_json('["' + "[" * 100 + '"]', path) == ["[" * 100]


@pytest.mark.parametrize("text", ["", "{", "[" * 3, "9" * 5000, '"\\ud800"', "\xff"])
def test_json_that_is_none_is_one_line(tmp_path: Path, text: str) -> None:
    (tmp_path / "x.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(FormatError, match=r"x\.json: ") as caught:
        read_json_file(tmp_path / "x.json")
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize(
    "error", [ValueError("a\nb"), KeyError("k"), TypeError(), MemoryError(), RecursionError(), OSError("x")]
)
def test_any_failure_names_the_file(error: Exception) -> None:
    with pytest.raises(ShardError, match=r"^some\.h5: [^\n]+; repair it$"), reading("some.h5", ShardError, "repair it"):
        raise error


def test_missing_files_and_interruptions_pass(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"), reading(tmp_path / "x"):
        (tmp_path / "x").read_bytes()
    with pytest.raises(KeyboardInterrupt), reading("x"):
        raise KeyboardInterrupt
