"""Images in an HDF5 file: a data set of encoded images (JPEG, PNG), or of pixels.

Pixels are uint8 [n, h, w], [n, h, w, 1] or [n, h, w, 3]."""

from __future__ import annotations

import threading
import weakref
from contextlib import ExitStack
from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray

from kpdetect.errors import InputError
from kpdetect.files.archives.archive import Archive, state_of
from kpdetect.files.archives.row_names import COLUMNS, row_names
from kpdetect.files.hdf5 import open_hdf5
from kpdetect.files.left_out import LeftOut
from kpdetect.files.name_table import NameTable
from kpdetect.files.reading import reading

ADVICE = "copy or make the HDF5 file again"
CACHED = 1 << 26
"""Bytes of decompressed data that HDF5 keeps for each data set."""
LARGEST = 200_000_000
"""Largest number of pixels of an image."""


class Hdf5Archive(Archive):
    """The images of a data set in an HDF5 file.

    Args:
        path: the path that stands for the archive.
        file: the HDF5 file.
        inner: name of the data set; None if the file has only one data set of images.

    Raises:
        InputError: the file cannot be read, or has no such data set, or several and `inner` is None.
    """

    def __init__(self, path: Path, file: Path, inner: str | None) -> None:
        with reading(file, InputError, ADVICE), ExitStack() as stack:
            self._handle = stack.enter_context(open(file, "rb"))  # HDF5 itself would lock the file while this process lives
            stamp = ((str(file), *state_of(self._handle.fileno())),)
            opened = stack.enter_context(open_hdf5(file, InputError, ADVICE, handle=self._handle, rdcc_nbytes=CACHED))
            self._data = _data_set(opened, file, inner)
            names = _names(self._data)
            weakref.finalize(self, stack.pop_all().close)
        self._lock = threading.Lock()
        super().__init__(path, names, LeftOut(), stamp)

    def read(self, row: int) -> bytes:
        """Read an encoded image, or pixels as a PPM or PGM file."""
        name = self.path / self.names[row]
        with reading(name, InputError, ADVICE), self._lock:
            self.require_unchanged(self._handle.fileno())
            value = self._data[row]
        return np.asarray(value, np.uint8).tobytes() if self._data.ndim == 1 else _as_file(value)


def _as_file(pixels: NDArray[np.uint8]) -> bytes:
    """Return pixels, uint8 [h, w], [h, w, 1] or [h, w, 3], as the bytes of an image file without compression."""
    height, width = pixels.shape[:2]
    kind = b"P6" if pixels.shape[2:] == (3,) else b"P5"
    return kind + f"\n{width} {height}\n255\n".encode() + np.ascontiguousarray(pixels).tobytes()


def _data_set(file: h5py.File, path: Path, inner: str | None) -> h5py.Dataset:
    if inner is not None:
        data = file.get(inner)
        if not isinstance(data, h5py.Dataset):
            raise InputError(f"{path}: there is no data set {inner}; expected one of {_listed(_candidates(file))}")
        if not _holds_images(data):
            got = "nothing" if data.shape is None else f"{data.dtype} {list(data.shape)}"
            raise InputError(
                f"{path}: the data set {inner} holds {got}; expected uint8 [n, height, width, 3] or [n, height, width], "
                "or the bytes of JPEG or PNG files"
            )
        return data
    names = _candidates(file)
    if len(names) != 1:
        advice = f"name one of them, as in {path.name}::{names[0]}" if names else "expected one of encoded images or pixels"
        raise InputError(f"{path}: {len(names) or 'no'} data sets of images ({_listed(names)}); {advice}")
    return file[names[0]]


def _listed(names: list[str]) -> str:
    return ", ".join(names[:5]) + (", ..." if len(names) > 5 else "") if names else "none"


def _candidates(file: h5py.File) -> list[str]:
    names: list[str] = []

    def look(name: str, item: object) -> None:
        if isinstance(item, h5py.Dataset) and _holds_images(item):
            names.append(name)

    file.visititems(look)
    return names


def _holds_images(data: h5py.Dataset) -> bool:
    if data.shape is None or data.is_virtual:
        return False
    if data.ndim == 1:
        return h5py.check_vlen_dtype(data.dtype) == np.uint8
    colours = data.ndim == 3 or (data.ndim == 4 and data.shape[3] in (1, 3))
    return data.dtype == np.uint8 and colours and 0 < data.shape[1] * data.shape[2] <= LARGEST


def _names(data: h5py.Dataset) -> NameTable:
    """Name the rows by a data set of texts in the same group, if there is one."""
    for column in COLUMNS:
        texts = data.parent.get(column)
        if (
            isinstance(texts, h5py.Dataset)
            and h5py.check_string_dtype(texts.dtype) is not None
            and texts.shape == data.shape[:1]
        ):
            try:
                return row_names(texts.asstr("utf-8")[()].tolist(), len(data))
            except UnicodeDecodeError:
                break
    return row_names(None, len(data))
