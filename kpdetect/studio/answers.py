"""The answers of a user study's participants: `answers/NAME.csv` in the study's folder, written again after every answer.

Columns: study, seed, participant, number (position of the comparison in the participant's order), question, item (file name of
the pictures), left and right (names of the results shown there), answer (`left`, `right` or `equal`), and preferred (the name
of the preferred result, or `equal`)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from kpdetect.errors import FormatError, InputError
from kpdetect.files.atomic import replacing
from kpdetect.files.names import from_cell
from kpdetect.files.reading import reading
from kpdetect.files.tables import read_table, without_formulas
from kpdetect.studio.study import Study, safe_name
from kpdetect.studio.study_order import order_number, shown_order

FOLDER = "answers"
COLUMNS = ["study", "seed", "participant", "number", "question", "item", "left", "right", "answer", "preferred"]
CHOICES = ("left", "right", "equal")
EQUAL = "equal"
LONGEST_NUMBER = 10
"""A comparison's position with this many digits or more is refused."""


@dataclass(frozen=True, kw_only=True)
class Vote:
    """One answer of a participant.

    Attributes:
        participant: name of the participant.
        question: name of the question.
        methods: names of the two compared results, in the order of the study.
        preferred: name of the preferred result, or `equal`.
    """

    participant: str
    question: str
    methods: tuple[str, str]
    preferred: str


def answers_file(folder: Path, participant: str) -> Path:
    """Return the path of a participant's answers."""
    return folder / FOLDER / f"{safe_name(participant, 'participant')}.csv"


def read_answers(folder: Path, participant: str) -> dict[int, str]:
    """Read a participant's answers so far.

    Returns:
        `left`, `right` or `equal`, by the position of the comparison in the participant's order.

    Raises:
        FormatError: the file is damaged, or belongs to another participant.
    """
    path = answers_file(folder, participant)
    if not path.is_file():
        return {}
    table = _read(path)
    if set(table["participant"]) - {participant}:
        raise FormatError(f"{path}: holds answers of {table['participant'][0]}; choose another name")
    return {int(number): str(answer) for number, answer in zip(table["number"], table["answer"], strict=True)}


def write_answers(folder: Path, study: Study, participant: str, answers: Mapping[int, str]) -> Path:
    """Write all answers of a participant.

    Raises:
        InputError: an answer belongs to no comparison, or is not one of `CHOICES`.
        OutputError: the folder cannot be written.
    """
    order = shown_order(study, order_number(participant))
    rows = []
    for number, answer in sorted(answers.items()):
        if not 0 <= number < len(order) or answer not in CHOICES:
            raise InputError(f"answer {answer} to comparison {number}: expected {', '.join(CHOICES)} to 0 to {len(order) - 1}")
        shown = order[number]
        item, left, right = study.items[shown.item], study.methods[shown.left], study.methods[shown.right]
        preferred = {"left": left, "right": right}.get(answer, EQUAL)
        question = study.questions[item.question].name
        rows.append((study.name, study.seed, participant, number, question, item.name, left, right, answer, preferred))
    path = answers_file(folder, participant)
    with replacing(path) as temporary:
        without_formulas(pd.DataFrame(rows, columns=COLUMNS)).to_csv(temporary, index=False, encoding="utf-8")
    return path


def import_answers(folder: Path, study: Study, record: Any, source: str) -> str:
    """Import the answers that an exported page saved. Return the name of the participant.

    Raises:
        InputError: the answers belong to another study, or differ from answers of the same participant that the study has.
        FormatError: the record does not hold answers of an exported page.
    """
    with reading(source, FormatError, "not answers of a study page; give the file that the page saved"):
        participant = str(record["participant"]).strip()
        answers = {int(number): str(answer) for number, answer in dict(record["answers"]).items()}
        given = (str(record["study"]), int(record["seed"]))
    if given != (study.name, study.seed):
        raise InputError(f"{source}: answers to the study {given[0]} of seed {given[1]}, not to {study.name} of {study.seed}")
    before = read_answers(folder, participant)
    changed = [number for number, answer in before.items() if answers.get(number, answer) != answer]
    if changed:
        raise InputError(
            f"{source}: {participant} has answered comparison {changed[0]} differently before; rename one of the two"
        )
    write_answers(folder, study, participant, {**before, **answers})
    return participant


def read_votes(paths: Iterable[Path], methods: Sequence[str] = ()) -> list[Vote]:
    """Read the votes in files of answers.

    Args:
        paths: the files.
        methods: names of the results, in the order in which the two results of a vote stand. If empty, they are sorted by name.

    Raises:
        FormatError: a file is not a table of answers.
    """
    votes, rank = [], {name: place for place, name in enumerate(methods)}
    for path in paths:
        for row in _read(path).to_dict("records"):
            pair = sorted((str(row["left"]), str(row["right"])), key=lambda name: (rank.get(name, -1), name))
            votes.append(
                Vote(
                    participant=str(row["participant"]),
                    question=str(row["question"]),
                    methods=(pair[0], pair[1]),
                    preferred=str(row["preferred"]),
                )
            )
    return votes


def _read(path: Path) -> pd.DataFrame:
    with reading(path, FormatError, "not a table of answers"):
        table = read_table(path, dtype=str).map(from_cell)
    if list(table.columns) != COLUMNS:
        raise FormatError(f"{path}: columns {', '.join(table.columns)}; expected {', '.join(COLUMNS)}")
    for line, (number, answer) in enumerate(zip(table["number"], table["answer"], strict=True), start=2):
        if not (number.isdecimal() and len(number) < LONGEST_NUMBER) or answer not in CHOICES:
            raise FormatError(
                f"{path}, line {line}: answer '{answer}' to '{number}'; expected {', '.join(CHOICES)} to a number"
            )
    return table
