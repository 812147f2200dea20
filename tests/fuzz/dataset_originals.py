"""Small copies of the published data sets, in their official layouts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from benchmarks.protocol.named import PROTOCOLS, TOY
from tests.builders import official

WRITERS: dict[str, Callable[[Path], Path]] = {
    "celeba-wild": lambda folder: official.write_celeba_wild(folder, count=4),
    "mtfl-aflw": lambda folder: official.write_mtfl(folder, fit=2, test=1),
    "300w": lambda folder: official.write_300w(folder, count=1),
    "cub": lambda folder: official.write_cub(folder, species=1, each=4),
    "cub-aligned": lambda folder: official.write_cub_aligned(folder, fit=2, test=2),
    "taichi": lambda folder: official.write_taichi(folder, fit=2, test=1),
    "bbc-pose": lambda folder: official.write_bbc_pose(folder, frames=1),
    "deepfashion": lambda folder: official.write_deepfashion(folder, fit=2, test=1),
    "toy": lambda folder: _write_toy(folder),
}


def protocol_of(dataset: str) -> str:
    return next(protocol.name for protocol in PROTOCOLS.values() if protocol.dataset == dataset)


def _write_toy(folder: Path) -> Path:
    names = [f"{number:06d}.png" for number in range(5)]
    lines = [f"{name},{landmark},5,{9 + row},1" for name in names for row, landmark in enumerate(TOY.landmarks)]
    official.write_text(folder / "keypoints.csv", ["image,keypoint,x_px,y_px,visible", *lines])
    for name in names:
        official.picture(folder / "images" / name, (20, 30))
    return folder


def make_datasets(folder: Path) -> None:
    for name, write in WRITERS.items():
        write(folder / name)


MAKERS = {"datasets": make_datasets}
