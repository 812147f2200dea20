"""How local the edits of one keypoint are, for every keypoint of a generator.

    python -m benchmarks.studies.locality flies-64

There are four edits: move the keypoint by a sixteenth of the side; make the same move with `local`, which changes distant image
regions less; give the keypoint the appearance of another sample; or remove it. For each keypoint and edit, the table shows the
change of the image in grey levels, and the share of that change that lies within `NEAR` of the keypoint. The floor is the share
of a change that is equal everywhere in the image: the area within `NEAR` divided by the area of the image.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from generator.editing.parts import moved, with_appearance, without
from generator.keypoints import Parts
from generator.sample_sheet import to_uint8
from generator.stream import PairStream
from kpdetect.heatmaps import grid_axis
from kpdetect.markdown import markdown_table
from kpdetect.module_command import exit_code, module_parser
from kpdetect.training.runtime import resolve_runtime

EDITS = ("moved", "moved, local", "other look", "removed")
NEAR, STEP = 0.375, 0.125
"""Radius that counts as near a keypoint, and length of a move, in normalised units: 12 and 4 pixels in an image of 64."""
OTHER = 1_000


def edits_of(parts: Parts, other: Parts, keypoint: int) -> Iterator[Parts]:
    """Yield the parts after each edit of `EDITS` to one keypoint."""
    yield moved(parts, [keypoint], (STEP, 0.0))
    yield moved(parts, [keypoint], (STEP, 0.0), local=True)
    yield with_appearance(parts, other, [keypoint])
    yield without(parts, [keypoint])


@torch.no_grad()
def measure_locality(stream: PairStream, count: int) -> tuple[NDArray[np.float64], float]:
    """Measure the locality of edits over the first `count` samples.

    Returns:
        [keypoints, edits, 2]: the change in grey levels, and the share of it near the keypoint (0 to 1); and the floor.
    """
    parts, other = stream.parts(0, count), stream.parts(OTHER, OTHER + count)
    before = to_uint8(stream.network.draw(parts).image).astype(np.float64)
    changes, areas = np.zeros((stream.keypoints, len(EDITS), 2)), []
    for keypoint in range(stream.keypoints):
        for number, edited in enumerate(edits_of(parts, other, keypoint)):
            change = np.abs(to_uint8(stream.network.draw(edited).image) - before).mean(axis=3)
            near = nearby(parts.keypoints[:, keypoint], stream.size[0])
            areas.append(near.mean())
            shares = (change * near).sum(axis=(1, 2)) / np.maximum(change.sum(axis=(1, 2)), 1e-9)
            changes[keypoint, number] = change.mean(), shares.mean()
    return changes, float(np.mean(areas))


def nearby(places: torch.Tensor, side: int) -> NDArray[np.bool_]:
    """Return a mask [images, side, side] of pixels within `NEAR` of each image's place [images, 2] (normalised)."""
    axis = grid_axis(side).numpy()
    x, y = places.cpu().numpy()[:, :, None, None].transpose(1, 0, 2, 3)
    return np.asarray((axis - x) ** 2 + (axis[:, None] - y) ** 2 <= NEAR**2)


def locality_table(changes: NDArray[np.float64], floor: float) -> str:
    """Render the result of `measure_locality` as a Markdown table."""
    rows = [*((str(number), row) for number, row in enumerate(changes)), ("mean", changes.mean(axis=0))]
    lines = [(name, *(f"{change:.1f} ({100 * near:.0f} %)" for change, near in row)) for name, row in rows]
    legend = f"change in grey levels (share of the change within {NEAR} of the keypoint; floor {100 * floor:.0f} %)"
    return f"{markdown_table(('keypoint', *EDITS), lines)}\n{legend}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table; return the exit code, which is 2 for an argument that cannot be used."""
    parser = module_parser("benchmarks.studies.locality", __doc__)
    parser.add_argument("model", type=Path, help="a trained generator: project or run folder, weights file, or shipped name")
    parser.add_argument("--count", type=int, default=64, help="number of generated images")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="auto")
    options = parser.parse_args(arguments)

    def work() -> None:
        stream = PairStream(options.model, resolve_runtime(options.device, "float32"), seed=options.seed)
        print(locality_table(*measure_locality(stream, options.count)))

    return exit_code(work)


if __name__ == "__main__":
    sys.exit(main())
