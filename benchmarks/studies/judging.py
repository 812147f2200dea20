"""The verdict on a model, from the images of a folder, written to `verdict.json`.

PROJECT/verdict.json   the verdict on a project of `kpdetect run`, from its training images
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from benchmarks.studies.evidence import UNKNOWN, Coverage, coverage_of, gather_evidence
from benchmarks.studies.verdict import CAUTION, NAME, Verdict, judge_keypoints, read_verdict, with_choice, write_verdict
from generator.stream import PairStream
from kpdetect.discovery.object_masks import ObjectMasks
from kpdetect.errors import CheckpointError, FormatError
from kpdetect.files.hashes import file_hash
from kpdetect.inference.labels import labels_of
from kpdetect.inference.prediction_record import RECORD, read_prediction_head
from kpdetect.inference.predictions import Predictions
from kpdetect.inference.predictor import Predictor
from kpdetect.training.checkpoints import WEIGHTS, detector_stages, find_weights, is_detector_stage, read_detector_description
from kpdetect.training.runtime import Runtime
from kpdetect.training.stage_choice import current_choice


def judge_model(
    predictor: Predictor,
    stream: PairStream | None,
    paths: Sequence[Path],
    seed: int = 0,
    other: Predictor | None = None,
    coverage: Coverage = UNKNOWN,
    matched_seen: int | None = None,
) -> Verdict:
    """Gather evidence on a detector and judge its keypoints.

    Args:
        predictor: the detector.
        stream: the generator that the detector learned from, with the same crop; None without a generator.
        paths: image files, of which at most `benchmarks.studies.evidence.IMAGES` are used.
        seed: seed of the rotations, scales and shifts.
        other: another detector to compare with.
        coverage: coverage of the object as it is known without a generator.
        matched_seen: see `images_seen_of_matches`.

    Raises:
        InputError: fewer than two images can be read; with another detector fewer than eight.
    """
    evidence = gather_evidence(predictor, stream, list(paths), seed, other, coverage)
    return judge_keypoints(
        evidence,
        detector=predictor.hash,
        generator=None if stream is None else stream.hash,
        other=None if other is None else other.hash,
        images_seen=_images_seen(predictor, stream),
        matched_seen=matched_seen,
    )


def same_frame(predictor: Predictor, stream: PairStream | None, model: Path) -> PairStream | None:
    """Return the generator if it draws objects as large as the detector sees them in photos; else None.

    They do if both belong to one project, or if the detector learned from the generator's pairs.
    """
    if stream is None:
        return None
    learned = (predictor.description.provenance or {}).get("generator") == stream.hash
    return stream if learned or (model / "generator").is_dir() else None


def coverage_without_generator(predictor: Predictor, model: Path, images: Path) -> Coverage:
    """Measure how much of the object has keypoints, with the masks of a project that found the object without a generator.

    It is unknown for another model, and for images that are not those of the project.

    Raises:
        FormatError: a file of the project is damaged.
    """
    record = model / "predictions" / RECORD
    source = read_prediction_head(record.parent).source if record.is_file() else None
    if source is None or Path(source).resolve() != images.resolve():
        return UNKNOWN
    return _coverage_by_masks(predictor, model, images)


def _coverage_by_masks(predictor: Predictor, project: Path, images: Path) -> Coverage:
    objects = ObjectMasks.read(project / "correspondence")
    return UNKNOWN if objects is None else coverage_of(predictor, objects, images)


def images_seen_of_matches(model: Path) -> int | None:
    """Return how many images the first detector of a project saw if it learned from matches. None if not, or if it is damaged.

    Args:
        model: a project, the folder of one of its detectors, or a weights file in such a folder.
    """
    folder = model.parent if model.is_file() else model
    project = folder.parent if is_detector_stage(folder) else folder
    try:
        told = read_detector_description(project / detector_stages(project)[0] / WEIGHTS)
    except CheckpointError:
        return None
    return told.images_seen if "discovery" in (told.provenance or {}) else None


def judge_project(project: Path, images: Path | None, runtime: Runtime, *, store: bool = True) -> Verdict | None:
    """Judge the chosen detector of a project, or return the verdict of an earlier call on the same weights.

    Args:
        project: folder of `kpdetect run`.
        images: folder of the images that the project's predictions name; None if the folder no longer exists.
        runtime: device and precision.
        store: write `verdict.json` into the project.

    Returns:
        The verdict; an earlier one in the words of this version. None without a detector, or if the images no longer exist
        and no earlier verdict is current.

    Raises:
        InputError: fewer than two images can be read.
        CheckpointError: damaged weights.
        OutputError: the project cannot be written.
    """
    try:
        weights = find_weights(project, "detector")
    except CheckpointError:
        return None
    numbers = labels_of(weights).skeleton(read_detector_description(weights).keypoints).numbers
    wanted = file_hash(weights), _generator_hash(project), numbers
    known = known_verdict(project)
    choice = current_choice(project, {stage: project / stage / WEIGHTS for stage in detector_stages(project)})
    if known is not None and (known.detector, known.generator, tuple(point.number for point in known.keypoints)) == wanted:
        verdict = with_choice(known.model_copy(update={"matched_seen": images_seen_of_matches(project)}), choice)
        if verdict != known and store:
            write_verdict(verdict, project / NAME)
        return verdict
    if known is not None and store:  # a verdict on other weights is wrong, even if no new one can be made
        (project / NAME).unlink(missing_ok=True)
    if images is None:
        return None
    stream = None if wanted[1] is None else PairStream(project / "generator", runtime)
    names = Predictions.read(project / "predictions").images
    predictor = Predictor.load(project, runtime.device.type)
    coverage = _coverage_by_masks(predictor, project, images) if stream is None else UNKNOWN
    paths, matched_seen = [images / name for name in names], images_seen_of_matches(project)
    judged = judge_model(predictor, stream, paths, coverage=coverage, matched_seen=matched_seen)
    verdict = with_choice(judged, choice)
    if store:
        write_verdict(verdict, project / NAME)
    return verdict


def known_verdict(folder: Path) -> Verdict | None:
    """Read the verdict in a folder; return None if no verdict can be read."""
    try:
        return read_verdict(folder / NAME) if (folder / NAME).is_file() else None
    except FormatError:
        return None  # the caller judges the model again


def describe_verdict(folder: Path) -> str:
    """Describe the verdict in a folder, one sentence per line, with a caution at the end; empty without a verdict."""
    verdict = known_verdict(folder)
    return "" if verdict is None else "\n".join(["verdict:", *(f"  {sentence}" for sentence in (*verdict.sentences, CAUTION))])


def _generator_hash(project: Path) -> str | None:
    weights = project / "generator" / WEIGHTS
    return file_hash(weights) if weights.is_file() else None


def _images_seen(predictor: Predictor, stream: PairStream | None) -> int | None:
    if stream is not None:
        return stream.description.images_seen
    seen = (predictor.description.provenance or {}).get("training", {}).get("images_seen")
    return None if seen is None else int(seen)
