"""Open HDF5 files. All code of this project opens them here.

Before a file is opened, a separate process checks it (`kpdetect.files.hdf5_guard`). A file from an unknown source may refer to
other files, or make the HDF5 library hang or crash.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import h5py
import numpy as np
from numpy.typing import DTypeLike, NDArray

from kpdetect.errors import FormatError, InputError, KpdetectError
from kpdetect.files.hdf5_guard import fault_of
from kpdetect.files.reading import AGAIN, reading, shortened

Size = int | None


def open_hdf5(
    path: Path,
    refused: type[KpdetectError] = FormatError,
    advice: str = AGAIN,
    *,
    handle: BinaryIO | None = None,
    **options: Any,
) -> h5py.File:
    """Open an HDF5 file for reading. The file must not refer to other files.

    Args:
        path: the file.
        refused: type of the error for a damaged file.
        advice: advice at the end of the error message.
        handle: the file, open for reading. HDF5 reads through it, and takes no lock on the file. None: HDF5 opens the file.
        options: options of `h5py.File`.

    Raises:
        InputError: there is no such file.
        KpdetectError: of the type `refused`; the file is not HDF5, is damaged, or refers to another file.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file; check the path")
    with reading(path, refused, advice):
        if (fault := fault_of(path)) is not None:
            raise refused(f"{path}: {shortened(fault.words)}" + ("" if fault.whole else f"; {advice}"))
        return h5py.File(path if handle is None else handle, "r", **options)


@contextmanager
def opened_hdf5(path: Path, refused: type[KpdetectError] = FormatError, advice: str = AGAIN) -> Iterator[h5py.File]:
    """Open an HDF5 file for a `with` block, as `open_hdf5` does. A failure in the block is reported as a damaged file."""
    with reading(path, refused, advice), open_hdf5(path, refused, advice) as file:
        yield file


def array_of(
    group: h5py.Group, name: str, dtype: DTypeLike, shape: tuple[Size, ...], *, most: int | None = None
) -> h5py.Dataset:
    """Return a data set of a file after checking its type and shape.

    Args:
        group: file or group.
        name: name of the data set.
        dtype: expected type.
        shape: expected sizes; None for any size.
        most: largest size in memory, in bytes. If None, the data set must be uncompressed, so that it is not larger than its
            file.

    Raises:
        ValueError: the data set is missing, or has another type or shape. The context manager `reading` adds the name of the
            file.
    """
    data = group.get(name)
    if not isinstance(data, h5py.Dataset):
        raise ValueError(f"the data set {name} is missing")
    wanted = np.dtype(dtype)
    fits = len(data.shape or ()) == len(shape) and all(
        size in (None, actual) for size, actual in zip(shape, data.shape or (), strict=True)
    )
    if data.shape is None or data.dtype != wanted or not fits:
        sizes = ", ".join("any" if size is None else str(size) for size in shape)
        got = "nothing" if data.shape is None else f"{data.dtype} {list(data.shape)}"
        raise ValueError(f"{name}: got {got}, expected {wanted} [{sizes}]")
    if most is not None and data.size * wanted.itemsize > most:
        raise ValueError(f"{name} claims {data.size:,} values, more than the file holds")
    return data


def values_of(group: h5py.Group, name: str, dtype: DTypeLike, shape: tuple[Size, ...]) -> NDArray[Any]:
    """Read a complete data set, after the checks of `array_of`. It must be uncompressed.

    Raises:
        ValueError: the data set is missing, or has another type or shape.
    """
    most = Path(group.file.filename).stat().st_size
    values: NDArray[Any] = array_of(group, name, dtype, shape, most=most)[()]
    return values


def texts_of(group: h5py.Group, name: str, count: Size = None) -> list[str]:
    """Read a data set of texts. Its length must be `count`, unless `count` is None.

    Raises:
        ValueError: the data set is missing, or has another type or shape.
    """
    data = group.get(name)
    if not isinstance(data, h5py.Dataset) or h5py.check_string_dtype(data.dtype) is None or data.shape is None:
        raise ValueError(f"the list of texts {name} is missing")
    most = Path(group.file.filename).stat().st_size
    if len(data.shape) != 1 or count not in (None, data.shape[0]) or data.size > most:
        raise ValueError(f"{name}: got shape {list(data.shape)}, expected [{'any' if count is None else count}]")
    return [str(text) for text in data.asstr()[()]]
