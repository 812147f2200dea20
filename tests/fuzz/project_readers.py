"""What reads files of projects, studies, backbones and published data sets."""

from __future__ import annotations

from pathlib import Path

import torch

from benchmarks.ablations.config import AblationConfig
from benchmarks.datasets.loaders import load_dataset
from benchmarks.protocol.named import find_protocol
from kpdetect.config import read_config
from kpdetect.detector.backbone import create_backbone
from kpdetect.files.atomic import read_json
from kpdetect.inference.corrections import Corrections, corrected, read_corrections
from kpdetect.inference.formats.choice import write_formats
from kpdetect.project.config import ProjectConfig
from kpdetect.studio.answers import FOLDER, import_answers, read_answers, read_votes
from kpdetect.studio.project_room import _now
from kpdetect.studio.study import RECORD, read_questions, read_study
from kpdetect.studio.study_order import ORDERS
from kpdetect.studio.study_page import trial_of
from kpdetect.studio.tally import markdown, tally
from tests.fuzz.dataset_originals import protocol_of
from tests.fuzz.project_originals import BACKBONE, PERSON


def read_project(path: Path) -> None:
    if path.name == "progress.json":
        _now(path.parent)
    elif path.name == "questions.yaml":
        read_questions(path.read_bytes().decode("utf-8", errors="replace"), str(path))
    else:
        kind = ProjectConfig if path.stem == "project" else AblationConfig
        read_config(kind, path)


def read_checked(path: Path) -> None:
    """The corrections, put into predictions and written out again."""
    from tests.fuzz.originals import predictions

    found: Corrections = read_corrections(path.parent)
    whole = corrected(predictions(), found, "ab")
    write_formats(whole, ["coco", "label-studio", "dlc-csv"], path.parent / "out", 0.0)
    found.write(path.parent, {0: "eye"}, "ab")


def read_studies(path: Path) -> None:
    folder = path.parent.parent if path.parent.name == FOLDER else path.parent
    study = read_study(folder)
    if path.name == "saved.json":
        import_answers(folder, study, read_json(path), str(path))
        return
    read_answers(folder, PERSON)
    markdown(tally(read_votes(sorted((folder / FOLDER).glob("*.csv")), study.methods)))
    if path.name == RECORD:
        for order in range(ORDERS):
            trial_of(study, order)


def read_backbone(path: Path) -> None:
    network = create_backbone(BACKBONE, weights=path).eval()
    network(torch.zeros(1, 3, 32, 32))


def read_dataset(path: Path) -> None:
    parts = path.parts[path.parts.index("datasets") :]
    folder = path.parents[len(parts) - 3] if len(parts) > 2 else path.parent
    load_dataset(find_protocol(protocol_of(parts[1])), folder)


READERS = {
    "projects": read_project,
    "corrections": read_checked,
    "study": read_studies,
    "backbone": read_backbone,
    "datasets": read_dataset,
}
