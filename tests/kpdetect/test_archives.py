"""Tar, HDF5 and Parquet files of images are inputs as folders are, under the names that images have inside."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable, Sequence
from pathlib import Path

import h5py
import numpy as np
import pytest

from kpdetect.data.folder import build_cache
from kpdetect.data.name_lists import excluded_names
from kpdetect.data.sample import read_sample
from kpdetect.errors import InputError
from kpdetect.files.archives import parquet_archive
from kpdetect.files.archives.members import exists, size_and_time
from kpdetect.files.hashes import file_hash
from kpdetect.images.image_files import list_images, list_names, read_image, write_image
from kpdetect.inference.config import PredictConfig
from kpdetect.inference.crop import crop_images
from kpdetect.inference.folder_job import predict_folder
from kpdetect.inference.predictions import Predictions
from kpdetect.inference.predictor import Predictor
from kpdetect.inference.sources import find_sources
from kpdetect.studio.frames import Pictures
from kpdetect.studio.workplace import open_workplace
from tests.builders.dots import dots, perfect
from tests.builders.predicted_images import predict_images

NAMES = [f"{letter}/{number:03d}.png" for letter in "ab" for number in range(10)]


def image(number: int) -> np.ndarray:
    return dots(40, 60, (10 + number, 20), (40, 30 - number))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """20 images of 40 x 60 pixels in two folders."""
    for number, name in enumerate(NAMES):
        write_image(tmp_path / "folder" / name, image(number))
    return tmp_path / "folder"


def content(folder: Path) -> list[tuple[str, bytes]]:
    return [(name, (folder / name).read_bytes()) for name in NAMES]


def write_tar(path: Path, members: Sequence[tuple[str, bytes]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as tar:
        for name, data in members:
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return path


def as_tar(folder: Path) -> str:
    return str(write_tar(folder.parent / "one.tar", [(f"./{name}", data) for name, data in content(folder)]))


def as_shards(folder: Path) -> str:
    every = content(folder)
    write_tar(folder.parent / "shards" / "s-08.tar", [*every[:9], ("a/000.json", b"{}"), ("a/000.cls", b"1")])
    write_tar(folder.parent / "shards" / "s-09.tar", every[9:12])
    write_tar(folder.parent / "shards" / "s-10.tar", every[12:])
    return str(folder.parent / "shards")


def as_braces(folder: Path) -> str:
    return as_shards(folder) + "/s-{08..10}.tar"


def as_encoded(folder: Path) -> str:
    path = folder.parent / "encoded.h5"
    with h5py.File(path, "w") as file:
        data = file.create_dataset("set/jpegs", (len(NAMES),), h5py.vlen_dtype(np.uint8))
        for number, (_, encoded) in enumerate(content(folder)):
            data[number] = np.frombuffer(encoded, np.uint8)
        file["set/names"] = NAMES
    return str(path)


def as_pixels(folder: Path) -> str:
    path = folder.parent / "pixels.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset(
            "images", data=np.stack([image(number) for number in range(20)]), chunks=(3, 40, 60, 3), compression=1
        )
        file["masks"], file["names"] = np.zeros((20, 40, 60), np.uint8), NAMES
    return f"{path}::images"


def as_parquet(folder: Path) -> str:
    pyarrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    column = [{"bytes": data, "path": name} for name, data in content(folder)]
    parquet.write_table(pyarrow.table({"image": column, "label": [0] * 20}), folder.parent / "hf.parquet", row_group_size=7)
    return str(folder.parent / "hf.parquet")


KINDS = [as_tar, as_shards, as_braces, as_encoded, as_pixels, as_parquet]


def predict(inputs: Sequence[str], out: Path) -> Predictions:
    sources = find_sources(list(inputs), out)
    return predict_images(perfect(), sources.images, sources.root, out, PredictConfig(overlays=2))[0]


@pytest.mark.parametrize("write", KINDS)
def test_the_stage_of_a_project_predicts_an_archive_and_the_studio_shows_it(folder, tmp_path, monkeypatch, write):
    monkeypatch.setattr(Predictor, "load", lambda *_, **__: perfect())
    archive = Path(write(folder))
    assert predict_folder(Path("model"), archive, tmp_path / "out", overlays=0).predictions.images == NAMES
    for images in (None, archive):
        workplace = open_workplace(None, predictions=tmp_path / "out", images=images, out=tmp_path / "saved")
        assert workplace.images == archive
        assert (
            Pictures(workplace, tmp_path / "out", Predictions.read(tmp_path / "out"))
            .jpeg(3, thumbnail=False)
            .startswith(b"\xff\xd8")
        )
    with pytest.raises(InputError, match=r"missing"):
        open_workplace(None, predictions=tmp_path / "out", images=tmp_path / "missing.tar")


@pytest.mark.slow
def test_predictions_of_every_kind_equal_those_of_the_folder(folder, tmp_path):
    expected = predict([str(folder)], tmp_path / "out")
    assert expected.images == NAMES
    for make in KINDS:
        source, out = make(folder), tmp_path / f"out-{make.__name__}"
        before = sorted(tmp_path.rglob("*"))
        got = predict([source], out)
        assert got.images == NAMES, make
        assert got.keypoints_px.tobytes() == expected.keypoints_px.tobytes(), make
        assert got.confidence.tobytes() == expected.confidence.tobytes(), make
        assert len(list((out / "overlays").rglob("*.png"))) == 2
        assert [path for path in sorted(tmp_path.rglob("*")) if not path.is_relative_to(out)] == before
        time = (out / "predictions.csv").stat().st_mtime_ns
        predict([source], out)
        assert (out / "predictions.csv").stat().st_mtime_ns == time  # predicted already


@pytest.mark.parametrize("make", KINDS)
def test_trainings_read_the_same_images_from_every_kind(folder, tmp_path, make: Callable[[Path], str]):
    source = Path(make(folder))
    listed = tmp_path / "list.txt"
    listed.write_text("a/000.png\nb/001.png\n")
    exclude = set(excluded_names(source, [listed]))
    assert exclude == {"a/000.png", "b/001.png"}
    cache = build_cache(source, tmp_path / "cache", 32, "centre", exclude)
    expected = build_cache(folder, tmp_path / "expected", 32, "centre", exclude)
    assert (cache.images == expected.images).all()
    assert (cache.key == expected.key) == (make is not as_pixels)  # pixels have other bytes than PNG files
    assert build_cache(source, tmp_path / "cache", 32, "centre", exclude, expected_key=cache.key).stamp == cache.stamp
    assert len(read_sample(source, tmp_path / "no", 32, "centre", frozenset(), strict=True)) == 20
    first = source / "a/003.png"
    assert exists(first)
    assert not exists(source / "a/nothing.png")
    assert (read_image(first) == image(3)).all()
    if make is not as_pixels:
        assert file_hash(first) == file_hash(folder / "a/003.png")
    skipped = crop_images(source, tmp_path / "crops", (5.0, 6.0, 20.0, 10.0))
    assert not skipped
    assert (read_image(tmp_path / "crops" / "b/002.png") == image(12)[6:16, 5:25]).all()


def test_names_that_repeat_have_the_name_of_their_archive_before_them(folder, tmp_path):
    data = content(folder)[0][1]
    first, second = (write_tar(tmp_path / f"{name}.tar", [("x.png", data), ("y.png", data)]) for name in "pq")
    third = write_tar(tmp_path / "r.tar", [("z.png", data)])
    assert find_sources([str(first), str(third)]).names == ["x.png", "y.png", "z.png"]
    assert find_sources([str(tmp_path / "[pq].tar")]).names == ["p/x.png", "p/y.png", "q/x.png", "q/y.png"]
    assert find_sources([str(first), str(second)]).names == ["p/x.png", "p/y.png", "q/x.png", "q/y.png"]
    assert find_sources([str(first), str(first)]).names == ["x.png", "y.png"]
    mixed = find_sources([str(third), str(folder)])
    assert list(mixed.names) == [*(f"folder/{name}" for name in NAMES), "r.tar/z.png"]
    assert (read_image(mixed.images[-1]) == image(0)).all()


def test_damaged_and_odd_members_are_left_out_and_said(folder, tmp_path, caplog):
    caplog.set_level("INFO")
    data = content(folder)
    path = tmp_path / "odd.tar"
    with tarfile.open(path, "w") as tar:
        for name, encoded in (
            ("good.png", data[0][1]),
            ("twice.png", data[1][1]),
            ("text.png", b"no picture"),
            ("../out.png", data[2][1]),
            (".hidden.png", data[2][1]),
            ("notes.json", b"{}"),
            ("label.cls", b"3"),
            ("line\nend.png", data[2][1]),
            ("twice.png", data[2][1]),
        ):
            member = tarfile.TarInfo(name)
            member.size = len(encoded)
            tar.addfile(member, io.BytesIO(encoded))
        for name, kind, target in (("linked.png", tarfile.LNKTYPE, "good.png"), ("gone.png", tarfile.SYMTYPE, "nothing.png")):
            member = tarfile.TarInfo(name)
            member.type, member.linkname = kind, target
            tar.addfile(member)
    assert list_names(path) == ["good.png", "text.png", "twice.png", "linked.png"]
    assert caplog.messages == [
        f"{path}: left out 1 file that is no images kpdetect reads: 1 .cls; 1 file whose name is not UTF-8 or holds a control "
        "character: line\\x0aend.png; rename it; 1 file that a later file of the same name in the tar file replaces; "
        "../out.png, gone.png, whose name or link leads out of the tar file"
    ]
    assert (read_image(path / "twice.png") == image(2)).all()
    assert (read_image(path / "linked.png") == image(0)).all()
    with pytest.raises(InputError, match=r"odd.tar/text.png: not a readable image \(unknown format\)"):
        read_image(path / "text.png")
    got = predict([str(path)], tmp_path / "out")
    assert got.images == ["good.png", "twice.png", "linked.png"]


def test_truncated_and_empty_archives_are_said_or_refused(folder, tmp_path, caplog):
    caplog.set_level("INFO")
    whole = Path(as_tar(folder))
    assert list_names(whole) == NAMES
    cut = tmp_path / "cut.tar"
    start = int(size_and_time(whole / "b/000.png")[0])
    assert start == (folder / "b/000.png").stat().st_size
    text = whole.read_bytes()
    cut.write_bytes(text[: text.index(b"./b/003.png") + 512 + 40])
    assert list_names(cut) == NAMES[:14]
    assert caplog.messages == [f"{cut}: cut.tar is truncated or damaged after ./b/003.png, images behind it are missing"]
    with pytest.raises(InputError, match="cut.tar/b/003.png: the tar file ends within this image"):
        read_image(cut / "b/003.png")
    assert (read_image(cut / "b/002.png") == image(12)).all()
    empty, wrong = write_tar(tmp_path / "empty.tar", []), tmp_path / "wrong.tar"
    wrong.write_text("no tar file " * 100)
    (tmp_path / "zero.tar").touch()
    (tmp_path / "images.tar.gz").touch()
    for path, words in (
        (empty, "no images found"),
        (wrong, "expected an uncompressed tar file"),
        (tmp_path / "zero.tar", "expected an uncompressed tar file"),
        (tmp_path / "images.tar.gz", "compressed archive"),
        (tmp_path / "s-{00..03}.tar", "s-00.tar: no such file"),
        (tmp_path / "wrong.h5", "no such file|not a folder"),
    ):
        for look in (lambda path: list_names(path), lambda path: find_sources([str(path)])):
            with pytest.raises(InputError, match=words) as error:
                look(path)
            assert "\n" not in str(error.value)


def test_tables_say_which_data_sets_and_columns_there_are(folder, tmp_path, monkeypatch):
    path = tmp_path / "several.h5"
    with h5py.File(path, "w") as file:
        file["left"], file["deep/right"] = np.zeros((3, 8, 9), np.uint8), np.zeros((3, 8, 9, 3), np.uint8)
        file["numbers"], file["names"] = np.arange(3), ["same.png"] * 3
    with pytest.raises(
        InputError, match=r"2 data sets of images \(deep/right, left\); name one of them, as in several.h5::deep"
    ):
        list_names(path)
    with pytest.raises(InputError, match="the data set numbers holds int64"):
        list_names(Path(f"{path}::numbers"))
    with pytest.raises(InputError, match="there is no data set none; expected one of deep/right, left"):
        list_names(Path(f"{path}::none"))
    for inner in ("left", "deep/right"):
        assert list_names(Path(f"{path}::{inner}")) == ["000000", "000001", "000002"]  # equal names name no rows
        assert read_image(list_images(Path(f"{path}::{inner}"))[2]).shape == (8, 9, 3)
    source = as_parquet(folder)
    with pytest.raises(InputError, match="there is no column label of encoded images; expected one of image"):
        list_names(Path(f"{source}::label"))

    def absent(path: Path) -> None:
        raise InputError(f"{path}: reading Parquet files needs pyarrow")

    monkeypatch.setattr(parquet_archive, "_pyarrow", absent)
    other = tmp_path / "other.parquet"
    other.write_bytes(Path(source).read_bytes())
    with pytest.raises(InputError, match="needs pyarrow"):
        list_names(other)
    damaged = tmp_path / "damaged.h5"
    damaged.write_bytes(path.read_bytes()[:500])
    with pytest.raises(InputError, match="damaged.h5"):
        list_names(damaged)


def test_an_archive_that_changes_is_read_again(folder, tmp_path):
    path = Path(as_tar(folder))
    assert len(list_names(path)) == 20
    write_tar(path, content(folder)[:18])
    assert len(list_names(path)) == 18
