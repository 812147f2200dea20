"""Predictions of many images are written and read in blocks. Memory does not grow with their number."""

import json
import weakref
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from kpdetect.errors import FormatError
from kpdetect.files import json_stream, json_yaml
from kpdetect.files.json_stream import Entries
from kpdetect.images.image_files import write_image
from kpdetect.inference import predictions as table
from kpdetect.inference import predictions_folder
from kpdetect.inference.config import PredictConfig
from kpdetect.inference.formats import parquet
from kpdetect.inference.formats.choice import write_formats
from kpdetect.inference.prediction_job import predict_inputs
from kpdetect.inference.prediction_record import read_prediction_head, read_prediction_record
from kpdetect.inference.predictions import Predictions, write_predictions
from kpdetect.inference.predictions_folder import PredictedFolder, read_predictions
from kpdetect.inference.predictor import Predictor
from tests.builders.dots import perfect


def some(count, seed=0):
    """Predictions of images of (30, 40) and more pixels."""
    source = np.random.default_rng(seed)
    return Predictions(
        images=[f"{seed}/{number}.png" for number in range(count)],
        keypoints_px=source.uniform(0, 30, (count, 2, 2)).astype(np.float32).round(3),
        confidence=source.random((count, 2)).astype(np.float32).round(4),
        sizes=np.array([[30 + number, 40] for number in range(count)], dtype=np.int64).reshape(count, 2),
    )


class Stream:
    """Blocks that are made while they are read. `most` is the largest number of blocks that existed at one time."""

    def __init__(self, *counts):
        self.counts, self.alive, self.most = counts, weakref.WeakSet(), 0

    def __call__(self):
        for seed, count in enumerate(self.counts):
            block = some(count, seed)
            self.alive.add(holder := block.keypoints_px.view(_Array))
            yield replace(block, keypoints_px=holder)
            self.most = max(self.most, len(self.alive))
            del block, holder


class _Array(np.ndarray):
    """An array that can be counted."""

    __hash__ = object.__hash__


def test_few_blocks_are_in_memory_and_the_files_are_those_of_all_at_once(tmp_path):
    counts = (3, 0, 2, 4, 1, 1, 1)
    stream = Stream(*counts)
    files = [(name, "ab") for block in stream() for name in block.images]
    write_predictions(tmp_path / "a", stream, {"model": "m", "files": Entries(iter(files))})
    assert stream.most <= 3  # the first one is kept, and the next one is made before the last one is released
    whole = [some(count, seed) for seed, count in enumerate(counts)]
    arrays = {name: np.concatenate([getattr(one, name) for one in whole]) for name in ("keypoints_px", "confidence", "sizes")}
    joined = Predictions(images=[name for one in whole for name in one.images], **arrays)
    written = joined.write(tmp_path / "b", {"model": "m", "files": dict(files)})
    for name in ("predictions.csv", "predictions.json"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    assert json.loads((tmp_path / "a" / "predictions.json").read_text())["sizes"]["3/3.png"] == [33, 40]
    np.testing.assert_array_equal(written.keypoints_px, joined.keypoints_px)


def test_blocks_are_read_back_as_the_whole(tmp_path, monkeypatch):
    monkeypatch.setattr(table, "BLOCK", 3)
    some(7).write(tmp_path, {"files": {}})
    blocks = list(Predictions.read_blocks(tmp_path))
    assert [block.count for block in blocks] == [3, 3, 1]
    whole = Predictions.read(tmp_path)
    assert [name for block in blocks for name in block.images] == whole.images
    for name in ("keypoints_px", "confidence", "sizes"):
        np.testing.assert_array_equal(np.concatenate([getattr(block, name) for block in blocks]), getattr(whole, name))
    rows = (tmp_path / "predictions.csv").read_text().splitlines()
    for damaged in ([*rows, "8.png,0,1,2,0.5"], rows[:-1], rows[:5] + rows[4:]):
        (tmp_path / "predictions.csv").write_text("\n".join(damaged) + "\n")
        with pytest.raises(FormatError, match=r"predictions\.csv: .*run `kpdetect predict` again"):
            list(Predictions.read_blocks(tmp_path))


def test_parquet_is_written_in_row_groups_from_the_folder(tmp_path, monkeypatch):
    from pyarrow.parquet import ParquetFile

    monkeypatch.setattr(table, "BLOCK", 2)
    monkeypatch.setattr(parquet, "IMAGES", 5)
    whole = some(8).write(tmp_path, {})
    write_formats(PredictedFolder(tmp_path, 8), ["parquet"], tmp_path)
    files = [ParquetFile(tmp_path / "predictions.parquet" / f"part-0000{number}.parquet") for number in (0, 1)]
    assert [[file.metadata.row_group(group).num_rows for group in range(file.num_row_groups)] for file in files] == [
        [4, 4, 2],
        [2, 4],
    ]
    read = read_predictions(tmp_path / "predictions.parquet")
    assert read.images == whole.images
    np.testing.assert_array_equal(read.keypoints_px, whole.keypoints_px)


def test_a_record_larger_than_other_json_files_may_be_is_enough_to_know_what_is_finished(tmp_path, monkeypatch):
    for number in range(3):
        write_image(tmp_path / "in" / f"{number}.png", np.full((20, 30, 3), 40 * number, np.uint8))
    monkeypatch.setattr(Predictor, "load", lambda *_, **__: perfect())
    monkeypatch.setattr(predictions_folder, "KEPT", 2)
    first = predict_inputs("model", tmp_path / "in", tmp_path / "out", PredictConfig(overlays=0))
    written = (tmp_path / "out" / "predictions.csv").stat().st_mtime_ns
    record = read_prediction_record(tmp_path / "out")
    head = read_prediction_head(tmp_path / "out")
    assert (head.sizes, head.files, head.model, head.settings) == ({}, {}, record.model, record.settings)
    for module in (json_yaml, json_stream):
        monkeypatch.setattr(module, "LARGEST_JSON", (tmp_path / "out" / "predictions.json").stat().st_size - 1)
    again = predict_inputs("model", tmp_path / "in", tmp_path / "out", PredictConfig(overlays=0, formats=("parquet",)))
    assert (again.images, first.images) == (3, 3)
    assert (tmp_path / "out" / "predictions.csv").stat().st_mtime_ns == written
    assert pd.read_parquet(tmp_path / "out" / "predictions.parquet")["image"].nunique() == 3
    monkeypatch.undo()
    assert first.predictions.images == again.parts[""].images == ["0.png", "1.png", "2.png"]
