"""Measures of a model without annotations: realism of images, separation of parts, steadiness of keypoints."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.metrics.consistency import consistency
from benchmarks.metrics.cpd import disentangled, sums_of
from benchmarks.metrics.extractors import BATCH, Extractor, build_extractor
from benchmarks.metrics.frechet import frechet_distance, kernel_distance
from benchmarks.metrics.keypoint_information import FEWEST_IMAGES
from benchmarks.metrics.overlap import constant_mask, intersection_over_union
from benchmarks.studies.evidence import OTHER_FRAME, Coverage
from benchmarks.studies.generated_images import conditioned, interpolated, swap_maps
from benchmarks.studies.judging import coverage_without_generator, images_seen_of_matches, judge_model, same_frame
from benchmarks.studies.keypoint_choice import measure_information
from benchmarks.studies.measured_rows import MeasuredNumber, write_measured
from benchmarks.studies.real_images import Squares, read_masks, read_squares, require_match
from generator.sample_sheet import to_uint8
from generator.stream import BATCH as DRAWN_AT_ONCE
from generator.stream import PairStream
from kpdetect.data.folder import MIN_IMAGES, select_images
from kpdetect.data.name_lists import excluded_names
from kpdetect.errors import CheckpointError, InputError
from kpdetect.files.folders import make_folder
from kpdetect.files.hashes import file_hash
from kpdetect.images.image_files import readable
from kpdetect.inference.predictor import Predictor
from kpdetect.training.checkpoints import find_weights, read_model_description
from kpdetect.training.processes import ALONE, Peers
from kpdetect.training.runtime import Runtime

STEADY = 200
"""Number of images on which the consistency of keypoints is measured."""


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
    peers: Peers = ALONE,
) -> list[MeasuredNumber]:
    """Measure the generator of a model, its detector, or both.

    Several processes share the work, return the same numbers as one process, and the first one writes the files.

    Args:
        model: project folder, run folder, weights file, or name of a model that comes with the package.
        images: folder of real images.
        out: folder for `measured.json`, `.csv` and `.md`, and, for a detector, `verdict.json`.
        runtime: device and precision.
        count: number of images to generate. At most this many real images are used.
        pairs: number of image pairs for correlation-based part disentanglement (CPD; the LatentKeypointGAN paper: 1,000).
        seed: seed of everything random.
        features: network whose features are compared: `imagenet`, `random`, or a file with Inception's weights, for FID.
        exclude: lists of image names to leave out.
        other: another model, whose detector is compared with this model's detector; None without one.
        peers: the processes that measure together.

    Raises:
        InputError: `model` has neither a generator nor a detector, the two do not match, there are too few images, or the
            network of `features` is not installed.
        CheckpointError: damaged weights.
        OutputError: `out` cannot be written.
    """
    stream, predictor = load_parts(model, runtime, seed)
    rival = None if other is None else Predictor.load(other, runtime.device.type)
    if rival is not None and predictor is None:
        raise InputError(f"{model}: no detector to compare with {other}; give a project or a detector")
    extractor = None if stream is None else build_extractor(features, runtime.device)  # fails before any long work
    paths = _select(images, exclude, out, least=2 if stream is None else MIN_IMAGES)
    chosen = [paths[index] for index in np.random.default_rng(seed).permutation(len(paths))[:count]]
    if peers.is_main:
        make_folder(out)
    numbers, verdict = list[MeasuredNumber](), None
    if stream is not None and extractor is not None:
        squares = read_squares(chosen, stream, predictor, peers)
        chosen = squares.paths
        numbers += measure_images(stream, squares, extractor, count, peers)
        numbers.append(_parts(stream, pairs, peers))
        truth = read_masks(images, squares)
        if truth is not None and predictor is not None:
            numbers.append(measure_masks(stream, squares, truth, peers))
    if predictor is not None:
        known = coverage_without_generator(predictor, model, images) if stream is None else Coverage(unknown=OTHER_FRAME)
        drawn, matched_seen = same_frame(predictor, stream, model), images_seen_of_matches(model)
        tasks: list[Callable[[], Any]] = [
            partial(judge_model, predictor, drawn, chosen, seed, rival, known, matched_seen),
            partial(measure_detector, predictor, chosen[:STEADY], seed),
            partial(measure_explained, predictor, chosen),
        ]
        verdict, steady, explained = peers.merged([task() for task in peers.share(tasks)])
        numbers += [*steady, *explained]
    settings: dict[str, Any] = {
        "generator": stream.hash if stream else None,
        "detector": predictor.hash if predictor else None,
        "images": str(images),
        "exclude": {path.name: file_hash(path) for path in exclude},
        "features": features if stream else None,
        "count": count,
        "pairs": pairs,
        "seed": seed,
    }
    if peers.is_main:
        write_measured(numbers, model, out, settings, verdict)
    return numbers


def _select(images: Path, exclude: tuple[Path, ...], out: Path, least: int) -> list[Path]:
    excluded = set(excluded_names(images, exclude))
    return [
        images / name for name in select_images(images, excluded, out, least=least, needs=f"measuring needs at least {least}")
    ]


def load_parts(model: Path, runtime: Runtime, seed: int) -> tuple[PairStream | None, Predictor | None]:
    """Load the generator and the detector of a model: a folder, a file or the name of a model that comes with the package.

    A part that the model does not have is None.

    Raises:
        InputError: the model has neither, or the two have different numbers of keypoints.
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


def measure_images(
    stream: PairStream, squares: Squares, extractor: Extractor, count: int, peers: Peers = ALONE
) -> list[MeasuredNumber]:
    """Measure distances between real images and three sets of generated images.

    The sets are `count` random images, `count` interpolated images, and images drawn with the keypoints of the real images.
    """
    images, size = squares.images, stream.size[0]
    real = _features(extractor, (images[at : at + BATCH] for at in peers.share(range(0, len(images), BATCH))), peers)
    starts = peers.share(range(0, count, DRAWN_AT_ONCE))
    generated = (batch for at in starts for batch in stream.batches(at, min(at + DRAWN_AT_ONCE, count)))
    drawn = _features(extractor, (batch.images for batch in generated), peers)
    few = "; fewer images than features: biased upwards" if min(len(real), count) <= real.shape[1] else ""
    sets = f"features: {extractor.name}; {count:,} generated, {len(real):,} real images of {size} px"
    note = sets + few
    distance, kernel = ("FID", "KID") if extractor.is_inception else ("Frechet distance", "kernel distance")
    floor, halves = _floor(real), f"; floor: one half of the real images against the other ({len(real) // 2:,} each)"
    mean, spread = kernel_distance(drawn, real)
    between = frechet_distance(_features(extractor, interpolated(stream, count, peers), peers), real)
    rows = [
        MeasuredNumber(name=distance, value=frechet_distance(drawn, real), floor=floor, note=note + halves),
        MeasuredNumber(name=f"{distance}, interpolated", value=between, floor=floor, note=note),
        MeasuredNumber(name=kernel, value=mean, spread=spread, note=sets),
    ]
    if squares.keypoints is not None:
        drawings = conditioned(stream, squares.keypoints, peers)
        redrawn = _features(extractor, (to_uint8(drawing.image) for drawing in drawings), peers)
        source = f"features: {extractor.name}; drawn with the keypoints detected in {len(real):,} real images"
        value = frechet_distance(redrawn, real)
        rows.insert(2, MeasuredNumber(name=f"{distance}, keypoints of real images", value=value, floor=floor, note=source))
    return rows


def _features(extractor: Extractor, blocks: Iterable[NDArray[np.uint8]], peers: Peers) -> NDArray[np.float32]:
    """Compute the features [images, features] of all processes' blocks of images. `blocks` are those of this process."""
    return np.concatenate(peers.merged([extractor([block]) for block in blocks]))


def _floor(real: NDArray[np.float32]) -> float | None:
    half = len(real) // 2
    return frechet_distance(real[:half], real[half : 2 * half]) if half >= 2 else None


def _parts(stream: PairStream, pairs: int, peers: Peers) -> MeasuredNumber:
    parts = disentangled(peers.merged([sums_of(maps) for maps in swap_maps(stream, pairs, peers)]))
    dead = f"dead parts: {', '.join(map(str, parts.dead))}" if parts.dead else "no dead part"
    return MeasuredNumber(name="CPD", value=parts.cpd, note=f"{pairs:,} pairs, {len(parts.change)} parts, {dead}")


def measure_masks(stream: PairStream, squares: Squares, truth: NDArray[np.bool_], peers: Peers = ALONE) -> MeasuredNumber:
    """Compare generated foreground masks with the true masks of real images, [images, size, size].

    The generator draws a mask for the keypoints that the detector finds in each real image.
    """
    assert squares.keypoints is not None
    drawings = conditioned(stream, squares.keypoints, peers)
    drawn = np.concatenate(peers.merged([(drawing.mask[:, 0] > 0.5).cpu().numpy() for drawing in drawings]))
    constant = np.broadcast_to(constant_mask(truth), truth.shape)
    source = "mask drawn for the keypoints detected in a real image, against its true mask; floor: one mask for all images"
    value, floor = (100 * float(intersection_over_union(masks, truth).mean()) for masks in (drawn, constant))
    return MeasuredNumber(name="mask IoU, %", value=value, floor=floor, note=f"{source}; {len(truth):,} images")


def measure_detector(predictor: Predictor, paths: list[Path], seed: int) -> list[MeasuredNumber]:
    """Measure the consistency of a detector's keypoints, without dropped ones, under affine maps and mirrors."""
    images = [image for _, image in readable(paths)]
    numbers = predictor.skeleton.numbers
    scores = consistency(predictor, images, seed, numbers)
    still = f"{len(images)} images; floor: keypoints that never move"
    first = "0, 1, ..." if numbers == tuple(range(predictor.keypoints)) else " ".join(map(str, numbers))
    order = " ".join(str(numbers[place]) for place in scores.order)
    return [
        MeasuredNumber(name="inconsistency under affine maps, %", value=scores.affine, floor=scores.affine_floor, note=still),
        MeasuredNumber(
            name="inconsistency under a mirror, %",
            value=scores.flip,
            floor=scores.flip_floor,
            note=f"{still}; in mirrored images, keypoints {first} match keypoints {order}",
        ),
    ]


def measure_explained(predictor: Predictor, paths: list[Path]) -> list[MeasuredNumber]:
    """Measure how much of the images' variation the keypoints explain; no rows if there are too few images."""
    if len(paths) < FEWEST_IMAGES:
        return []
    found = measure_information(predictor, paths)
    lost = ", ".join(f"{number}: {100 * share:.1f}" for number, share in found.lost.items())
    few = ", too few to tell" if found.explained < 0 else ""
    note = f"{found.images} grey images{few}; less without one keypoint: {lost}"
    return [
        MeasuredNumber(name="variation of images that keypoints explain, %", value=100 * found.explained, floor=0.0, note=note)
    ]
