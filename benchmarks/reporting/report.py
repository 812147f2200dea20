"""One self-contained HTML page about a project, results, or both: numbers, pictures and curves.

The page has no section for a part that is missing.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Any

from benchmarks.evaluation.results import read_result
from benchmarks.reporting.charts import chosen_sheets, curves, motion_section, picture
from benchmarks.reporting.gallery import gallery
from benchmarks.reporting.results import result_sections
from benchmarks.studies.judging import judge_project
from benchmarks.studies.keypoint_choice import NAME, read_choice
from benchmarks.studies.verdict import CAUTION
from benchmarks.tables.table_files import RESULTS
from kpdetect.data.even_spacing import evenly_spaced
from kpdetect.errors import FormatError, InputError
from kpdetect.files.archives.members import exists
from kpdetect.files.archives.opening import is_archive, reopened
from kpdetect.files.atomic import read_json, write_text
from kpdetect.files.hashes import file_hash
from kpdetect.files.names import as_path
from kpdetect.files.reading import reading
from kpdetect.images.image_files import read_image, readable
from kpdetect.inference.prediction_record import RECORD, read_prediction_head
from kpdetect.inference.predictions import TABLE, Predictions
from kpdetect.messages import log
from kpdetect.training.checkpoints import REFINED, WEIGHTS, detector_stages, round_number
from kpdetect.training.pretrained import pretrained_sentence
from kpdetect.training.run_folder import hardware_line, read_metrics
from kpdetect.training.runtime import resolve_runtime
from kpdetect.training.stage_choice import sentence_start, stage_title

SHOWN = 24
"""Number of input images with predictions on the page."""


def write_report(
    project: Path | str | None = None,
    out: Path | str | None = None,
    results: Sequence[Path | str] | None = None,
    *,
    images: Path | str | None = None,
    allow_contaminated: bool = False,
) -> Path:
    """Write one HTML page about a project, benchmark results, or both.

    Args:
        project: folder of `kpdetect run`, even if parts of it are missing; None for a page about results alone.
        out: path of the HTML file (.html or .htm), or a folder, which then gets `index.html`; by default
            PROJECT/report/index.html. Outside of the project, the page shows the verdict without storing it in the project.
        results: result files of `kpdetect benchmark`, or folders of result files; by default the results in the project's
            folder `results` that belong to its current weights.
        images: folder of the predicted images; by default the folder that the predictions name.
        allow_contaminated: whether to show results of models that were trained on test images; they have a warning.

    Returns:
        Path of the page.

    Raises:
        InputError: there is neither a project nor results, a folder is not a project, or a result is contaminated and not
            allowed.
        FormatError: a result or a predictions file is damaged.
        OutputError: the page cannot be written.
    """
    from jinja2 import Environment, StrictUndefined

    project, images = as_path(project), as_path(images)
    if project is None and (out is None or not results):
        raise InputError("report: there is nothing to show; give a project folder, or `results` and `out`")
    shown = [Path(path) for path in results or []]
    if project is not None:
        _require_project(project)
        shown = project_results(project) if results is None else shown
    target = (project or Path()) / "report" if out is None else Path(out)
    path = target if target.suffix.lower() in (".html", ".htm") else target / "index.html"
    store = project is not None and project.resolve() in path.resolve().parents
    template = resources.files("benchmarks.reporting").joinpath("report.html.j2").read_text(encoding="utf-8")
    page = Environment(autoescape=True, undefined=StrictUndefined).from_string(template)
    text = page.render(
        name="Benchmark results" if project is None else project.resolve().name,
        is_project=project is not None,
        results=result_sections(shown, allow_contaminated=allow_contaminated),
        verdict=None if project is None else _verdict(project, images, store=store),
        gallery=None if project is None else _gallery(project, images),
        sections=[] if project is None else _shown(_samples_section(project), *_motion_sections(project)),
        curves=[] if project is None else _shown(*(_curves_section(project, stage) for stage in _trained(project))),
        how="" if project is None else f"{_how(project)} {pretrained_sentence(project)}".strip(),
        footer="" if project is None else _footer(project),
    )
    write_text(path, text)
    return path


def _require_project(project: Path) -> None:
    if not project.is_dir():
        raise InputError(f"{project}: no such folder; give a project folder of `kpdetect run`")
    if not any((project / part).is_dir() for part in (*_trained(project), "predictions", "results")):
        raise InputError(f"{project}: no generator, detector, predictions or results; give a project folder of `kpdetect run`")


def project_results(project: Path) -> list[Path]:
    """List the results of a project's current weights; log and leave out outdated results."""
    candidates = [project / stage / WEIGHTS for stage in detector_stages(project)]
    hashes = {file_hash(path) for path in candidates if path.is_file()}
    paths = []
    for path in sorted((project / "results").glob(RESULTS)):
        try:
            model = read_result(path).model
        except FormatError as error:
            log.info(f"left out of the report: {error}")
            continue
        if model is None or model["hash"] in hashes:
            paths.append(path)
        else:
            fault = f"{path}: the weights {model['hash']} are no longer in this project; run the benchmark again"
            log.info(f"left out of the report: {fault}")
    return paths


def _verdict(project: Path, images: Path | None, *, store: bool) -> dict[str, Any] | None:
    """Return the verdict for the template; None without a verdict. `store`: write it into the project."""
    if images is None and not (project / "predictions" / RECORD).exists():
        log.info("no verdict: the project has no predictions of its images; `kpdetect run` with the same images makes them")
        return None
    try:
        images = images or _input_folder(project / "predictions")
        verdict = judge_project(project, images, resolve_runtime("auto"), store=store)
    except InputError as error:
        log.info(f"no verdict: {error}")
        return None
    if verdict is None:
        return None
    stages = [{"title": sentence_start(stage_title(each.stage)), **each.model_dump()} for each in verdict.stages]
    kept = read_choice(project / NAME)
    current = kept is not None and (kept.detector, kept.kept) == (verdict.detector, tuple(p.number for p in verdict.keypoints))
    return {**dict(verdict), "caution": CAUTION, "stages": stages, "kept": kept.reason if kept and current else ""}


def _how(project: Path) -> str:
    """Say how the keypoints were learned, which depends on the method."""
    refined = " and, unless this stage was switched off, from the input images themselves"
    if (project / "correspondence").is_dir():
        return (
            "Features of a network trained on ImageNet were grouped into clusters, and the clusters were matched across the "
            f"input images, without any labels. A detector learned from these matches{refined}."
        )
    if (project / "generator").is_dir():
        return (
            "A generator learned, without any labels, to draw images like those of the input folder from a few keypoints. It "
            f"then drew pairs of images and keypoints. A detector learned from these pairs{refined}."
        )
    return "A detector learned, without any labels, keypoints from which the input images can be reconstructed."


def _shown(*sections: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the sections that have pictures."""
    return [section for section in sections if section["pictures"]]


def _gallery(project: Path, images: Path | None) -> dict[str, Any] | None:
    """Return the section of input images with their keypoints; None without predictions or images."""
    if (predictions := _predictions(project)) is None:
        return None
    source = images or _input_folder(project / "predictions")
    chosen = evenly_spaced(len(predictions.images), SHOWN)
    source = source if source is not None and reopened(source, predictions.images[0]) else None
    found = {source / predictions.images[row]: predictions.keypoints_px[row] for row in chosen} if source else {}
    there = readable(path for path in found if exists(path))
    shown = [(image, found[path]) for path, image in there]
    return gallery(shown, predictions.points) if shown else None


def _motion_sections(project: Path) -> list[dict[str, Any]]:
    predictions = _predictions(project)
    return [] if predictions is None else [motion_section(predictions, "the input images")]


def _predictions(project: Path) -> Predictions | None:
    folder = project / "predictions"
    return Predictions.read(folder) if (folder / TABLE).exists() else None


def _input_folder(folder: Path) -> Path | None:
    source = read_prediction_head(folder).source
    return Path(source) if source is not None and (Path(source).is_dir() or is_archive(Path(source))) else None


def _samples_section(project: Path) -> dict[str, Any]:
    sheets = chosen_sheets(project / "generator" / "samples")
    steps = ", ".join(f"{int(sheet.stem):,}" if sheet.stem.isdigit() else sheet.stem for sheet in reversed(sheets))
    if not sheets and (matched := project / "correspondence" / "sheet.png").exists():
        text = "A detector was trained on these matches. They come from clusters of ImageNet features, without a generator."
        return {"title": "Matched ImageNet features", "text": text, "pictures": [picture(read_image(matched), longest=1200)]}
    return {
        "title": "Images of the generator",
        "text": f"Random images from the training, the newest first (at step {steps}). Rows of each picture, from the top: "
        "images, their keypoints, the mask of the object, the object alone, the background alone.",
        "pictures": [picture(read_image(sheet), longest=1200) for sheet in reversed(sheets)],
    }


def _trained(project: Path) -> list[str]:
    return ["generator", *detector_stages(project)]


def _curves_section(project: Path, stage: str) -> dict[str, Any]:
    metrics = project / stage / "metrics.jsonl"
    with reading(metrics):
        drawn = curves(read_metrics(metrics))
    title = "Training on the real images" if stage == REFINED else f"Training of the {stage}"
    if (number := round_number(stage)) is not None:
        title = f"Round {number} of self-training"
    return {
        "title": title,
        "text": "Each panel shows one logged number over the training step.",
        "pictures": [drawn] if drawn else [],
    }


def _footer(project: Path) -> str:
    parts = []
    if (project / "orientation.json").exists():
        parts.append(str(read_json(project / "orientation.json").get("text", "")))
    for stage in _trained(project):
        try:
            record = read_json(project / stage / "environment.json")
        except InputError:
            continue
        made = f"commit {record.get('commit', 'unknown')}, begun {record.get('time', 'at an unknown time')}"
        parts.append(", ".join(filter(None, (f"{stage}: {made}", hardware_line(record.get("hardware", {}))))))
    return "; ".join(parts)
