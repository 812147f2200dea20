"""How local edits of one keypoint are, for every keypoint of a generator.

    python -m benchmarks.studies.locality flies-64

For each keypoint and each of four edits (moved by a sixteenth of the side, the same as a local move, appearance of another
sample, removed): how much the image changes, in grey levels, and which share of that change lies within `NEAR` of the keypoint.
The floor is the share of the image's area there: what a change that is the same everywhere would have.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from generator.editing.parts import moved, with_appearance, without
from generator.keypoints import Parts
from generator.sheet import to_uint8
from generator.stream import PairStream
from kpdetect.errors import KpdetectError
from kpdetect.heatmaps import grid_axis
from kpdetect.training.runtime import resolve_runtime

EDITS = ("moved", "moved, local", "other look", "removed")
NEAR, STEP = 0.375, 0.125
"""Normalised: 12 and 4 pixels of 64."""
OTHER = 1_000


def edits_of(parts: Parts, other: Parts, keypoint: int) -> Iterator[Parts]:
    """What `EDITS` names, of one keypoint."""
    yield moved(parts, [keypoint], (STEP, 0.0))
    yield moved(parts, [keypoint], (STEP, 0.0), local=True)
    yield with_appearance(parts, other, [keypoint])
    yield without(parts, [keypoint])


@torch.no_grad()
def measure_locality(stream: PairStream, count: int) -> tuple[NDArray[np.float64], float]:
    """Change in grey levels and its share nearby, [keypoints, edits, 2], over the first `count` samples; and the floor."""
    parts, other = stream.parts(0, count), stream.parts(OTHER, OTHER + count)
    before = to_uint8(stream.network.draw(parts).image).astype(np.float64)
    found, areas = np.zeros((stream.keypoints, len(EDITS), 2)), []
    for keypoint in range(stream.keypoints):
        for number, edited in enumerate(edits_of(parts, other, keypoint)):
            change = np.abs(to_uint8(stream.network.draw(edited).image) - before).mean(axis=3)
            near = nearby(parts.keypoints[:, keypoint], stream.size[0])
            areas.append(near.mean())
            shares = (change * near).sum(axis=(1, 2)) / np.maximum(change.sum(axis=(1, 2)), 1e-9)
            found[keypoint, number] = change.mean(), shares.mean()
    return found, float(np.mean(areas))


def nearby(places: torch.Tensor, side: int) -> NDArray[np.bool_]:
    """Pixels [images, side, side] whose centre is within `NEAR` of a place [images, 2], normalised."""
    axis = grid_axis(side).numpy()
    x, y = places.cpu().numpy()[:, :, None, None].transpose(1, 0, 2, 3)
    return np.asarray((axis - x) ** 2 + (axis[:, None] - y) ** 2 <= NEAR**2)


def locality_table(found: NDArray[np.float64], floor: float) -> str:
    """The Markdown table."""
    rows = [*((str(number), row) for number, row in enumerate(found)), ("mean", found.mean(axis=0))]
    lines = [
        f"| {name} | " + " | ".join(f"{change:.1f} ({100 * near:.0f} %)" for change, near in row) + " |" for name, row in rows
    ]
    head = ["| keypoint | " + " | ".join(EDITS) + " |", "| --- " * (1 + len(EDITS)) + "|"]
    return "\n".join([*head, *lines, f"change in grey levels (of it within {NEAR} of the keypoint; floor {100 * floor:.0f} %)"])


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table; exit code 2 where something given cannot be used."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.studies.locality", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", type=Path, help="a trained generator: project or run folder, weights file, or shipped name")
    parser.add_argument("--count", type=int, default=64, help="samples")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="auto")
    given = parser.parse_args(arguments)
    try:
        stream = PairStream(given.model, resolve_runtime(given.device, "float32"), seed=given.seed)
    except KpdetectError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    print(locality_table(*measure_locality(stream, given.count)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
