"""The studio's Compare page: user studies are made, answered, exported, imported and tallied."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from threading import Lock
from typing import Any

from pydantic import Field
from starlette.responses import FileResponse, HTMLResponse, Response

from kpdetect.config import StrictConfig
from kpdetect.errors import InputError
from kpdetect.files.names import is_formula
from kpdetect.studio.answers import FOLDER, answers_file, import_answers, read_answers, read_votes, write_answers
from kpdetect.studio.documents import file_version, require_version
from kpdetect.studio.request import Call
from kpdetect.studio.study import PICTURES, QUESTIONS, RECORD, Study, make_study, read_questions, read_study, safe_name
from kpdetect.studio.study_order import order_number
from kpdetect.studio.study_page import study_page, trial_of
from kpdetect.studio.tally import markdown, tally
from kpdetect.studio.workplace import Workplace

STUDIES = "studies"


class NewStudy(StrictConfig):
    """A request to make a user study."""

    name: str
    """Name of the study."""
    sources: dict[str, int] = Field(min_length=2)
    """Index of the folder of each result, by the name of the result. The user's own method comes first."""
    seed: int = Field(1, ge=0)
    """Random seed for the choice of comparisons, their order, and their sides."""
    per_question: int = Field(5, ge=1, le=1000)
    """Number of comparisons for each question and each pair of results."""
    questions: str | None = None
    """Questions as YAML text. None means the four questions of the LatentKeypointGAN paper."""


class Answered(StrictConfig):
    """A participant's answers."""

    participant: str
    """Name of the participant."""
    version: str
    """Version of the participant's answers that the page read."""
    answers: dict[int, str]
    """Answers, by the position of the comparison in the participant's order."""


class CompareRoom:
    """Answers the requests of the Compare page about the user studies in the studio's folder."""

    def __init__(self, workplace: Workplace) -> None:
        self.workplace, self.lock = workplace, Lock()

    def describe(self, call: Call) -> dict[str, Any]:
        """List the folders that can be compared, and the existing studies."""
        root = self.workplace.out / STUDIES
        folders = sorted(path.parent for path in root.glob(f"*/{RECORD}")) if root.is_dir() else []
        return {
            "sources": [{"name": path.name, "folder": str(path)} for path in self._sources()],
            "studies": [self._summary(folder) for folder in folders],
            "questions": [question.model_dump(mode="json") for question in QUESTIONS],
        }

    def make(self, call: Call) -> dict[str, Any]:
        """Make a user study."""
        wanted, sources = call.body(NewStudy), self._sources()
        name = safe_name(wanted.name, "study")
        for number in wanted.sources.values():
            if not 0 <= number < len(sources):
                raise InputError(f"folder {number}: there are {len(sources)}")
        folders = {method.strip(): sources[number] for method, number in wanted.sources.items()}
        questions = QUESTIONS if wanted.questions is None else read_questions(wanted.questions, "questions")
        with self.lock:
            folder = self.workplace.new_file(f"{STUDIES}/{name}")
            make_study(folder, name, folders, questions, per_question=wanted.per_question, seed=wanted.seed)
        return self._summary(folder)

    def trial(self, call: Call) -> dict[str, Any]:
        """Return the comparisons that a participant sees, and the answers so far."""
        folder, study = self._study(call)
        participant = _participant(call.query.get("participant", ""))
        answers = read_answers(folder, participant)
        return {
            "study": study.name,
            "participant": participant,
            "questions": [question.model_dump(mode="json") for question in study.questions],
            "order": trial_of(study, order_number(participant)),
            "answers": answers,
            "version": file_version(answers_file(folder, participant)),
        }

    def answer(self, call: Call) -> dict[str, Any]:
        """Save a participant's answers."""
        folder, study = self._study(call)
        given = call.body(Answered)
        participant = _participant(given.participant)
        with self.lock:
            path = answers_file(folder, participant)
            require_version(f"{path.name}", given.version, file_version(path))
            write_answers(folder, study, participant, given.answers)
            return {"version": file_version(path), "file": str(path)}

    def picture(self, call: Call) -> Response:
        """Return a picture of a study."""
        folder, _ = self._study(call)
        path = (folder / PICTURES / str(call.path["file"])).resolve()
        if (folder / PICTURES).resolve() not in path.parents or not path.is_file():
            raise InputError(f"{call.path['file']}: no such picture")
        return FileResponse(path, media_type="image/png")

    def tally(self, call: Call) -> dict[str, Any]:
        """Return the table of all answers so far."""
        folder, study = self._study(call)
        lines = tally(read_votes(sorted((folder / FOLDER).glob("*.csv")), study.methods))
        return {"lines": [asdict(line) for line in lines], "markdown": markdown(lines)}

    def page(self, call: Call) -> Response:
        """Return the study as one HTML file, for participants elsewhere."""
        folder, study = self._study(call)
        headers = {"Content-Disposition": f'attachment; filename="{folder.name}.html"'}
        return HTMLResponse(study_page(folder, study), headers=headers)

    def take(self, call: Call) -> dict[str, Any]:
        """Import the answers that an exported page saved."""
        folder, study = self._study(call)
        with self.lock:
            participant = import_answers(folder, study, call.json(), "this file")
        return {"participant": participant}

    def _sources(self) -> list[Path]:
        """List the folders given with --compare, then folders of results in the opened and in the studio's folder."""
        starts = [self.workplace.folder, self.workplace.out, *self.workplace.predictions]
        found = [path.parent for start in starts if start is not None for path in sorted(start.glob("*/edits.json"))]
        found += [path for path in self.workplace.predictions if (path / "overlays").is_dir()]
        return list(dict.fromkeys([*self.workplace.compared, *found]))

    def _study(self, call: Call) -> tuple[Path, Study]:
        folder = self.workplace.target_for(f"{STUDIES}/{safe_name(str(call.path['study']), 'study')}")
        return folder, read_study(folder)

    def _summary(self, folder: Path) -> dict[str, Any]:
        study = read_study(folder)
        people = {
            path.stem: len(path.read_text(encoding="utf-8").splitlines()) - 1
            for path in sorted((folder / FOLDER).glob("*.csv"))
        }
        return {
            "name": folder.name,
            "folder": str(folder),
            "seed": study.seed,
            "methods": list(study.methods),
            "questions": [question.name for question in study.questions],
            "items": len(study.items),
            "participants": people,
        }


def _participant(text: str) -> str:
    name = " ".join(text.split())
    safe_name(name, "participant")
    if is_formula(name):
        raise InputError(f"participant '{name}': begins like a formula of a spreadsheet; begin with a letter or digit")
    return name
