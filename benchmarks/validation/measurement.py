"""The evidence without labels and the true errors of one line of the table."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.datasets.annotation_formats import read_annotations
from benchmarks.datasets.group_table import read_groups
from benchmarks.datasets.landmarks import sizes_that_fit
from benchmarks.datasets.own_table import with_files
from benchmarks.metrics.keypoint_information import explained_share, image_components
from benchmarks.metrics.keypoint_quality import PERCENT
from benchmarks.studies.evidence import IMAGES, Evidence, gather_evidence, same_scale
from benchmarks.studies.verdict import Verdict, judge_keypoints
from benchmarks.validation.case import Case
from benchmarks.validation.truth import measure_truth
from kpdetect.data.even_spacing import evenly_spaced
from kpdetect.data.name_lists import listed_names
from kpdetect.errors import InputError
from kpdetect.files.atomic import read_json, write_json
from kpdetect.files.hashes import bytes_hash, file_hash
from kpdetect.files.reading import reading
from kpdetect.images.image_files import list_images, readable
from kpdetect.inference.predictor import Predictor
from kpdetect.training.run_folder import code_commit

SCHEMA = "kpdetect-validation-2"
SIDE = 32
"""Side of the grey images whose variation the keypoints explain."""
Measured = dict[str, Any]
"""`category`, `detector`, `share` (the truth), one number per kind of evidence, and `keypoints`, a list of the same."""


def measure_case(case: Case, cache: Path, annotated: int) -> Measured:
    """Measure a line of the table, or read the measurement of an earlier call.

    An earlier measurement is read only if the contents of its files, the kept keypoints and the code are unchanged. Code with
    uncommitted changes, or outside of a git checkout, measures again.

    Args:
        case: the line.
        cache: folder of earlier measurements.
        annotated: largest number of annotated images that are used, evenly spread.

    Raises:
        KpdetectError: a detector, a file or an image of the line cannot be used.
    """
    predictor = Predictor.load(Path(case.detector), "cpu")
    commit = code_commit()
    key = {
        "schema": SCHEMA,
        **asdict(case),
        "weights": predictor.hash,
        "kept": list(predictor.skeleton.numbers),
        "annotated_images": annotated,
        "contents": {str(path): _content(path) for path in case.files},
        "commit": commit,
    }
    if commit.endswith("+") or commit == "unknown":
        return _measure(case, predictor, annotated)
    path = cache / f"{bytes_hash(json.dumps(key, sort_keys=True).encode())}.json"
    if path.is_file() and (known := read_json(path)).get("key") == key:
        return dict(known["measured"])
    measured = _measure(case, predictor, annotated)
    write_json(path, {"key": key, "measured": measured})
    return measured


def _content(path: Path) -> str:
    with reading(path):
        return file_hash(path)


def _measure(case: Case, predictor: Predictor, annotated: int) -> Measured:
    paths = _spread(list_images(Path(case.images)), IMAGES)
    evidence = gather_evidence(predictor, None, paths)
    verdict = judge_keypoints(evidence, detector=predictor.hash)
    images = [image for _, image in readable(paths)]
    found, confidence = predictor(images)
    keypoints = same_scale(np.asarray(found, np.float64), images)[:, list(evidence.numbers)]
    grey = np.stack([cv2.resize(image, (SIDE, SIDE), interpolation=cv2.INTER_AREA).mean(axis=2) for image in images])
    names, landmarks, groups = _annotated(case, annotated)
    shown = [image for _, image in readable([case.folder / name for name in names])]
    if len(shown) != len(names):
        raise InputError(f"{case.folder}: annotated images cannot be read; remove them from the annotations")
    predicted = same_scale(np.asarray(predictor(shown)[0], np.float64), shown)[:, list(evidence.numbers)]
    truth = measure_truth(PERCENT * predicted, PERCENT * same_scale(landmarks, shown), groups)
    whole = {
        **_evidence_numbers(evidence, verdict),
        "confidence": float(confidence[:, list(evidence.numbers)].mean()),
        "images explained": explained_share(keypoints, image_components(grey, 20)),
        "joint movements in bits": _bits(keypoints, evidence),
    }
    sure = confidence.mean(axis=0)[list(evidence.numbers)]
    points = [
        {
            "number": point.number,
            "state": point.state,
            "unexplained": float(truth.unexplained[place]),
            "noise": float(evidence.noise[place]),
            "view error": float(evidence.view_error[place]),
            "motion": float(evidence.motion[place]),
            "confidence": float(sure[place]),
        }
        for place, point in enumerate(verdict.keypoints)
    ]
    return {"category": case.category, "detector": case.label, "share": truth.share, **whole, "keypoints": points}


def _evidence_numbers(evidence: Evidence, verdict: Verdict) -> dict[str, float]:
    """Return one number per kind of evidence; all are about the keypoints together."""
    near = evidence.neighbours
    useful = [
        0.0 if place in evidence.duplicates or error > 0.6 or moves < 0.5 else 1 - float(error)
        for place, (error, moves) in enumerate(zip(evidence.view_error, evidence.motion, strict=True))
    ]
    return {
        "score": verdict.score,
        "movements": verdict.movements,
        "earlier score": float(np.mean(useful)),
        "noise": float(evidence.noise.mean()),
        "median noise": float(np.median(evidence.noise)),
        "view error": float(evidence.view_error.mean()),
        "mirror error": float(evidence.mirror_error.mean()),
        "motion": float(evidence.motion.mean()),
        "duplicates": float(len(evidence.duplicates)),
        "distance to the nearest": float(near.distance.mean()) if len(near.distance) > 1 else 0.0,
        "motion shared with the nearest": float(near.shared.mean()),
    }


def _bits(keypoints: NDArray[np.float64], evidence: Evidence) -> float:
    """Measure the information of keypoints about the pose: mean of log2(1 + power / noise) over independent movements."""
    noise = np.fmax(evidence.noise * evidence.motion / np.sqrt(2), 0.05)
    relative = (PERCENT * (keypoints - keypoints.mean(axis=0)) / noise[:, None]).reshape(len(keypoints), -1)
    power = np.linalg.eigvalsh(relative.T @ relative / len(relative))
    return float(np.log2(1 + np.maximum(power, 0.0)).mean())


def _spread(paths: list[Path], count: int) -> list[Path]:
    return [paths[number] for number in evenly_spaced(len(paths), count)]


def _annotated(case: Case, count: int) -> tuple[list[str], NDArray[np.float64], NDArray[np.int64]]:
    """Read at most `count` annotated images: their names, landmarks in pixels [images, landmarks, 2], and groups [images]."""
    table = with_files(read_annotations(Path(case.annotations)), case.folder)
    rows = np.arange(len(table.images))
    if case.list:
        place = {name: row for row, name in enumerate(table.images)}
        names = listed_names(Path(case.list), table.images, "list", case.annotations)
        rows = np.array(sorted(place[name] for name in names), np.int64)
    rows = rows[~np.isnan(table.points_px[rows]).all(axis=(1, 2))]
    rows = rows[evenly_spaced(len(rows), count)]
    used = table.rows(rows)
    sizes_that_fit(used, case.folder, np.arange(len(rows)))
    groups = read_groups(*case.group_column, used.images) if case.groups else np.arange(len(rows))
    return used.images, used.points_px, groups
