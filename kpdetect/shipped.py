"""Trained models that come with the package, by name.

Each is a folder `models/NAME` in the package: `detector.safetensors`, `generator.safetensors`, `sources.csv` (the real images
behind them), `README.md` (the model card), `LICENSE` (the terms of the weights) and `model.toml` (summary, licence, data).
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parent / "models"


@dataclass(frozen=True, kw_only=True)
class Shipped:
    """A model of the package.

    Attributes:
        name: what commands take instead of a path.
        folder: where its files are.
        summary: one line: what it finds, in which images.
        licence: terms of the weights, which are not those of the code.
        data: what it was trained on.
    """

    name: str
    folder: Path
    summary: str
    licence: str
    data: str


def shipped_models() -> list[Shipped]:
    """All models of the package, by name."""
    return [
        Shipped(name=card.parent.name, folder=card.parent, **tomllib.loads(card.read_text(encoding="utf-8")))
        for card in sorted(FOLDER.glob("*/model.toml"))
    ]


def shipped_folder(path: Path) -> Path | None:
    """The folder of the model that a bare name means; None for paths, unknown names and names of files that exist."""
    folder = FOLDER / path.name
    bare = len(path.parts) == 1 and not path.exists()
    return folder if bare and (folder / "model.toml").is_file() else None


def is_shipped(weights: Path) -> bool:
    """Whether a file belongs to the package, where nothing may be written."""
    return FOLDER.resolve() in weights.resolve().parents
