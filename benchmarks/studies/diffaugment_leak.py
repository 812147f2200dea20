"""Whether DiffAugment leaks: do generated images carry the changes that the discriminator was shown?

    python -m benchmarks.studies.diffaugment_leak --minutes 4 --out runs/leak

Two generators learn the same cartoon faces for equal minutes, one of them with DiffAugment; repeating the command continues.
Signs of each change are measured on real images, on real images changed (what a full leak would look like), and on images of
both generators:
    border      images with an outermost row or column all middle grey: translation fills with it
    patch       images with a middle grey square of a quarter of the side: cutout leaves them
    brightness  standard deviation between images of their mean, of the range from -1 to 1: colour widens it
    saturation  standard deviation between images of their mean distance from grey: colour widens it
`leaked` is how far the second generator's signs lie from the first's, as a share of the way from real to changed images.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

from generator.presets import preset
from generator.stream import PairStream
from generator.training.augmentation import CHANGES, augment
from generator.training.batches import RealBatches
from generator.training.train import train_generator
from kpdetect.config import apply_overrides
from kpdetect.console import console
from kpdetect.data.folder import ImageCache
from kpdetect.errors import KpdetectError
from kpdetect.files.atomic import write_json
from kpdetect.toy.dataset import write_toy
from kpdetect.training.run_folder import environment
from kpdetect.training.runtime import Runtime, resolve_runtime

GREY = 0.06
"""How far from 0, in the range from -1 to 1, still is middle grey."""
UNLIMITED = 10**9
"""Steps; the clock ends the training."""


@dataclass(frozen=True, kw_only=True)
class Signs:
    """What changes leave behind; see the top of this file.

    Attributes:
        border, patch: shares of images.
        brightness, saturation: standard deviations between images.
    """

    border: float
    patch: float
    brightness: float
    saturation: float


def signs(images: Tensor) -> Signs:
    """Signs of changes in images [batch, 3, side, side] in [-1, 1]."""
    grey = (images.abs() < GREY).all(dim=1)
    edges = torch.stack([grey[:, 0], grey[:, -1], grey[:, :, 0], grey[:, :, -1]])
    patch = functional.avg_pool2d(grey.float()[:, None], images.shape[-1] // 4, stride=1).amax(dim=(1, 2, 3))
    coloured = (images - images.mean(dim=1, keepdim=True)).abs().mean(dim=(1, 2, 3))
    return Signs(
        border=float(edges.all(dim=2).any(dim=0).float().mean()),
        patch=float((patch > 0.999).float().mean()),
        brightness=float(images.mean(dim=(1, 2, 3)).std()),
        saturation=float(coloured.std()),
    )


def measure_leak(out: Path, minutes: float, runtime: Runtime, *, size: int = 32, images: int = 2_000) -> dict[str, Signs]:
    """Train both generators and measure.

    Args:
        out: folder of images and runs.
        minutes: training minutes of each generator.
        runtime: device and precision.
        size: side of the images.
        images: number of drawn faces, and of images that are measured.

    Raises:
        KpdetectError: `out` cannot be written.
    """
    if not (out / "toy" / "toy.json").exists():
        write_toy(out / "toy", images, size=size + size // 4, seed=0)
    found = {}
    for name, changes in (("without", ""), ("with", ",".join(CHANGES))):
        config = apply_overrides(preset("tiny", size), [f"steps={UNLIMITED}", f"optimiser.diffaugment=[{changes}]"])
        train_generator(out / "toy" / "images", out / name, config, runtime, minutes=minutes)
        drawn = torch.cat([torch.from_numpy(batch.images) for batch in PairStream(out / name, runtime).batches(0, images)])
        found[name] = signs(drawn.permute(0, 3, 1, 2).float() / 127.5 - 1)
    real = RealBatches(ImageCache(out / "without" / "images.h5").images, size, images, config.data, seed=1).at(0)
    changed = augment(real, CHANGES, torch.Generator().manual_seed(0))
    return {"real": signs(real), "real, changed": signs(changed)} | {f"generated {name}": each for name, each in found.items()}


def leaked(found: dict[str, Signs]) -> dict[str, float]:
    """How far the second generator's signs lie from the first's, as a share of the way from real to changed images."""
    rows = [asdict(found[name]) for name in ("real", "real, changed", "generated without", "generated with")]
    return {sign: (after - before) / (changed - real) for sign, real, changed, before, after in _columns(rows)}


def _columns(rows: list[dict[str, float]]) -> list[tuple[str, float, float, float, float]]:
    return [(sign, *(row[sign] for row in rows)) for sign in rows[0]]  # type: ignore[misc]


def leak_table(found: dict[str, Signs]) -> str:
    """The Markdown table."""
    names = list(asdict(next(iter(found.values()))))
    rows = [*((name, asdict(each)) for name, each in found.items()), ("leaked", leaked(found))]
    lines = [f"| {name} | " + " | ".join(f"{values[sign]:.3f}" for sign in names) + " |" for name, values in rows]
    return "\n".join(["| images | " + " | ".join(names) + " |", "| --- " * (1 + len(names)) + "|", *lines])


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table; exit code 2 where something given cannot be used."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.studies.diffaugment_leak",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--minutes", type=float, default=4.0, help="training minutes of each generator")
    parser.add_argument("--size", type=int, default=32, help="side of the images: 32, 64, 128, 256 or 512")
    parser.add_argument("--images", type=int, default=2_000, help="number of drawn faces, and of images measured")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args(arguments)
    try:
        with console():
            found = measure_leak(given.out, given.minutes, resolve_runtime(given.device), size=given.size, images=given.images)
        record = {name: asdict(each) for name, each in found.items()} | {"leaked": leaked(found)}
        write_json(given.out / "leak.json", {**record, "minutes": given.minutes, "environment": environment()})
    except KpdetectError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    print(leak_table(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
