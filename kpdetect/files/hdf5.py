"""The one way in which this project opens HDF5 files of others.

Another process looks at a file first (`kpdetect.files.hdf5_guard`): it may name other files, hang or crash the library.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import DTypeLike, NDArray

from kpdetect.errors import FormatError, InputError, KpdetectError
from kpdetect.files.hdf5_guard import fault_of
from kpdetect.files.reading import AGAIN, reading, shortened

Size = int | None


def open_hdf5(path: Path, refused: type[KpdetectError] = FormatError, advice: str = AGAIN, **options: Any) -> h5py.File:
    """An HDF5 file for reading, all of whose content lies in the file itself.

    Args:
        path: the file.
        refused: what a damaged file raises.
        advice: ends the message.
        options: for `h5py.File`.

    Raises:
        InputError: no such file.
        KpdetectError: `refused`; it is no HDF5 file, is damaged, or refers to another file.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file; check the path")
    with reading(path, refused, advice):
        if (fault := fault_of(path)) is not None:
            raise refused(f"{path}: {shortened(fault.words)}" + ("" if fault.whole else f"; {advice}"))
        return h5py.File(path, "r", **options)


@contextmanager
def opened_hdf5(path: Path, refused: type[KpdetectError] = FormatError, advice: str = AGAIN) -> Iterator[h5py.File]:
    """`open_hdf5` for a block in which any failure means a damaged file, see `reading`."""
    with reading(path, refused, advice), open_hdf5(path, refused, advice) as file:
        yield file


def array_of(
    group: h5py.Group, name: str, dtype: DTypeLike, shape: tuple[Size, ...], *, most: int | None = None
) -> h5py.Dataset:
    """A data set of a file, once its type and shape are what they must be.

    Args:
        group: file or group.
        name: of the data set.
        dtype: exact type.
        shape: sizes; None is any.
        most: bytes that it may have in memory; what is stored uncompressed has no more than its file.

    Raises:
        ValueError: it is missing or something else; inside of `reading` the file's name is added.
    """
    data = group.get(name)
    if not isinstance(data, h5py.Dataset):
        raise ValueError(f"the data set {name} is missing")
    wanted = np.dtype(dtype)
    fits = len(data.shape or ()) == len(shape) and all(
        size in (None, own) for size, own in zip(shape, data.shape or (), strict=True)
    )
    if data.shape is None or data.dtype != wanted or not fits:
        sizes = ", ".join("any" if size is None else str(size) for size in shape)
        found = "nothing" if data.shape is None else f"{data.dtype} {list(data.shape)}"
        raise ValueError(f"{name}: got {found}, expected {wanted} [{sizes}]")
    if most is not None and data.size * wanted.itemsize > most:
        raise ValueError(f"{name} claims {data.size:,} values, more than the file holds")
    return data


def values_of(group: h5py.Group, name: str, dtype: DTypeLike, shape: tuple[Size, ...]) -> NDArray[Any]:
    """`array_of`, read whole. It is stored uncompressed, so it is never larger than its file.

    Raises:
        ValueError: as `array_of`.
    """
    most = Path(group.file.filename).stat().st_size
    values: NDArray[Any] = array_of(group, name, dtype, shape, most=most)[()]
    return values


def texts_of(group: h5py.Group, name: str, count: Size = None) -> list[str]:
    """A data set of texts [count].

    Raises:
        ValueError: it is missing or something else.
    """
    data = group.get(name)
    if not isinstance(data, h5py.Dataset) or h5py.check_string_dtype(data.dtype) is None or data.shape is None:
        raise ValueError(f"the list of texts {name} is missing")
    most = Path(group.file.filename).stat().st_size
    if len(data.shape) != 1 or count not in (None, data.shape[0]) or data.size > most:
        raise ValueError(f"{name}: got shape {list(data.shape)}, expected [{'any' if count is None else count}]")
    return [str(text) for text in data.asstr()[()]]
