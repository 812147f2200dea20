"""Predictions as a folder of Parquet files: read by pandas as one table, and by this project without loss."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from kpdetect.errors import FormatError, InputError
from kpdetect.inference import predictions as table
from kpdetect.inference.formats import parquet
from kpdetect.inference.formats.choice import write_formats
from kpdetect.inference.predictions import Predictions
from kpdetect.inference.predictions_folder import read_predictions
from kpdetect.skeleton import Skeleton

pytest.importorskip("pyarrow")


def found(count=5):
    """Images of 40 by 30 pixels and more; keypoints 1 and 4 of a model, with names."""
    source = np.random.default_rng(0)
    return Predictions(
        images=[f"b/ä,{number}.png" for number in range(count)],
        keypoints_px=source.uniform(-3, 40, (count, 2, 2)).astype(np.float32).round(3),
        confidence=source.random((count, 2)).astype(np.float32).round(4),
        sizes=np.array([[30 + number, 40] for number in range(count)]),
        skeleton=Skeleton(numbers=(1, 4), names=("tip", "=end"), links=((0, 1),), pairs=()),
    )


def same(one, other):
    assert one.images == other.images
    assert one.points == other.points
    for name in ("keypoints_px", "confidence", "sizes", "frames", "times", "human"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), err_msg=name)


def test_pandas_reads_the_folder_as_one_table_and_we_read_it_without_loss(tmp_path, monkeypatch):
    monkeypatch.setattr(parquet, "IMAGES", 2)
    images = found()
    write_formats(images, ["parquet"], tmp_path)
    names = sorted(path.name for path in (tmp_path / "predictions.parquet").iterdir())
    assert names == ["_manifest.json", "part-00000.parquet", "part-00001.parquet", "part-00002.parquet"]
    read = pd.read_parquet(tmp_path / "predictions.parquet")
    assert list(read) == ["image", "height", "width", "keypoint", "name", "x_px", "y_px", "confidence"]
    assert read["image"].tolist() == [name for name in images.images for _ in range(2)]
    assert read["keypoint"].tolist() == [1, 4] * 5
    assert read["name"].tolist() == ["tip", "=end"] * 5
    assert read["height"].tolist() == [30, 30, 31, 31, 32, 32, 33, 33, 34, 34]
    np.testing.assert_array_equal(read["y_px"].to_numpy(), images.keypoints_px[..., 1].ravel())
    kinds = {"image": "str", "height": "int32", "keypoint": "int32", "x_px": "float32", "confidence": "float32"}
    assert {name: str(read[name].dtype) for name in kinds} == kinds
    same(read_predictions(tmp_path / "predictions.parquet"), images)


def test_fewer_files_of_a_later_call_are_all_there_are(tmp_path, monkeypatch):
    monkeypatch.setattr(parquet, "IMAGES", 2)
    for count in (5, 2):
        write_formats(found(count), ["parquet"], tmp_path)
    same(read_predictions(tmp_path / "predictions.parquet"), found(2))
    assert len(list((tmp_path / "predictions.parquet").glob("*.parquet"))) == 1


def test_frames_and_missing_keypoints_come_back(tmp_path):
    frames = np.array([0, 3, 5])
    images = replace(
        found(3), images=[f"film/{frame:06d}.png" for frame in frames], frames=frames, rate=25.0,
        times=np.array([0.0, 0.12, 0.2]), sizes=np.tile([30, 40], (3, 1)),
    )  # fmt: skip
    images.confidence[1, 0] = 0.1
    images.confidence[1, 1] = 0.2
    write_formats(images, ["parquet"], tmp_path, min_confidence=0.15)
    read = read_predictions(tmp_path / "predictions.parquet")
    assert np.isnan(read.keypoints_px[1, 0]).all()
    assert read.rate == 25.0
    same(read, replace(images, keypoints_px=images.confident(0.15)))


def test_a_damaged_or_incomplete_folder_is_refused(tmp_path):
    write_formats(found(), ["parquet"], tmp_path)
    folder = tmp_path / "predictions.parquet"
    (folder / "part-00000.parquet").rename(tmp_path / "kept")
    with pytest.raises(InputError, match=r"part-00000\.parquet: no such file"):
        read_predictions(folder)
    (folder / "part-00000.parquet").write_bytes(b"PAR1 no more")
    with pytest.raises(FormatError, match="not a table of predictions"):
        read_predictions(folder)
    (tmp_path / "kept").rename(folder / "part-00000.parquet")
    manifest = json.loads((folder / "_manifest.json").read_text())
    manifest["files"][0]["images"] = 4
    (folder / "_manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(FormatError, match="expected 2 keypoints of each of 4 images"):
        read_predictions(folder)


def test_a_table_written_block_by_block_is_the_same(tmp_path, monkeypatch):
    for name, block in (("whole", 100), ("blocks", 2)):
        monkeypatch.setattr(table, "BLOCK", block)
        (tmp_path / name).mkdir()
        same(found().write(tmp_path / name, {"model": "abc"}), found())
    assert (tmp_path / "whole" / "predictions.csv").read_bytes() == (tmp_path / "blocks" / "predictions.csv").read_bytes()


def test_what_writing_returns_is_what_reading_gives(tmp_path):
    source = np.random.default_rng(1)
    points, sure = source.uniform(-900, 5000, (3000, 2, 2)).astype(np.float32), source.random((3000, 2)).astype(np.float32)
    images = replace(found(3000), keypoints_px=points, confidence=sure)
    same(images.write(tmp_path, {"model": "abc"}), Predictions.read(tmp_path))
