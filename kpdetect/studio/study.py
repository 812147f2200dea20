"""The paper's user study (appendix D) as a folder: questions, the results that are compared, and copies of their pictures.

study.json          what is asked, and of which pictures
pictures/           METHOD/KIND/NAME, copied, so that later results change nothing
answers/NAME.csv    of one participant, see `kpdetect.studio.answers`
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import combinations, product
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import Field, model_validator

from kpdetect.config import StrictConfig, build_config
from kpdetect.errors import FormatError, InputError
from kpdetect.files.atomic import read_json, write_json
from kpdetect.files.json_yaml import parse_yaml
from kpdetect.files.reading import reading
from kpdetect.files.records import RelativeName
from kpdetect.images.image_files import SUFFIXES, read_image, write_image

RECORD, PICTURES = "study.json", "pictures"
Kind = Literal["before", "appearance", "images"]
CAPTIONS: Mapping[Kind, str] = {"before": "original", "appearance": "look taken from", "images": "edited"}
"""What a picture is called on the page."""


class Question(StrictConfig):
    """What is asked of two results."""

    name: str = Field(min_length=1)
    """In tables: the aspect."""
    text: str = Field(min_length=1)
    """To the participant."""
    shows: tuple[Kind, ...] = Field(("images",), min_length=1)
    """Pictures of a result that are shown beside each other: `images` are edited, `before` are originals, `appearance` are
    those whose look was taken."""


QUESTIONS = (
    Question(name="Editing image quality", text="Which image looks better?", shows=("images",)),
    Question(
        name="Part disentanglement",
        text="In which pair did the edit change only the part that was edited? Regardless of image quality.",
        shows=("before", "images"),
    ),
    Question(
        name="Identity preservation",
        text="In which pair is the edited face still the same person? Regardless of image quality.",
        shows=("before", "images"),
    ),
    Question(
        name="Shape preservation",
        text="In which row does the last image keep the shape of the first better? Regardless of image quality.",
        shows=("before", "appearance", "images"),
    ),
)
"""The four of appendix D."""


class Item(StrictConfig):
    """One comparison."""

    question: int = Field(ge=0)
    """Which question."""
    name: str
    """File name of the pictures."""
    methods: tuple[int, int]
    """The two results compared, the earlier one first."""


class Study(StrictConfig):
    """What is asked."""

    name: str
    """Of the study."""
    seed: int = Field(1, ge=0)
    """The order of the comparisons and the sides follow from it; the paper's is 1."""
    methods: tuple[str, ...] = Field(min_length=2)
    """Names of the results; the first is ours."""
    questions: tuple[Question, ...] = Field(min_length=1)
    """In order."""
    items: tuple[Item, ...] = Field(min_length=1)
    """All comparisons."""
    files: dict[str, RelativeName]
    """METHOD/KIND/NAME, and the file below `pictures`."""

    @model_validator(mode="after")
    def _complete(self) -> Study:
        for item in self.items:
            if item.question >= len(self.questions) or not all(0 <= method < len(self.methods) for method in item.methods):
                raise ValueError(f"the comparison of {item.name} has a question or results that are not in the study")
            for method, kind in product(item.methods, self.questions[item.question].shows):
                if (key := f"{self.methods[method]}/{kind}/{item.name}") not in self.files:
                    raise ValueError(f"files lacks {key}")
        return self


def read_questions(text: str, source: str) -> tuple[Question, ...]:
    """Questions of one's own from YAML: a list of `name`, `text` and `shows`.

    Raises:
        FormatError: it is no such list.
        ConfigError: a question has an unknown key, or a wrong value.
    """
    with reading(source, advice="expected a list of questions, each with name, text and shows"):
        values = parse_yaml(text)
    if not isinstance(values, list) or not values or not all(isinstance(each, dict) for each in values):
        raise FormatError(f"{source}: expected a list of questions, each with name, text and shows")
    return tuple(build_config(Question, each, source=source) for each in values)


def make_study(
    out: Path,
    name: str,
    folders: Mapping[str, Path],
    questions: Sequence[Question] = QUESTIONS,
    *,
    per_question: int = 5,
    seed: int = 1,
) -> Study:
    """Choose comparisons, copy their pictures and write study.json.

    Args:
        out: folder of the study.
        name: of the study.
        folders: of results of each method, ours first: what `kpdetect edit` wrote, or folders of images.
        questions: what is asked; those that some results lack pictures for are left out.
        per_question: comparisons of each question and pair of methods; 5 in the paper.
        seed: of the choice.

    Raises:
        InputError: fewer than two results, no picture in all of them, or nothing that can be asked.
        OutputError: the folder cannot be written.
    """
    if len(folders) < 2:
        raise InputError(f"study: {len(folders)} result folders; give at least two to compare")
    if (out / RECORD).exists():
        raise InputError(f"{out}: holds a study already; choose another name")
    methods, found = list(folders), {method: _pictures(folder) for method, folder in folders.items()}
    asked, items = list[Question](), list[Item]()
    for question in questions:
        chosen = _items(question, len(asked), methods, found, per_question, seed)
        if chosen:
            asked.append(question)
            items += chosen
    if not items:
        needed = ", ".join(dict.fromkeys(kind for question in questions for kind in question.shows))
        raise InputError(
            f"study: no file name has the pictures {needed} in two of {', '.join(methods)}; nothing can be compared"
        )
    files = {}
    for item in items:
        for method in (methods[number] for number in item.methods):
            for kind in asked[item.question].shows:
                key = f"{method}/{kind}/{item.name}"
                files[key] = f"{methods.index(method)}/{kind}/{Path(item.name).stem}.png"
                write_image(out / PICTURES / files[key], read_image(found[method][kind][item.name]))
    study = Study(name=name, seed=seed, methods=tuple(methods), questions=tuple(asked), items=tuple(items), files=files)
    write_json(out / RECORD, study.model_dump(mode="json"))
    return study


def _items(
    question: Question, number: int, methods: list[str], found: Mapping[str, Any], per_question: int, seed: int
) -> list[Item]:
    items = []
    for one, other in combinations(range(len(methods)), 2):
        sets = [set(found[methods[method]].get(kind, {})) for method in (one, other) for kind in question.shows]
        names = sorted(set.intersection(*sets))
        source = np.random.default_rng([seed, number, one, other])
        chosen = sorted(source.permutation(len(names))[:per_question].tolist())
        items += [Item(question=number, name=names[index], methods=(one, other)) for index in chosen]
    return items


def _pictures(folder: Path) -> dict[str, dict[str, Path]]:
    """Files of each kind by their name; what lies in no folder of a kind counts as `images`."""
    kinds = {kind: _named(folder / kind) for kind in CAPTIONS}
    if not kinds["images"]:
        kinds["images"] = _named(folder) or _named(folder / "overlays")
    if not kinds["appearance"]:
        kinds["appearance"] = _donors(folder, list(kinds["images"]))
    if not any(kinds.values()):
        raise InputError(f"{folder}: no images; give what `kpdetect edit` wrote, or a folder of images")
    return {str(kind): names for kind, names in kinds.items()}


def _named(folder: Path) -> dict[str, Path]:
    if not folder.is_dir():
        return {}
    return {path.name: path for path in sorted(folder.iterdir()) if path.suffix.lower() in SUFFIXES and path.is_file()}


def _donors(folder: Path, names: Sequence[str]) -> dict[str, Path]:
    """The sample whose look `kpdetect edit` took, for every edited image."""
    try:
        record = read_json(folder / "edits.json")
        sample = int(record["edits"]["appearance_from"][0]["sample"])
    except (InputError, FormatError, KeyError, IndexError, TypeError, ValueError):
        return {}
    donor = folder / "donors" / f"{sample:06d}.png"
    return dict.fromkeys(names, donor) if donor.is_file() else {}


def read_study(folder: Path) -> Study:
    """Read study.json.

    Raises:
        InputError: no study there.
        ConfigError: it is damaged.
    """
    if not (folder / RECORD).is_file():
        raise InputError(f"{folder}: no {RECORD} here; give a folder that the studio made")
    values = read_json(folder / RECORD)
    if not isinstance(values, dict):
        raise FormatError(f"{folder / RECORD}: not a study; the file is damaged")
    return build_config(Study, values, source=str(folder / RECORD))


def safe_name(text: str, what: str) -> str:
    """A name that can be a file's.

    Raises:
        InputError: nothing of it can.
    """
    name = re.sub(r"[^\w-]+", "-", text.strip()).strip("-")[:60]
    if not name:
        raise InputError(f"{what} '{text}': give a name with letters or digits")
    return name
