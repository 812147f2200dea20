"""HDF5 files that hang or crash the library cost another process, not this one."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import h5py
import numpy as np
import pytest

from benchmarks.evaluation.prediction_file import entry_keys, is_prediction_file
from kpdetect.data.folder import ImageCache, build_cache
from kpdetect.data.schema import Facts, Manifest
from kpdetect.data.shard_folder import ShardFolder
from kpdetect.data.shard_writer import ShardWriter
from kpdetect.errors import FormatError, InputError, ShardError
from kpdetect.files import hdf5_check, hdf5_guard
from kpdetect.files.hdf5 import open_hdf5
from kpdetect.pairs import PairBatch


@pytest.fixture(autouse=True)
def brief(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Another process may look for a moment only, and nothing is known of any file."""
    script = tmp_path / "hdf5_check.py"
    script.write_text(Path(hdf5_check.__file__).read_text().replace("SECONDS = 5\n", "SECONDS = 0\n"))
    monkeypatch.setattr(hdf5_check, "__file__", str(script))
    monkeypatch.setattr(hdf5_guard, "_known", {})


def break_texts(path: Path) -> None:
    """Make the heap of texts a circle: the library looks for the object of a text, and an object of no size comes next.

    A heap is `GCOL`, version and reserved [4], size [8]; then objects: index [2], references [2], reserved [4], size [8], data.
    """
    content = bytearray(path.read_bytes())
    at = content.index(b"GCOL")
    content[at + 16 : at + 32] = b"\x02\0\1\0" + bytes(4) + (2**64 - 16).to_bytes(8, "little")
    path.write_bytes(content)


def cut_short(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-9])


def images_in(folder: Path) -> Path:
    """16 pictures of 6x9 pixels (height x width)."""
    import cv2

    folder.mkdir()
    for index in range(16):
        cv2.imwrite(str(folder / f"{index:02d}.png"), np.full((6, 9, 3), index, np.uint8))
    return folder


def pairs_in(folder: Path) -> Path:
    """Two shards of two raw pairs of 5x7 pixels with one keypoint."""
    folder.mkdir()
    facts = Facts(codec="raw", size=(5, 7), keypoints=1, shard_size=2, provenance={})
    manifest = Manifest(facts=facts)
    for number in range(2):
        with ShardWriter(folder / f"pairs-{number:05d}.h5", facts, 2 * number, 2 * number + 2, None) as shard:  # type: ignore[arg-type]
            images, points = np.full((2, 5, 7, 3), number, np.uint8), np.zeros((2, 1, 2), np.float32)
            shard.append(PairBatch(images=images, keypoints=points, visible=np.ones((2, 1), np.bool_)))
        manifest = manifest.including(shard.describe())
    manifest.write(folder)
    return folder


@pytest.mark.slow
def test_a_text_in_a_circle_is_refused_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "circle.h5"
    with h5py.File(path, "w") as file:
        file.attrs["key"] = "of a cache"
    open_hdf5(path).close()
    break_texts(path)
    with pytest.raises(
        FormatError, match=r"circle\.h5: the HDF5 library hangs or crashes when it reads this file; the file is damaged"
    ):
        open_hdf5(path)
    assert not is_prediction_file(path)
    with pytest.raises(FormatError, match="hangs or crashes when it reads this file"):
        entry_keys(path)


@pytest.mark.slow
def test_a_damaged_cache_is_made_from_the_images_again(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder, out = images_in(tmp_path / "in"), tmp_path / "out"
    before = build_cache(folder, out, 6, "stretch", set())
    for spoil in (break_texts, cut_short):
        spoil(out / "images.h5")
        with pytest.raises(FormatError, match="the image cache is damaged"):
            ImageCache(out / "images.h5")
        again = build_cache(folder, out, 6, "stretch", set(), expected_key=before.key)
        assert "the image cache is damaged; it is rebuilt from the images" in caplog.text
        assert again.images[3].tolist() == np.full((6, 6, 3), 3).tolist()
        caplog.clear()
    assert build_cache(folder, out, 6, "stretch", set()).key == before.key
    assert not caplog.records


def test_one_process_looks_at_all_shards_of_a_folder_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[list[str]] = []
    start = subprocess.run

    def run(command: list[str], input: bytes, **options: object) -> object:
        asked.append([Path(path).name for path in json.loads(input)])
        return start(command, input=input, **options)  # type: ignore[call-overload]

    monkeypatch.setattr(subprocess, "run", run)
    folder = pairs_in(tmp_path / "pairs")
    assert ShardFolder(folder).read(2)[0].max() == 1
    assert asked == []  # this process wrote them
    hdf5_guard._known.clear()
    pairs = ShardFolder(folder)
    assert [int(pairs.read(index)[0].max()) for index in range(4)] == [0, 0, 1, 1]
    ShardFolder(folder).read_all()
    assert asked == [["pairs-00000.h5", "pairs-00001.h5"]]


def test_a_damaged_shard_leaves_the_others(tmp_path: Path) -> None:
    folder = pairs_in(tmp_path / "pairs")
    content = bytearray((folder / "pairs-00000.h5").read_bytes())
    content[8:64] = bytes(56)
    (folder / "pairs-00000.h5").write_bytes(content)
    pairs = ShardFolder(folder)
    assert pairs.read(3)[0].max() == 1
    with pytest.raises(ShardError, match=r"pairs-00000\.h5: .*run the same `kpdetect generate` command again"):
        pairs.read(0)


def test_no_file_is_called_damaged_where_nobody_can_look(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["x"] = 1
    (tmp_path / "none.py").write_text("import nothing_of_that_name\n")
    monkeypatch.setattr(hdf5_check, "__file__", str(tmp_path / "none.py"))
    with pytest.raises(InputError, match="no process can be started to check this file"):
        open_hdf5(tmp_path / "a.h5")


def test_a_file_is_looked_at_again_once_it_has_changed(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    path.write_bytes(b"no HDF5")
    with pytest.raises(FormatError, match="signature"):
        open_hdf5(path)
    with h5py.File(path, "w") as file:
        file["x"] = 1
    with open_hdf5(path) as file:
        assert file["x"][()] == 1
