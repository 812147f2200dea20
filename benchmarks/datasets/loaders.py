"""The loader of each protocol's data set."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path

from benchmarks.datasets.landmarks import LandmarkSet
from benchmarks.protocol.definition import Protocol
from kpdetect.errors import FormatError, InputError
from kpdetect.files.reading import reading

LOADERS = {
    "mafl": "benchmarks.datasets.celeba:load_mafl",
    "celeba-wild": "benchmarks.datasets.celeba_wild:load_celeba_wild",
    "mtfl": "benchmarks.datasets.mtfl:load_mtfl",
    "mtfl-aflw": "benchmarks.datasets.mtfl_aflw:load_mtfl_aflw",
    "300w": "benchmarks.datasets.ibug:load_300w",
    "cub": "benchmarks.datasets.cub:load_cub",
    "cub-aligned": "benchmarks.datasets.cub_aligned:load_cub_aligned",
    "taichi": "benchmarks.datasets.taichi:load_taichi",
    "human36m": "benchmarks.datasets.human36m:load_human36m",
    "bbc-pose": "benchmarks.datasets.bbc_pose:load_bbc_pose",
    "deepfashion": "benchmarks.datasets.deepfashion:load_deepfashion",
    "flies": "benchmarks.datasets.flies:load_flies",
    "toy": "benchmarks.datasets.toy:load_toy",
}
Loader = Callable[[Path, Protocol], LandmarkSet]


def load_dataset(protocol: Protocol, data: Path) -> LandmarkSet:
    """Read the annotated data set of a named protocol from `data`.

    Raises:
        InputError: `data` is not a folder, or files are missing.
        FormatError: the annotations are damaged.
    """
    if not data.is_dir():
        raise InputError(f"{data}: not a folder; give the folder of the data set with `data`")
    module, _, name = LOADERS[protocol.dataset].partition(":")
    loader: Loader = getattr(import_module(module), name)
    with reading(data, FormatError, "download it again"):
        return loader(data, protocol)
