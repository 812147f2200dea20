"""`kpdetect models`."""

from __future__ import annotations


def command() -> None:
    """List the trained models that come with the package; commands take their names instead of a path."""
    from kpdetect.checkpoints import find_weights, read_description
    from kpdetect.shipped import shipped_models

    for model in shipped_models():
        print(f"{model.name}: {model.summary}")
        for kind in ("detector", "generator"):
            weights = find_weights(model.folder, kind)
            found = read_description(weights)
            size = f"{weights.stat().st_size / 2**20:.1f} MiB"
            side = found["pair_size"][0] if kind == "detector" else found["config"]["model"]["size"]
            print(f"  {kind}: images of {side} px, {size}")
        print(f"  data: {model.data}")
        print(f"  licence of the weights: {model.licence}")
        print(f"  card: {model.folder / 'README.md'}")
