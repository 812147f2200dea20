"""Configurations: frozen pydantic models, YAML files with comments, `--set a.b=c`, and a comparison of two configurations."""

from __future__ import annotations

import ast
import difflib
import inspect
import math
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from itertools import pairwise
from pathlib import Path
from textwrap import dedent
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from kpdetect.errors import ConfigError
from kpdetect.files.atomic import write_text
from kpdetect.files.json_yaml import LARGEST_YAML, parse_yaml
from kpdetect.files.reading import reading, reason, shortened


class StrictConfig(BaseModel):
    """The base class of every configuration. It is frozen, has a docstring per field, and refuses unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=(), allow_inf_nan=False)


Width = Annotated[int, Field(ge=1, le=1 << 14)]
"""Number of channels of a layer."""
Momentum = Annotated[float, Field(ge=0, lt=1)]
"""A beta of the optimiser Adam: the share of its running mean that is kept from step to step."""
LARGEST_SEED = 2**63 - 1
"""Largest seed that torch accepts on every device."""
Config = TypeVar("Config", bound=StrictConfig)


def build_config(kind: type[Config], values: Mapping[str, Any], source: str = "configuration") -> Config:
    """Check `values` and make a configuration of them. An error message begins with `source`.

    Raises:
        ConfigError: a key is unknown (the message suggests the nearest one), or a value is out of range.
    """
    with reading(source, ConfigError, "expected 'key: value' lines, as in a config.yaml"):
        try:
            return kind.model_validate(dict(values))
        except ValidationError as error:
            raise ConfigError(f"{source}: {_explain(kind, error)}") from error


def _explain(kind: type[StrictConfig], error: ValidationError) -> str:
    first = error.errors()[0]
    key = shortened(".".join(str(part) for part in first["loc"]))
    if first["type"] == "extra_forbidden":
        return f"unknown key '{key}'{_suggestion(kind, key)}"
    why = shortened(first["msg"].removeprefix("Value error, "), 400)
    if isinstance(first["input"], dict):  # the values contradict each other, and are too many to show
        return f"{key}: {why}" if key else why
    return f"{key or 'value'} = {_shown(first['input'])} is not valid: {why}"


def _shown(value: Any) -> str:
    """Write a value as one short line, for a message. Long lists and numbers are shortened."""
    try:
        return shortened(repr(value), 80)
    except ValueError:  # too many digits
        return "a number of thousands of digits"


def _suggestion(kind: type[StrictConfig], key: str) -> str:
    key, known = key[:200], list(config_keys(kind))
    near = difflib.get_close_matches(key, known, n=1, cutoff=0.5)
    if not near:
        last = key.rsplit(".", 1)[-1]
        near = [name for name in known if difflib.SequenceMatcher(None, name.rsplit(".", 1)[-1], last).ratio() > 0.6][:1]
    return f"; did you mean '{near[0]}'?" if near else f"; known keys: {', '.join(known)}"


def config_keys(kind: type[StrictConfig], prefix: str = "") -> Iterable[str]:
    """Yield the dotted keys of all fields of a configuration, for example `model.head_width`."""
    for name, field in kind.model_fields.items():
        nested = field.annotation
        if isinstance(nested, type) and issubclass(nested, StrictConfig):
            yield from config_keys(nested, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}"


def apply_overrides(config: Config, overrides: Iterable[str]) -> Config:
    """Return a copy of `config` with assignments such as `model.head_width=64`. Values are parsed as YAML.

    Raises:
        ConfigError: an assignment is malformed, a key is unknown, or a value is invalid.
    """
    kind = type(config)
    values = config.model_dump()
    for assignment in overrides:
        key, equals, text = assignment.partition("=")
        if not equals or not key:
            raise ConfigError(f"`overrides={shortened(assignment, 60)}`: expected key=value, for example `overrides=seed=3`")
        *parents, last = key.split(".")
        target: Any = values
        for parent in parents:
            target = target.get(parent) if isinstance(target, dict) else None
        if not isinstance(target, dict) or last not in target:
            raise ConfigError(
                f"`overrides={shortened(assignment, 60)}`: unknown key '{shortened(key)}'{_suggestion(kind, key)}"
            )
        with reading(
            f"`overrides={shortened(assignment, 60)}`", ConfigError, "expected a value such as 3, 0.5, true, name or [1, 2]"
        ):
            target[last] = parse_yaml(text)
    return build_config(kind, values, source="`overrides`")


def read_config(kind: type[Config] | Config, path: Path) -> Config:
    """Read a YAML configuration.

    Args:
        kind: type of the configuration, or a configuration whose values are used for keys that the file lacks.
        path: the file.

    Raises:
        ConfigError: the file is missing, is not a YAML mapping, or holds unknown keys or invalid values.
    """
    values = read_values(path)
    if isinstance(kind, StrictConfig):
        return build_config(type(kind), _merged(kind.model_dump(), values), source=str(path))
    return build_config(kind, values, source=str(path))


def read_values(path: Path) -> dict[str, Any]:
    """Read a YAML file of keys and values, without checking them against a type of configuration.

    Raises:
        ConfigError: the file is missing, or is not a YAML mapping.
    """
    try:
        if path.stat().st_size > 4 * LARGEST_YAML:
            raise ConfigError(f"{path}: got {path.stat().st_size:,} bytes, expected a configuration file of a few thousand")
        values = parse_yaml(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror})") from error
    except ConfigError:
        raise
    except Exception as error:  # PyYAML raises many types of errors
        raise ConfigError(f"{path}: not valid YAML ({reason(error)}); expected lines of 'key: value'") from error
    if not isinstance(values, dict) or not all(isinstance(key, str) for key in values):
        got = type(values).__name__ if not isinstance(values, dict) else "keys that are not texts"
        raise ConfigError(f"{path}: expected 'key: value' lines, got {got}")
    return values


def chosen_config(config: Config | Path | str | None, kind: type[Config] | Config, default: Callable[[], Config]) -> Config:
    """Return `config` if it is a configuration, read it if it is the path of a YAML file, and return `default` if it is None.

    Raises:
        ConfigError: the file is missing or damaged.
    """
    if isinstance(config, Path | str):
        return read_config(kind, Path(config))
    return default() if config is None else config


def _merged(base: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    both = {
        key: _merged(base[key], value)
        for key, value in values.items()
        if isinstance(value, dict) and isinstance(base.get(key), dict)
    }
    return {**base, **values, **both}


def write_config(config: StrictConfig, path: Path) -> None:
    """Write a configuration as YAML, with the docstring of each field as a comment before it."""
    write_text(path, "\n".join(_commented(config, indent="")) + "\n")


def _commented(config: StrictConfig, indent: str) -> Iterable[str]:
    import yaml

    documented = field_docs(type(config))
    for name in type(config).model_fields:
        value = getattr(config, name)
        yield from (f"{indent}# {line}" for line in documented.get(name, "").splitlines())
        if isinstance(value, StrictConfig):
            yield f"{indent}{name}:"
            yield from _commented(value, indent + "  ")
        else:
            plain = config.model_dump(mode="json")[name]
            yield f"{indent}{name}: {yaml.safe_dump(plain, default_flow_style=True, width=math.inf).splitlines()[0]}"


@cache
def field_docs(kind: type[StrictConfig]) -> Mapping[str, str]:
    """Read the docstring of each field from the source of a configuration's class and of the classes before it.

    Pydantic can read them too, but does so when a class is defined. That would take a tenth of a second of every command.
    """
    documented: dict[str, str] = {}
    for base in reversed(kind.__mro__):
        if issubclass(base, StrictConfig) and base.__annotations__:
            (definition,) = ast.parse(dedent(inspect.getsource(base))).body
            assert isinstance(definition, ast.ClassDef)
            for field, text in pairwise(definition.body):
                if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and isinstance(text, ast.Expr):
                    documented[field.target.id] = inspect.cleandoc(str(ast.literal_eval(text.value)))
    return documented


def differences(old: StrictConfig, new: StrictConfig, exempt: Iterable[str] = ()) -> list[str]:
    """Return a line `key: old -> new` for every field that differs, except for the dotted keys in `exempt`."""
    before, after = dict(leaves(old.model_dump(mode="json"))), dict(leaves(new.model_dump(mode="json")))
    keys = [key for key in {**before, **after} if key not in set(exempt)]
    return [f"{key}: {before.get(key)} -> {after.get(key)}" for key in keys if before.get(key) != after.get(key)]


def leaves(values: Mapping[str, Any], prefix: str = "") -> Iterable[tuple[str, Any]]:
    """Yield the dotted key of each value in nested mappings, after `prefix`, and the value."""
    for key, value in values.items():
        if isinstance(value, dict):
            yield from leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
