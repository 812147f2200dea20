"""A small right file of every kind that belongs to projects, studies and backbones."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import save_file

from benchmarks.ablations.config import AblationConfig
from kpdetect.config import write_config
from kpdetect.detector.backbone import create_backbone
from kpdetect.files.atomic import write_json
from kpdetect.inference.corrections import Checked, Corrections
from kpdetect.project.config import project_config
from kpdetect.studio.answers import write_answers
from kpdetect.studio.study import QUESTIONS, RECORD, Item, Study

BACKBONE = "test_resnet.r160_in1k".partition(".")[0]
"""A network of timm that is small."""
PERSON = "Ann"


def make_projects(folder: Path) -> None:
    write_config(project_config("tiny", 64, 3, "centre", 0, "gan", False, "tuned", 0), folder / "project.yaml")
    write_config(AblationConfig(images="i", minutes_each=1.0), folder / "ablation.yaml")
    write_json(folder / "progress.json", {"unit": "steps", "done": 3, "total": 9, "rate": 1.5, "time": 1e9})
    (folder / "questions.yaml").write_text("- name: Quality\n  text: Which looks better?\n  shows: [before, images]\n")


def make_corrections(folder: Path) -> None:
    points = {0: Checked(at_px=(1.5, 2.25), by="moved", model="ab"), 2: Checked(at_px=None, by="hidden", model="ab")}
    other = Checked(at_px=(3, 4), by="kept", model="cd")
    Corrections(images={"a.png": points, "b/c.png": {0: other}}).write(folder, {0: "eye"}, "ab")


def make_study(folder: Path) -> None:
    items = tuple(Item(question=0, name=f"{number}.png", methods=(0, 1)) for number in range(3))
    files = {f"{method}/images/{item.name}": f"{method}/{item.name}" for method in "ab" for item in items}
    study = Study(name="s", methods=("a", "b"), questions=QUESTIONS[:1], items=items, files=files)
    write_json(folder / RECORD, study.model_dump(mode="json"))
    write_answers(folder, study, PERSON, {0: "left", 1: "equal"})
    write_json(folder / "saved.json", {"study": "s", "seed": 1, "participant": "Bob", "answers": {"0": "left", "2": "right"}})


def make_backbone(folder: Path) -> None:
    torch.manual_seed(0)
    state = create_backbone(BACKBONE).state_dict()
    save_file(state, folder / "backbone.safetensors")
    torch.save(state, folder / "backbone.pth")


MAKERS = {
    "projects": make_projects,
    "corrections": make_corrections,
    "study": make_study,
    "backbone": make_backbone,
}
