"""Numbers about a model without annotations: how real its images look, whether parts are apart, how steady keypoints are."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks import measurement_records
from benchmarks.metrics.consistency import consistency
from benchmarks.metrics.cpd import disentanglement
from benchmarks.metrics.extractors import Extractor, build_extractor
from benchmarks.metrics.frechet import frechet_distance, kernel_distance
from benchmarks.metrics.overlap import constant_mask, intersection_over_union
from benchmarks.studies.generated_images import conditioned, interpolated, swap_maps
from benchmarks.studies.judging import judge_model, same_frame
from benchmarks.studies.real_images import Squares, read_masks, read_squares, require_match
from benchmarks.studies.verdict import NAME, Verdict, write_verdict
from generator.sheet import to_uint8
from generator.stream import PairStream
from kpdetect.data.derived import rewritten
from kpdetect.data.folder import select_images
from kpdetect.data.name_lists import excluded_names
from kpdetect.errors import CheckpointError, InputError
from kpdetect.files.atomic import replacing, write_json, write_text
from kpdetect.files.folders import make_folder
from kpdetect.files.hashes import file_hash
from kpdetect.images.image_files import readable
from kpdetect.inference.predictor import Predictor
from kpdetect.training.checkpoints import find_weights, read_model_description
from kpdetect.training.run_folder import environment
from kpdetect.training.runtime import Runtime

FILES = ("measured.json", "measured.md", "measured.csv")
STEADY = 200
"""Images on which consistency is measured."""


@dataclass(frozen=True, kw_only=True)
class MeasuredNumber:
    """One number: what it is, its value, its spread and its floor where it has them, and what a reader has to know."""

    name: str
    value: float
    spread: float | None = None
    floor: float | None = None
    note: str = ""


def measure(
    model: Path,
    images: Path,
    out: Path,
    runtime: Runtime,
    *,
    count: int = 5_000,
    pairs: int = 200,
    seed: int = 0,
    features: str = "imagenet",
    exclude: tuple[Path, ...] = (),
    other: Path | None = None,
) -> list[MeasuredNumber]:
    """Measure what there is of a model: its generator, its detector, or both.

    Args:
        model: project folder, run folder, weights file or shipped name.
        images: folder of real images.
        out: folder for `measured.json`, `.csv` and `.md`, and of a detector `verdict.json`.
        runtime: where to draw.
        count: generated images, and at most as many real ones.
        pairs: pairs of images for CPD (the paper: 1,000).
        seed: of everything drawn.
        features: `imagenet`, `random` or a file of Inception's weights, for FID proper.
        exclude: lists of image names to leave out.
        other: another model, whose detector is compared with this one.

    Raises:
        InputError: no model, parts of two models, too few images, or an extractor that is not there.
        CheckpointError: damaged weights.
        OutputError: `out` cannot be written.
    """
    stream, predictor = load_parts(model, runtime, seed)
    rival = None if other is None else Predictor.load(other, runtime.device.type)
    if rival is not None and predictor is None:
        raise InputError(f"{model}: no detector to compare with {other}; give a project or a detector")
    extractor = None if stream is None else build_extractor(features, runtime.device)  # refused before any work
    paths = [images / name for name in select_images(images, set(excluded_names(images, exclude)), out)]
    chosen = [paths[index] for index in np.random.default_rng(seed).permutation(len(paths))[:count]]
    make_folder(out)
    found, verdict = list[MeasuredNumber](), None
    if stream is not None and extractor is not None:
        squares = read_squares(chosen, stream, predictor)
        chosen = squares.paths
        found += measure_images(stream, squares, extractor, count)
        found.append(_parts(stream, pairs))
        truth = read_masks(images, squares)
        if truth is not None and predictor is not None:
            found.append(measure_masks(stream, squares, truth))
    if predictor is not None:
        found += measure_detector(predictor, chosen[:STEADY], seed)
        verdict = judge_model(predictor, same_frame(predictor, stream, model), chosen, seed, rival)
    facts: dict[str, Any] = {
        "generator": stream.hash if stream else None,
        "detector": predictor.hash if predictor else None,
        "images": str(images),
        "exclude": {path.name: file_hash(path) for path in exclude},
        "features": features if stream else None,
        "count": count,
        "pairs": pairs,
        "seed": seed,
    }
    write_measured(found, model, out, facts, verdict)
    return found


def load_parts(model: Path, runtime: Runtime, seed: int) -> tuple[PairStream | None, Predictor | None]:
    """The generator and the detector, or one of them, in what a path or a shipped name means.

    Raises:
        InputError: neither, or not of one project.
        CheckpointError: damaged weights.
    """
    stream = PairStream(model, runtime, seed=seed) if _holds(model, "generator") else None
    predictor = Predictor.load(model, runtime.device.type) if _holds(model, "detector") else None
    if stream is None and predictor is None:
        raise InputError(f"{model}: no generator and no detector; give a project folder or a name of `kpdetect models`")
    if stream is not None and predictor is not None:
        require_match(stream, predictor)
    return stream, predictor


def _holds(model: Path, kind: str) -> bool:
    try:
        weights = find_weights(model, kind)
    except CheckpointError:
        return False
    return read_model_description(weights).kind == kind


def measure_images(stream: PairStream, squares: Squares, extractor: Extractor, count: int) -> list[MeasuredNumber]:
    """Distances to real images of `count` generated ones, of as many interpolated ones, and of those with real keypoints."""
    real, size = extractor([squares.images]), stream.size[0]
    drawn = extractor(batch.images for batch in stream.batches(0, count))
    few = "; fewer images than features: biased upwards" if min(len(real), count) <= real.shape[1] else ""
    sets = f"features: {extractor.name}; {count:,} generated, {len(real):,} real images of {size} px"
    note = sets + few
    distance, kernel = ("FID", "KID") if extractor.is_inception else ("Frechet distance", "kernel distance")
    floor, halves = _floor(real), f"; floor: one half of the real images against the other ({len(real) // 2:,} each)"
    mean, spread = kernel_distance(drawn, real)
    between = frechet_distance(extractor(interpolated(stream, count)), real)
    rows = [
        MeasuredNumber(name=distance, value=frechet_distance(drawn, real), floor=floor, note=note + halves),
        MeasuredNumber(name=f"{distance}, interpolated", value=between, floor=floor, note=note),
        MeasuredNumber(name=kernel, value=mean, spread=spread, note=sets),
    ]
    if squares.keypoints is not None:
        given = extractor(to_uint8(drawing.image) for drawing in conditioned(stream, squares.keypoints))
        told = f"features: {extractor.name}; drawn with the keypoints detected in {len(real):,} real images"
        value = frechet_distance(given, real)
        rows.insert(2, MeasuredNumber(name=f"{distance}, keypoints of real images", value=value, floor=floor, note=told))
    return rows


def _floor(real: NDArray[np.float32]) -> float | None:
    half = len(real) // 2
    return frechet_distance(real[:half], real[half : 2 * half]) if half >= 2 else None


def _parts(stream: PairStream, pairs: int) -> MeasuredNumber:
    parts = disentanglement(swap_maps(stream, pairs))
    dead = f"dead parts: {', '.join(map(str, parts.dead))}" if parts.dead else "no dead part"
    return MeasuredNumber(name="CPD", value=parts.cpd, note=f"{pairs:,} pairs, {len(parts.change)} parts, {dead}")


def measure_masks(stream: PairStream, squares: Squares, truth: NDArray[np.bool_]) -> MeasuredNumber:
    """How well the mask that the generator draws for the keypoints detected in a real image covers the object in it, whose true
    mask [images, size, size] is known."""
    assert squares.keypoints is not None
    found = np.concatenate([(each.mask[:, 0] > 0.5).cpu().numpy() for each in conditioned(stream, squares.keypoints)])
    guess = np.broadcast_to(constant_mask(truth), truth.shape)
    told = "mask drawn for the keypoints detected in a real image, against its true mask; floor: one mask for all images"
    value, floor = (100 * float(intersection_over_union(masks, truth).mean()) for masks in (found, guess))
    return MeasuredNumber(name="mask IoU, %", value=value, floor=floor, note=f"{told}; {len(truth):,} images")


def measure_detector(predictor: Predictor, paths: list[Path], seed: int) -> list[MeasuredNumber]:
    """Consistency of keypoints under affine maps and mirrors."""
    images = [image for _, image in readable(paths)]
    found = consistency(predictor, images, seed)
    still = f"{len(images)} images; floor: keypoints that never move"
    order = " ".join(map(str, found.order))
    return [
        MeasuredNumber(name="inconsistency under affine maps, %", value=found.affine, floor=found.affine_floor, note=still),
        MeasuredNumber(
            name="inconsistency under a mirror, %",
            value=found.flip,
            floor=found.flip_floor,
            note=f"{still}; mirrored, keypoint k is number {order}",
        ),
    ]


def measured_markdown(found: list[MeasuredNumber]) -> str:
    """The numbers as a table."""
    lines = ["| measured | value | floor | note |", "| --- | --- | --- | --- |"]
    for row in found:
        spread = "" if row.spread is None else f" (spread {row.spread:.4f})"
        floor = "" if row.floor is None else f"{row.floor:.4f}"
        lines.append(f"| {row.name} | {row.value:.4f}{spread} | {floor} | {row.note} |")
    return "\n".join(lines)


def write_measured(
    found: list[MeasuredNumber], model: Path, out: Path, facts: dict[str, Any], verdict: Verdict | None = None
) -> None:
    """Write `measured.json`, `.md` and `.csv`, and of a detector `verdict.json`; `facts` are what the numbers depend on.

    Raises:
        OutputError: `out` cannot be written.
    """
    import pandas as pd

    rows = [vars(row) for row in found]
    content = {"schema": measurement_records.MEASURED, "model": str(model), **facts, "rows": rows, "environment": environment()}
    with rewritten(out, "measured", [*FILES, *([] if verdict is None else [NAME])]):
        if verdict is not None:
            write_verdict(verdict, out / NAME)
        write_json(out / "measured.json", content)
        write_text(out / "measured.md", measured_markdown(found) + "\n")
        with replacing(out / "measured.csv") as temporary:
            pd.DataFrame(rows).to_csv(temporary, index=False)
