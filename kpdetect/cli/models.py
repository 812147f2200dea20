"""`kpdetect models`."""

from __future__ import annotations

from pathlib import Path


def _side(weights: Path, kind: str) -> int:
    from kpdetect.training.checkpoints import read_detector_description, read_model_description

    if kind == "detector":
        return read_detector_description(weights).pair_size[0]
    description = read_model_description(weights)
    return description.drawn_size or int((description.config or {})["model"]["size"])


def command() -> None:
    """List the trained models that come with the package. Other commands accept these names as MODEL."""
    from kpdetect.shipped import shipped_models
    from kpdetect.training.checkpoints import find_weights

    for model in shipped_models():
        print(f"{model.name}: {model.summary}")
        for kind in ("detector", "generator"):
            weights = find_weights(model.folder, kind)
            size = f"{weights.stat().st_size / 2**20:.1f} MiB"
            side = _side(weights, kind)
            print(f"  {kind}: images of {side} px, {size}")
        print(f"  data: {model.data}")
        print(f"  licence of the weights: {model.licence}")
        print(f"  card: {model.folder / 'README.md'}")
