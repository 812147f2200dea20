"""Partitioned Parquet: the folder `predictions.parquet`. It holds a manifest, and files of 100,000 images each.

A row holds one keypoint of one image, as in predictions.csv, and the size of the image. All columns have simple types: strings,
32-bit integers and floating point numbers. pandas, DuckDB and Spark read the folder as one table:

    pandas.read_parquet("OUT/predictions.parquet")
    duckdb: SELECT * FROM 'OUT/predictions.parquet/*.parquet'
    spark.read.parquet("OUT/predictions.parquet")
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain, groupby, pairwise
from operator import itemgetter
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from kpdetect.errors import FormatError, InputError
from kpdetect.files.atomic import replacing, write_json
from kpdetect.files.json_yaml import read_json_file
from kpdetect.files.reading import reading
from kpdetect.files.records import Count, Record, RelativeName, checked
from kpdetect.inference.prediction_record import AGAIN
from kpdetect.inference.predictions import NAME_COLUMN, PARQUET, Predictions
from kpdetect.skeleton import SkeletonRecord

MANIFEST = "_manifest.json"
"""The name of the manifest. Readers of Parquet folders skip files whose names begin with an underscore."""
IMAGES = 100_000
"""Number of images in a file. Each block of images is a row group."""


class ParquetFile(Record):
    """The manifest's entry for one Parquet file."""

    name: RelativeName
    """Name of the file in the folder."""
    images: Count
    """Number of images or frames in the file."""


class ParquetManifest(Record):
    """The manifest of a folder `predictions.parquet`: its files, and what they hold."""

    keypoints: Annotated[int, Field(ge=1)]
    """Number of keypoints of each image."""
    skeleton: SkeletonRecord
    """Numbers, names, links and pairs of the keypoints."""
    files: tuple[ParquetFile, ...]
    """All files, in the order of the images."""
    clip: str | None = None
    """Name of the video; None for images."""
    rate: float | None = None
    """Frames per second of the video; None for images."""


def files_of(images: int) -> list[str]:
    """List the names of all files for a number of images, relative to the predictions folder."""
    return [*(f"{PARQUET}/{_name(number)}" for number in range(max(1, -(-images // IMAGES)))), f"{PARQUET}/{MANIFEST}"]


def write_parquet(blocks: Iterable[Predictions], min_confidence: float, folder: Path) -> Path:
    """Write the folder predictions.parquet. The manifest is written last. Only one block is in memory at a time.

    Args:
        blocks: the predictions in at least one block.
        min_confidence: coordinates of keypoints below this confidence are empty.
        folder: the predictions folder.

    Raises:
        InputError: pyarrow is not installed.
    """
    parquet, target, files = _pyarrow(), folder / PARQUET, list[dict[str, Any]]()
    (target / MANIFEST).unlink(missing_ok=True)
    blocks = iter(blocks)
    first = next(blocks)
    schema = _table(first.part(slice(0)), min_confidence).schema
    for number, pieces in groupby(_numbered(chain([first], blocks)), key=itemgetter(0)):
        images = 0
        with replacing(target / _name(number)) as path, parquet.ParquetWriter(path, schema, compression="zstd") as file:
            for _, piece in pieces:
                file.write_table(_table(piece, min_confidence))
                images += piece.count
        files.append({"name": _name(number), "images": images})
    clip = None if first.frames is None else first.images[0].rpartition("/")[0]
    record = {"keypoints": int(first.keypoints_px.shape[1]), "skeleton": first.points.to_record(), "files": files}
    write_json(target / MANIFEST, record | {"clip": clip, "rate": first.rate})
    return target


def read_parquet(folder: Path) -> Predictions:
    """Read a folder that `write_parquet` wrote. Keypoints that count as missing are NaN.

    Raises:
        InputError: a file is missing, or pyarrow is not installed.
        FormatError: a file is damaged, or differs from its entry in the manifest.
    """
    parquet, path = _pyarrow(), folder / MANIFEST
    manifest = checked(ParquetManifest, read_json_file(path), path, advice=f"not a manifest of predictions; {AGAIN}")
    parts = []
    for file in manifest.files:
        if not (folder / file.name).is_file():
            raise InputError(f"{folder / file.name}: no such file, but {MANIFEST} names it; {AGAIN}")
        with reading(folder / file.name, FormatError, f"not a table of predictions; {AGAIN}"):
            parts.append(_columns(parquet.ParquetFile(folder / file.name).read(), manifest, file.images))
    columns = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    return Predictions(
        images=[str(image) for image in columns["image"]],
        keypoints_px=np.stack([columns["x_px"], columns["y_px"]], axis=-1),
        confidence=columns["confidence"],
        sizes=np.stack([columns["height"], columns["width"]], axis=-1).astype(np.int64),
        skeleton=manifest.skeleton.skeleton(),
        frames=columns.get("frame"),
        rate=manifest.rate,
        times=columns.get("time_s"),
        human=columns.get("human"),
    )


def _numbered(blocks: Iterable[Predictions]) -> Iterator[tuple[int, Predictions]]:
    """Cut blocks at the ends of files, and yield the number of the file with each piece."""
    images = 0
    for block in blocks:
        for start, stop in pairwise([0, *range(IMAGES - images % IMAGES, block.count, IMAGES), block.count]):
            yield images // IMAGES, block.part(slice(start, stop))
            images += stop - start


def _name(number: int) -> str:
    return f"part-{number:05d}.parquet"


def _table(part: Predictions, min_confidence: float) -> Any:
    """Make the table of some images. Coordinates of keypoints below `min_confidence` are empty."""
    import pyarrow

    count, points = part.keypoints_px.shape[1], part.points
    shown = part.confident(min_confidence)

    def repeated(values: Any, kind: Any) -> Any:
        return pyarrow.array(np.repeat(values, count), kind)

    columns = {"image": repeated(np.array(part.images, dtype=object), pyarrow.string())}
    columns["height"], columns["width"] = (repeated(side, pyarrow.int32()) for side in part.sizes.T)
    if part.frames is not None:
        times = part.frames / (part.rate or 1.0) if part.times is None else part.times
        columns |= {"frame": repeated(part.frames, pyarrow.int64()), "time_s": repeated(times.round(4), pyarrow.float64())}
    columns["keypoint"] = pyarrow.array(np.tile(np.array(points.numbers), len(part.images)), pyarrow.int32())
    if points.named:
        columns[NAME_COLUMN] = pyarrow.array(list(points.names) * len(part.images), pyarrow.string())
    for axis, name in enumerate(("x_px", "y_px")):
        columns[name] = pyarrow.array(shown[..., axis].ravel().round(3), pyarrow.float32(), from_pandas=True)
    columns["confidence"] = pyarrow.array(part.confidence.ravel().round(4), pyarrow.float32())
    if part.human is not None:
        columns["human"] = pyarrow.array(part.human.ravel(), pyarrow.bool_())
    return pyarrow.table(columns)


def _columns(table: Any, manifest: ParquetManifest, images: int) -> dict[str, NDArray[Any]]:
    """Return the columns of a Parquet file as arrays: [images] for values of an image, [images, K] for values of a keypoint."""
    count = manifest.keypoints
    if table.num_rows != images * count or table["keypoint"].to_pylist() != list(manifest.skeleton.numbers) * images:
        raise FormatError(f"{table.num_rows} rows; expected {count} keypoints of each of {images} images, in order")
    found = {name: table[name].to_pandas().to_numpy().reshape(images, count) for name in ("x_px", "y_px", "confidence")}
    found = {name: values.astype(np.float32) for name, values in found.items()}
    if "human" in table.column_names:
        found["human"] = table["human"].to_pandas().to_numpy().astype(bool).reshape(images, count)
    names = ["image", "height", "width", *(["frame", "time_s"] if manifest.clip is not None else [])]
    return found | {name: table[name].to_pandas().to_numpy()[::count] for name in names}


def _pyarrow() -> Any:
    try:
        from pyarrow import parquet
    except ImportError as error:
        raise InputError('`formats=parquet`: pyarrow is not installed; pip install "kpdetect[parquet]"') from error
    return parquet
