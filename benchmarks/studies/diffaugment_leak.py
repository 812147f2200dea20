"""Does DiffAugment leak: do generated images show the changes that DiffAugment makes to the discriminator's images?

    python -m benchmarks.studies.diffaugment_leak --minutes 4 --out runs/leak

Two generators learn the same cartoon faces for equal minutes, one of them with DiffAugment. Repeating the command continues
both trainings. The study measures the signs of each change on four sets of images: real images, real images with
DiffAugment's changes (as in a full leak), and images of both generators. The signs:

    border      share of images whose outermost row or column is middle grey, as translation leaves it
    patch       share of images with a middle grey square of a quarter of the side, as cutout leaves it
    brightness  standard deviation between images of the mean pixel value (-1 to 1), which colour changes increase
    saturation  standard deviation between images of the mean distance from grey, which colour changes increase

`leaked` compares the two generators: the difference of their signs, divided by the difference between changed and real images.
"""

from __future__ import annotations

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
from generator.training.job import GeneratorJob
from generator.training.train import run_generator_job
from kpdetect.config import apply_overrides
from kpdetect.data.folder import ImageCache
from kpdetect.data.training_images import TrainingImages
from kpdetect.files.atomic import write_json
from kpdetect.markdown import markdown_table
from kpdetect.module_command import exit_code, module_parser
from kpdetect.toy.dataset import write_toy
from kpdetect.training.loop import UNLIMITED
from kpdetect.training.run_folder import environment
from kpdetect.training.runtime import Runtime, resolve_runtime

GREY = 0.06
"""Pixel values (-1 to 1) closer to 0 than this count as middle grey."""


@dataclass(frozen=True, kw_only=True)
class Signs:
    """Signs of DiffAugment's changes in a set of images; the module's docstring defines them.

    Attributes:
        border, patch: shares of images.
        brightness, saturation: standard deviations between images.
    """

    border: float
    patch: float
    brightness: float
    saturation: float


def signs(images: Tensor) -> Signs:
    """Measure the signs of DiffAugment's changes in images [batch, 3, side, side] in [-1, 1]."""
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
    """Train both generators and measure the four sets of images.

    Args:
        out: folder for the images and the training runs.
        minutes: training minutes of each generator.
        runtime: device and precision.
        size: side of the images.
        images: number of cartoon faces, and of measured images per set.

    Returns:
        The signs of each set of images, by the set's name.

    Raises:
        KpdetectError: `out` cannot be written.
    """
    if not (out / "toy" / "toy.json").exists():
        write_toy(out / "toy", images, size=size + size // 4, seed=0)
    generated, faces = {}, TrainingImages(out / "toy" / "images")
    for name, changes in (("without", ""), ("with", ",".join(CHANGES))):
        config = apply_overrides(preset("tiny", size), [f"steps={UNLIMITED}", f"optimiser.diffaugment=[{changes}]"])
        run_generator_job(GeneratorJob(images=faces, out=out / name, config=config, runtime=runtime, minutes=minutes))
        drawn = torch.cat([torch.from_numpy(batch.images) for batch in PairStream(out / name, runtime).batches(0, images)])
        generated[f"generated {name}"] = signs(drawn.permute(0, 3, 1, 2).float() / 127.5 - 1)
    real = RealBatches(ImageCache(out / "without" / "images.h5").images, size, images, config.data, seed=1).at(0)
    changed = augment(real, CHANGES, torch.Generator().manual_seed(0))
    return {"real": signs(real), "real, changed": signs(changed), **generated}


def leaked(signs_of: dict[str, Signs]) -> dict[str, float]:
    """Divide the difference between the two generators' signs by the difference between changed and real images."""
    rows = [asdict(signs_of[name]) for name in ("real", "real, changed", "generated without", "generated with")]
    return {sign: (after - before) / (changed - real) for sign, real, changed, before, after in _columns(rows)}


def _columns(rows: list[dict[str, float]]) -> list[tuple[str, float, float, float, float]]:
    return [(sign, *(row[sign] for row in rows)) for sign in rows[0]]  # type: ignore[misc]


def leak_table(signs_of: dict[str, Signs]) -> str:
    """Render the signs of each set of images, and `leaked`, as a Markdown table."""
    names = list(asdict(next(iter(signs_of.values()))))
    rows = [*((name, asdict(values)) for name, values in signs_of.items()), ("leaked", leaked(signs_of))]
    return markdown_table(("images", *names), [(name, *(f"{values[sign]:.3f}" for sign in names)) for name, values in rows])


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table; return the exit code, which is 2 for an argument that cannot be used."""
    parser = module_parser("benchmarks.studies.diffaugment_leak", __doc__)
    parser.add_argument("--minutes", type=float, default=4.0, help="training minutes of each generator")
    parser.add_argument("--size", type=int, default=32, help="side of the images: 32, 64, 128, 256 or 512")
    parser.add_argument("--images", type=int, default=2_000, help="number of cartoon faces, and of measured images per set")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args(arguments)

    def work() -> None:
        runtime = resolve_runtime(options.device)
        measured = measure_leak(options.out, options.minutes, runtime, size=options.size, images=options.images)
        record = {name: asdict(values) for name, values in measured.items()} | {"leaked": leaked(measured)}
        write_json(options.out / "leak.json", {**record, "minutes": options.minutes, "environment": environment()})
        print(leak_table(measured))

    return exit_code(work)


if __name__ == "__main__":
    sys.exit(main())
