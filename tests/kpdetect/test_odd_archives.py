"""Archives with bad rows, odd names, or that change while they are read."""

from __future__ import annotations

import os
import tarfile
from pathlib import Path

import h5py
import numpy as np
import pytest

from kpdetect.data.folder import UNREADABLE, Chosen
from kpdetect.errors import InputError
from kpdetect.files.archives.opening import together
from kpdetect.images.image_files import list_names, read_image, write_image
from kpdetect.inference.crop import crop_images
from kpdetect.inference.sources import find_sources


def png(folder: Path, value: int) -> bytes:
    path = folder / f"{value}.png"
    write_image(path, np.full((8, 9, 3), value, np.uint8))
    content = path.read_bytes()
    path.unlink()
    return content


def write_tar(path: Path, value: int) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_image(path.parent / "x.png", np.full((8, 9, 3), value, np.uint8))
    with tarfile.open(path, "w") as tar:
        tar.add(path.parent / "x.png", f"{value}.png")
    (path.parent / "x.png").unlink()
    return path


def parquet(path: Path, column: list[object]) -> Path:
    pyarrow, module = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    kind = pyarrow.struct([("bytes", pyarrow.binary()), ("path", pyarrow.string())])
    module.write_table(pyarrow.table({"image": pyarrow.array(column, kind)}), path)
    return path


def test_a_row_without_an_image_costs_only_itself(tmp_path):
    rows = [{"bytes": png(tmp_path, 10), "path": "a.png"}, None, {"bytes": png(tmp_path, 30), "path": "c.png"}]
    path = parquet(tmp_path / "some.parquet", rows)
    assert list_names(path) == ["000000", "000001", "000002"]
    assert read_image(path / "000002").max() == 30
    chosen = Chosen(folder=path, names=list_names(path), side=8, policy="centre")
    assert chosen.key() == chosen.key()
    first, second, third = chosen.decoded()
    assert second[0] == UNREADABLE != first[0]
    assert isinstance(second[1], InputError)
    assert third[1].max() == 30
    skipped = crop_images(path, tmp_path / "crops", (0.0, 0.0, 4.0, 4.0))
    assert list(skipped) == ["000001"]
    assert "this row holds no image" in skipped["000001"]


def with_names(path: Path, names: list[bytes]) -> Path:
    with h5py.File(path, "w") as file:
        file["images"] = np.stack([np.full((8, 9, 3), 20 * number, np.uint8) for number in range(len(names))])
        file["names"] = np.array(names)
    return path


def test_names_of_fixed_length_may_be_utf_8(tmp_path):
    assert list_names(with_names(tmp_path / "a.h5", ["ü.png".encode(), b"b.png"])) == ["ü.png", "b.png"]
    assert list_names(with_names(tmp_path / "b.h5", [b"\xff.png", b"b.png"])) == ["000000", "000001"]


@pytest.mark.parametrize("name", ["a,1.tar", "c,b.tar", "{a}.tar", "a::b.tar"])
def test_archives_keep_their_odd_names_together(tmp_path, name):
    """The joined path of c,b.tar and a.tar would mean b.tar as well."""
    files = [write_tar(tmp_path / name, 10), write_tar(tmp_path / "z.tar", 20)]
    write_tar(tmp_path / "b.tar", 30)
    (tmp_path / "c").write_text("no archive")
    path = together(files)
    assert path is not None
    assert list_names(path) == ["10.png", "20.png"]
    assert [read_image(path / f"{value}.png").max() for value in (10, 20)] == [10, 20]
    assert find_sources([str(file) for file in files]).names == ["10.png", "20.png"]


def test_a_tar_file_that_changes_while_it_is_read_is_refused(tmp_path):
    path = write_tar(tmp_path / "some.tar", 10)
    assert list_names(path) == ["10.png"]
    assert read_image(path / "10.png").max() == 10
    os.utime(path, ns=(1, 1))
    with pytest.raises(InputError, match=r"some\.tar: this file has changed since it was opened; run the command again"):
        read_image(path / "10.png")
    assert list_names(path) == ["10.png"]  # opened again
    assert read_image(path / "10.png").max() == 10


def test_an_hdf5_file_is_not_locked_while_its_images_are_read(tmp_path):
    path = with_names(tmp_path / "some.h5", [b"a.png", b"b.png"])
    assert list_names(path) == ["a.png", "b.png"]
    assert read_image(path / "b.png").max() == 20
    with h5py.File(path, "a") as file:
        file["more"] = np.arange(100)
    with pytest.raises(InputError, match=r"some\.h5: this file has changed since it was opened; run the command again"):
        read_image(path / "b.png")
    assert list_names(path) == ["a.png", "b.png"]
    assert read_image(path / "b.png").max() == 20
