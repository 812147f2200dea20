"""Does a generator repeat its training images? Distances from generated images to the nearest training image.

The distance is the root mean square difference in grey levels at 32x32 pixels, to the training image or its mirror image.
For comparison, the study measures the same distances from training images to the nearest *other* training image. A generator
that memorises images has distances far below these; a generator that draws new images does not.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks import measurement_records
from generator.stream import PairStream
from kpdetect.data.folder import MIN_IMAGES, select_images
from kpdetect.data.name_lists import excluded_names
from kpdetect.draw import contact_sheet
from kpdetect.errors import InputError
from kpdetect.files.atomic import replacing_set, write_json
from kpdetect.files.folders import make_folder
from kpdetect.files.hashes import file_hash
from kpdetect.images.arrays import CropPolicy, Image, fit_image
from kpdetect.images.image_files import read_image, readable, write_image
from kpdetect.markdown import markdown_table
from kpdetect.progress import Progress
from kpdetect.training.run_folder import environment
from kpdetect.training.runtime import Runtime

SIDE, BLOCK, SHOWN, TILE = 32, 512, 12, 96
QUANTILES = (0.0, 0.01, 0.1, 0.5)


@dataclass(frozen=True, kw_only=True)
class Nearest:
    """Quantiles (least, 1 %, 10 %, median) of distances to the nearest training image, in grey levels of 255.

    Attributes:
        generated: distances of generated images.
        training: distances of training images to the nearest other training image.
        closer: share of the generated images whose distance is below the 1 % quantile of `training`, 0 to 1; 0.01 is
            expected by chance.
        images: number of generated images.
        training_images: number of training images.
    """

    generated: tuple[float, ...]
    training: tuple[float, ...]
    closer: float
    images: int
    training_images: int


def nearest_training_images(
    model: Path, images: Path, out: Path, runtime: Runtime, *, count: int = 1_000, seed: int = 0, exclude: Sequence[Path] = ()
) -> Nearest:
    """Compare generated images with the training images.

    Args:
        model: weights file, run folder or project folder of a generator, or the name of a model that comes with the package.
        images: folder of the generator's training images.
        out: folder for `nearest.json` and `nearest.png`, which shows the closest generated images above their training images.
        runtime: device and precision.
        count: number of generated images.
        seed: seed of the generated images.
        exclude: lists of images in the folder that were not used for training.

    Raises:
        InputError: there are fewer than two training images, or `count` is below 1.
        CheckpointError: the model has no generator.
        OutputError: `out` cannot be written.
    """
    stream = PairStream(model, runtime, seed=seed)
    names = select_images(
        images, set(excluded_names(images, exclude)), out, needs=f"the comparison needs at least {MIN_IMAGES}"
    )
    paths = [images / name for name in names]
    if len(paths) < 2 or count < 1:
        raise InputError(f"{images}: {len(paths)} training images, {count} to generate; expected at least 2 and 1")
    drawn = np.concatenate([batch.images for batch in stream.batches(0, count)])
    paths, training = _read(paths, stream.provenance["crop"])
    known, rows = _vectors(training), _vectors(drawn)
    both = np.concatenate([known, _vectors(training[:, :, ::-1])])
    distances, places = _search(rows, both, None)
    chosen = np.random.default_rng(seed).permutation(len(known))[:count]
    among, _ = _search(known[chosen], both, chosen)
    result = Nearest(
        generated=_quantiles(distances),
        training=_quantiles(among),
        closer=float((distances < np.quantile(among, 0.01)).mean()),
        images=count,
        training_images=len(paths),
    )
    make_folder(out)
    settings = {
        "schema": measurement_records.NEAREST,
        "model": str(model),
        "generator": stream.hash,
        "folder": str(images),
        "exclude": {path.name: file_hash(path) for path in exclude},
        "seed": seed,
    }
    order = np.argsort(distances)[:SHOWN]
    sheet = _sheet(list(drawn[order]), [read_image(paths[places[row] % len(paths)]) for row in order])
    with replacing_set(out / "nearest.json", out / "nearest.png") as (record, picture):
        write_image(picture, sheet)
        write_json(record, settings | asdict(result) | {"environment": environment()})
    return result


def describe_nearest(result: Nearest) -> str:
    """Describe the result as a table of two rows and a sentence."""
    header = ("distance to the nearest training image", "least", "1 %", "10 %", "median")
    named = (("generated images", result.generated), ("training images, to another", result.training))
    table = markdown_table(header, [(name, *(f"{value:.1f}" for value in values)) for name, values in named])
    share = f"{100 * result.closer:.1f} % of the {result.images:,} generated images are nearer to a training image"
    scale = f"than 99 % of the {result.training_images:,} training images are to each other"
    return f"{table}\n\n{share} {scale} (expected by chance: 1 %)."


def _read(paths: Sequence[Path], crop: CropPolicy) -> tuple[list[Path], Image]:
    """Read the images as squares; return the paths of the readable files and their squares."""
    squares, kept = [], []
    with Progress(len(paths), "read images") as progress:
        for path, image in readable(paths):
            squares.append(fit_image(image, SIDE, crop)[0])
            kept.append(path)
            progress.update(1)
    if len(kept) < 2:
        raise InputError(f"{len(kept)} of {len(paths)} training images can be read; expected at least 2")
    return kept, np.stack(squares)


def _vectors(images: Iterable[Image]) -> NDArray[np.float32]:
    small = [cv2.resize(image, (SIDE, SIDE), interpolation=cv2.INTER_AREA).ravel() for image in images]
    return np.stack(small).astype(np.float32)


def _search(
    rows: NDArray[np.float32], known: NDArray[np.float32], excluded: NDArray[np.int64] | None
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return the distance of each row to the nearest allowed vector of `known`, and the index of that vector.

    Args:
        rows: vectors to search for, [rows, values].
        known: vectors to search in: training images, then their mirror images.
        excluded: for each row, the index of the training image that it shows. This image and its mirror image are not allowed
            as results. None to allow all images.
    """
    squares, distances, places = (known**2).sum(axis=1), [], []
    half = len(known) // 2
    for start in range(0, len(rows), BLOCK):
        block = rows[start : start + BLOCK]
        apart = squares - 2 * block @ known.T + (block**2).sum(axis=1)[:, None]
        if excluded is not None:
            line = np.arange(len(block))
            apart[line, excluded[start : start + BLOCK]] = np.inf
            apart[line, excluded[start : start + BLOCK] + half] = np.inf
        places.append(apart.argmin(axis=1))
        distances.append(apart.min(axis=1))
    mean = np.concatenate(distances).clip(0) / known.shape[1]
    return np.sqrt(mean.astype(np.float64)), np.concatenate(places)


def _quantiles(values: NDArray[np.float64]) -> tuple[float, ...]:
    return tuple(float(value) for value in np.quantile(values, QUANTILES))


def _sheet(drawn: Sequence[Image], nearest: Sequence[Image]) -> Image:
    tiles = [cv2.resize(image, (TILE, TILE), interpolation=cv2.INTER_AREA) for image in (*drawn, *nearest)]
    return contact_sheet([np.asarray(tile, np.uint8) for tile in tiles], SHOWN)
