"""Trained models that come with the package, by name.

Each model is a folder `models/NAME` in the package. The weights are `detector.safetensors` and `generator.safetensors`.
`sources.csv` lists the real images that they were trained on. `README.md` is the model card, and `LICENSE` the licence of the
weights. `model.toml` holds the summary, licence and data for `kpdetect models`.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parent / "models"


@dataclass(frozen=True, kw_only=True)
class Shipped:
    """A model that comes with the package.

    Attributes:
        name: name of the model. Commands accept it in place of a path.
        folder: folder that holds the model's files.
        summary: a line about the model's keypoints and images.
        licence: licence of the weights, which differs from that of the code.
        data: description of the model's training data.
    """

    name: str
    folder: Path
    summary: str
    licence: str
    data: str


def shipped_models() -> list[Shipped]:
    """List all models that come with the package, in the order of their names."""
    return [
        Shipped(name=card.parent.name, folder=card.parent, **tomllib.loads(card.read_text(encoding="utf-8")))
        for card in sorted(FOLDER.glob("*/model.toml"))
    ]


def shipped_folder(path: Path) -> Path | None:
    """Find the folder of a model that comes with the package, by its name.

    Return None if `path` has several parts, is not the name of such a model, or names an existing file.
    """
    folder = FOLDER / path.name
    bare = len(path.parts) == 1 and not path.exists()
    return folder if bare and (folder / "model.toml").is_file() else None


def is_shipped(weights: Path) -> bool:
    """Tell whether a file belongs to a model that comes with the package. Nothing may be written to such a model's folder."""
    return FOLDER.resolve() in weights.resolve().parents
