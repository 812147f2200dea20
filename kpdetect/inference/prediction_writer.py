"""Write predictions.csv and predictions.json block by block, so that memory does not grow with the number of images."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kpdetect.files.atomic import replacing
from kpdetect.files.json_stream import Entries, write_json_stream
from kpdetect.files.names import to_cell
from kpdetect.inference.prediction_record import RECORD, TABLE

if TYPE_CHECKING:
    from kpdetect.inference.predictions import Predictions


def write_predictions(folder: Path, blocks: Callable[[], Iterator[Predictions]], provenance: dict[str, Any]) -> None:
    """Write predictions.csv, then predictions.json. The second file exists only if the first one is complete.

    Only one block is in memory at a time.

    Args:
        folder: folder of the files.
        blocks: function that yields the predictions in blocks, in the order of the table. It is called several times.
        provenance: the first keys of predictions.json. The values may be `kpdetect.files.json_stream.Entries`.

    Raises:
        OutputError: the folder cannot be written.
    """
    (folder / RECORD).unlink(missing_ok=True)
    count = 0
    with replacing(folder / TABLE) as temporary, open(temporary, "w", newline="", encoding="utf-8") as file:
        for block in blocks():
            table = block.to_pandas()
            if "image" in table:
                table["image"] = table["image"].map(to_cell)
            table.to_csv(file, index=False, header=file.tell() == 0)
            count += block.count
    first = next(blocks())
    record = {**provenance, "keypoints": int(first.keypoints_px.shape[1]), "skeleton": first.points.to_record()}
    if first.frames is None:
        sizes = (zip(block.images, block.sizes.tolist(), strict=True) for block in blocks())
        record["sizes"] = Entries(chain.from_iterable(sizes))
    else:
        clip = first.images[0].rpartition("/")[0]
        record["clip"] = {"name": clip, "rate": first.rate, "frames": count, "size": first.sizes[0].tolist()}
    write_json_stream(folder / RECORD, record)
