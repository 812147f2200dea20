"""Videos whose frame size changes."""

import json

import av
import numpy as np
import pytest

from kpdetect.errors import FormatError
from kpdetect.inference.config import PredictConfig
from kpdetect.inference.formats.parquet import read_parquet, write_parquet
from kpdetect.inference.predictions import Predictions
from kpdetect.inference.sources import Clip
from kpdetect.inference.video_job import predict_clip
from tests.builders.dots import perfect, write_video


def joined(path):
    """Three frames 96x64, then two 192x128, as joined MJPEG streams."""
    parts = []
    for number, (count, width, height) in enumerate([(3, 96, 64), (2, 192, 128)]):
        part = path.with_name(f"part{number}.mjpeg")
        with av.open(str(part), "w") as out:
            stream = out.add_stream("mjpeg", rate=25)
            stream.width, stream.height, stream.pix_fmt = width, height, "yuvj420p"
            for _ in range(count):
                out.mux(stream.encode(av.VideoFrame.from_ndarray(np.zeros((height, width, 3), np.uint8), format="rgb24")))
            out.mux(stream.encode(None))
        parts.append(part.read_bytes())
    path.write_bytes(b"".join(parts))
    return path


def test_frames_of_several_sizes_keep_theirs(tmp_path):
    found, note = predict_clip(
        perfect(), Clip(name="v", source=joined(tmp_path / "v.mjpeg")), tmp_path / "out", PredictConfig(overlays=0)
    )
    sizes = [[64, 96]] * 3 + [[128, 192]] * 2
    assert found.sizes.tolist() == sizes
    assert "the size of the frames changes at frame 3" in note
    record = json.loads((tmp_path / "out" / "predictions.json").read_text())
    assert record["clip"]["size"] == [64, 96]
    assert record["clip"]["sizes"] == [[0, 64, 96], [3, 128, 192]]
    assert Predictions.read(tmp_path / "out").sizes.tolist() == sizes
    assert [block.sizes.tolist() for block in Predictions.read_blocks(tmp_path / "out")] == [sizes]
    assert read_parquet(write_parquet(found.blocks(), 0.0, tmp_path / "out")).sizes.tolist() == sizes


def test_records_of_one_size_have_no_list_of_sizes_and_damaged_lists_are_refused(tmp_path):
    write_video(tmp_path / "v.avi", 3)
    predict_clip(perfect(), Clip(name="v", source=tmp_path / "v.avi"), tmp_path / "out", PredictConfig(overlays=0))
    path = tmp_path / "out" / "predictions.json"
    record = json.loads(path.read_text())
    assert set(record["clip"]) == {"name", "rate", "frames", "size"}
    for sizes in ([[1, 64, 96]], [[0, 64, 96], [0, 32, 48]], [[0, 64]], [[0, 0, 96]]):
        record["clip"]["sizes"] = sizes
        path.write_text(json.dumps(record))
        with pytest.raises(FormatError, match=r"predictions\.json"):
            Predictions.read(tmp_path / "out")
