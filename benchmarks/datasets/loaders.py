"""Which loader reads the data set of a protocol."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path

from benchmarks.datasets.landmarks import LandmarkSet
from benchmarks.protocols import Protocol
from kpdetect.errors import InputError

LOADERS = {
    "mafl": "benchmarks.datasets.celeba:load_mafl",
    "mtfl": "benchmarks.datasets.mtfl:load_mtfl",
    "flies": "benchmarks.datasets.flies:load_flies",
    "toy": "benchmarks.datasets.toy:load_toy",
}
Loader = Callable[[Path, Protocol], LandmarkSet]


def load_dataset(protocol: Protocol, data: Path) -> LandmarkSet:
    """Read the annotated data set of a named protocol from `data`.

    Raises:
        InputError: `data` is no folder, or files are missing.
        FormatError: the annotations are damaged.
    """
    if not data.is_dir():
        raise InputError(f"{data}: not a folder; give the folder of the data set with --data")
    module, _, name = LOADERS[protocol.dataset].partition(":")
    loader: Loader = getattr(import_module(module), name)
    return loader(data, protocol)
