"""A model's verdict: the images of a folder are looked at, and `verdict.json` is written.

PROJECT/verdict.json   of a project of `kpdetect run`, on the images that it was trained on
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from benchmarks.studies.evidence import gather_evidence
from benchmarks.studies.verdict import CAUTION, NAME, Verdict, judge_keypoints, read_verdict, write_verdict
from generator.stream import PairStream
from kpdetect.errors import CheckpointError, FormatError
from kpdetect.files.hashes import file_hash
from kpdetect.inference.labels import labels_of
from kpdetect.inference.predictions import Predictions
from kpdetect.inference.predictor import Predictor
from kpdetect.training.checkpoints import WEIGHTS, find_weights, read_description
from kpdetect.training.runtime import Runtime


def judge_model(
    predictor: Predictor, stream: PairStream | None, paths: Sequence[Path], seed: int = 0, other: Predictor | None = None
) -> Verdict:
    """The verdict on a detector.

    Args:
        predictor: the detector.
        stream: the generator whose keypoints it finds, in the same frame; None if there is none.
        paths: image files, of which at most `benchmarks.studies.evidence.IMAGES` are looked at.
        seed: of the views and of what is drawn.
        other: another detector to compare with.

    Raises:
        InputError: fewer than two images can be read; with another detector fewer than eight.
    """
    evidence = gather_evidence(predictor, stream, list(paths), seed, other)
    return judge_keypoints(
        evidence,
        detector=predictor.hash,
        generator=None if stream is None else stream.hash,
        other=None if other is None else other.hash,
        images_seen=_images_seen(predictor, stream),
    )


def same_frame(predictor: Predictor, stream: PairStream | None, model: Path) -> PairStream | None:
    """The generator, if it draws objects as large as the detector sees them: in one project, or where the detector learned from
    its pairs."""
    if stream is None:
        return None
    learned = predictor.description.get("provenance", {}).get("generator") == stream.hash
    return stream if learned or (model / "generator").is_dir() else None


def judge_project(project: Path, images: Path | None, runtime: Runtime) -> Verdict | None:
    """The verdict on the last detector of a project; that of an earlier call is taken where its weights are the same.

    Args:
        project: folder of `kpdetect run`; gets `verdict.json`.
        images: folder of the images that its predictions name; None if it is gone.
        runtime: where to compute.

    Returns:
        None where there is no detector, or the images are gone and nothing is known from before.

    Raises:
        InputError: fewer than two images can be read.
        CheckpointError: damaged weights.
        OutputError: the project cannot be written.
    """
    try:
        weights = find_weights(project, "detector")
    except CheckpointError:
        return None
    numbers = labels_of(weights).skeleton(int(read_description(weights)["keypoints"])).numbers
    wanted = file_hash(weights), _generator_hash(project), numbers
    known = known_verdict(project)
    if known is not None and (known.detector, known.generator, tuple(each.number for each in known.keypoints)) == wanted:
        return known
    if known is not None:  # of other weights: wrong from now on, whether or not there is a new one
        (project / NAME).unlink(missing_ok=True)
    if images is None:
        return None
    stream = None if wanted[1] is None else PairStream(project / "generator", runtime)
    names = Predictions.read(project / "predictions").images
    verdict = judge_model(Predictor.load(project, runtime.device.type), stream, [images / name for name in names])
    write_verdict(verdict, project / NAME)
    return verdict


def known_verdict(folder: Path) -> Verdict | None:
    """The verdict in a folder; None where there is none that can be read."""
    try:
        return read_verdict(folder / NAME) if (folder / NAME).is_file() else None
    except FormatError:
        return None  # made anew


def describe_verdict(folder: Path) -> str:
    """The verdict in a folder, a sentence a line, with a caution; empty where there is none."""
    verdict = known_verdict(folder)
    return "" if verdict is None else "\n".join(["verdict:", *(f"  {each}" for each in (*verdict.sentences, CAUTION))])


def _generator_hash(project: Path) -> str | None:
    weights = project / "generator" / WEIGHTS
    return file_hash(weights) if weights.is_file() else None


def _images_seen(predictor: Predictor, stream: PairStream | None) -> int | None:
    training = predictor.description.get("provenance", {}).get("training", {})
    seen = training.get("images_seen") if stream is None else stream.description.get("images_seen")
    return None if seen is None else int(seen)
