"""Trained models that come with the package, by name.

Each model is a folder `models/NAME` in the package: `detector.safetensors`, `generator.safetensors`, `sources.csv` (the list of
real images behind them), `README.md` (the model card), `LICENSE` (the licence of the weights) and `model.toml` (summary,
licence, data).
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
        name: name, which commands accept in place of a path.
        folder: folder of its files.
        summary: a line about its keypoints and its images.
        licence: licence of the weights, which differs from that of the code.
        data: description of its training data.
    """

    name: str
    folder: Path
    summary: str
    licence: str
    data: str


def shipped_models() -> list[Shipped]:
    """List all models of the package, in the order of their names."""
    return [
        Shipped(name=card.parent.name, folder=card.parent, **tomllib.loads(card.read_text(encoding="utf-8")))
        for card in sorted(FOLDER.glob("*/model.toml"))
    ]


def shipped_folder(path: Path) -> Path | None:
    """Find the folder of the model with a bare name; None for paths, unknown names and names of existing files."""
    folder = FOLDER / path.name
    bare = len(path.parts) == 1 and not path.exists()
    return folder if bare and (folder / "model.toml").is_file() else None


def is_shipped(weights: Path) -> bool:
    """Tell whether a file belongs to the package, in which nothing may be written."""
    return FOLDER.resolve() in weights.resolve().parents
