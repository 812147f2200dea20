"""Files of others name no other files: HDF5 references, names in manifests and records, links."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from benchmarks.evaluation.prediction_file import Entry, entry_keys, read_entry, write_entry
from kpdetect.data.folder import ImageCache
from kpdetect.data.schema import Facts, Manifest
from kpdetect.data.shard_folder import ShardFolder
from kpdetect.data.shard_writer import ShardWriter
from kpdetect.errors import FormatError, KpdetectError, ShardError
from kpdetect.files.hdf5 import open_hdf5
from kpdetect.inference.predictions import Predictions
from kpdetect.pairs import PairBatch

SECRET = b"secret" * 100


def external_storage(group: h5py.Group, name: str, secret: Path) -> None:
    data = group[name]
    shape, dtype = data.shape, data.dtype
    del group[name]
    group.create_dataset(name, shape, dtype, external=[(str(secret), 0, h5py.h5f.UNLIMITED)])


def external_link(group: h5py.Group, name: str, secret: Path) -> None:
    with h5py.File(secret.with_suffix(".h5"), "w") as other:
        other[name] = group[name][()]
    del group[name]
    group[name] = h5py.ExternalLink(str(secret.with_suffix(".h5")), f"/{name}")


def soft_link(group: h5py.Group, name: str, secret: Path) -> None:
    group.move(name, "elsewhere")
    group[name] = h5py.SoftLink(f"{group.name.rstrip('/')}/elsewhere")


def virtual(group: h5py.Group, name: str, secret: Path) -> None:
    with h5py.File(secret.with_suffix(".h5"), "w") as other:
        other[name] = group[name][()]
    data = group[name]
    layout = h5py.VirtualLayout(data.shape, data.dtype)
    layout[...] = h5py.VirtualSource(str(secret.with_suffix(".h5")), name, data.shape)
    del group[name]
    group.create_virtual_dataset(name, layout)


REFERENCES = [external_storage, external_link, soft_link, virtual]
Reference = Callable[[h5py.Group, str, Path], None]


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    path = tmp_path / "outside" / "secret.bin"
    path.parent.mkdir()
    path.write_bytes(SECRET)
    return path


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    """Three raw pairs of 5x7 pixels (height x width) with two keypoints."""
    folder = tmp_path / "pairs"
    folder.mkdir()
    facts = Facts(codec="raw", size=(5, 7), keypoints=2, shard_size=3, provenance={})
    with ShardWriter(folder / "pairs-00000.h5", facts, 0, 3, None) as shard:  # type: ignore[arg-type]
        images = np.zeros((3, 5, 7, 3), np.uint8)
        shard.append(PairBatch(images=images, keypoints=np.zeros((3, 2, 2), np.float32), visible=np.ones((3, 2), np.bool_)))
    Manifest(facts=facts, shards=(shard.describe(),)).write(folder)
    return folder


def change_manifest(folder: Path, change: Callable[[dict], None]) -> None:
    manifest = json.loads((folder / "manifest.json").read_text())
    change(manifest)
    (folder / "manifest.json").write_text(json.dumps(manifest))


@pytest.mark.parametrize("name", ["images", "keypoints", "visible"])
@pytest.mark.parametrize("reference", REFERENCES)
def test_shards_hold_their_own_data(pairs: Path, secret: Path, reference: Reference, name: str) -> None:
    assert ShardFolder(pairs).read(2)[0].shape == (5, 7, 3)
    shard = pairs / "pairs-00000.h5"
    with h5py.File(shard, "r+") as file:
        reference(file, name, secret)
    change_manifest(pairs, lambda manifest: manifest["shards"][0].update(bytes=shard.stat().st_size))
    with pytest.raises(ShardError, match=r"pairs-00000\.h5: "):
        ShardFolder(pairs).read(0)


@pytest.mark.slow
@pytest.mark.parametrize("reference", REFERENCES)
def test_image_caches_hold_their_own_data(tmp_path: Path, secret: Path, reference: Reference) -> None:
    path = tmp_path / "images.h5"
    with h5py.File(path, "w") as file:
        file["images"] = np.zeros((2, 4, 4, 3), np.uint8)
        file.attrs["key"] = "0"
    assert ImageCache(path).images.shape == (2, 4, 4, 3)
    with h5py.File(path, "r+") as file:
        reference(file, "images", secret)
    with pytest.raises(FormatError, match=r"images\.h5: .*images"):
        ImageCache(path)


@pytest.mark.parametrize("reference", REFERENCES)
def test_prediction_files_hold_their_own_data(tmp_path: Path, secret: Path, reference: Reference) -> None:
    path = tmp_path / "predictions.h5"
    found = Predictions(
        images=["a.png", "b.png"],
        keypoints_px=np.zeros((2, 3, 2), np.float32),
        confidence=np.ones((2, 3), np.float32),
        sizes=np.array([[7, 9], [20, 30]]),
    )
    entry = Entry(
        data="toy", predictions=found, contents=["0", "1"], seen=None, model={"hash": "ab"}, environment={"commit": "c"}
    )
    write_entry(path, entry)
    with h5py.File(path, "r+") as file:
        reference(file["toy/ab"], "sizes", secret)
    with pytest.raises(FormatError, match=r"predictions\.h5: .*/toy/ab"):
        read_entry(path, "toy")
    with pytest.raises(FormatError, match=r"predictions\.h5: "):
        entry_keys(path)


def test_a_group_inside_itself_ends(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "loop.h5", "w") as file:
        file.create_group("a")["b"] = file["/"]
    with pytest.raises(FormatError, match="nested too deeply"):
        open_hdf5(tmp_path / "loop.h5")


@pytest.mark.parametrize("name", ["../x.h5", "/etc/passwd", "a/b.h5", "..", "", "a\\b.h5", "\0", "./pairs-00000.h5"])
def test_manifests_name_files_of_their_own_folder(pairs: Path, name: str) -> None:
    change_manifest(pairs, lambda manifest: manifest["shards"][0].update(file=name))
    with pytest.raises(ShardError, match=r"manifest\.json: shards\.0\.file: .* is not a plain file name"):
        ShardFolder(pairs)


def test_linked_shards_stay_in_their_folder(pairs: Path, tmp_path: Path) -> None:
    (pairs / "pairs-00000.h5").rename(tmp_path / "elsewhere.h5")
    (pairs / "pairs-00000.h5").symlink_to(tmp_path / "elsewhere.h5")
    with pytest.raises(ShardError, match="leads out of"):
        ShardFolder(pairs)


@pytest.mark.parametrize("name", ["../a.png", "/a.png", "b/../../a.png", "..\\a.png", ""])
def test_predictions_name_images_inside_their_folder(tmp_path: Path, name: str) -> None:
    found = Predictions(
        images=["b/a.png"],
        keypoints_px=np.zeros((1, 1, 2), np.float32),
        confidence=np.ones((1, 1), np.float32),
        sizes=np.array([[7, 9]]),
    )
    found.write(tmp_path, {})
    assert Predictions.read(tmp_path).images == ["b/a.png"]
    record = json.loads((tmp_path / "predictions.json").read_text())
    record["sizes"] = {name: [7, 9]}
    (tmp_path / "predictions.json").write_text(json.dumps(record))
    with pytest.raises(KpdetectError, match=r"predictions\.json: sizes.*leads out of its folder"):
        Predictions.read(tmp_path)
