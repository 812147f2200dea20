"""A user study as in appendix D of the LatentKeypointGAN paper.

Its folder holds the questions, the comparisons, and copies of the compared pictures:

study.json          the questions and comparisons
pictures/           METHOD/KIND/NAME, copies, so that the study does not change with later results
answers/NAME.csv    answers of one participant, see `kpdetect.studio.answers`
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
CAPTIONS: Mapping[Kind, str] = {"before": "original", "appearance": "appearance taken from", "images": "edited"}
"""Name of each kind of picture on the page."""


class Question(StrictConfig):
    """A question about two compared results."""

    name: str = Field(min_length=1)
    """Name of the question in tables."""
    text: str = Field(min_length=1)
    """Text of the question, as the participant reads it."""
    shows: tuple[Kind, ...] = Field(("images",), min_length=1)
    """Kinds of pictures of a result that are shown next to each other: `images` are edited pictures, `before` are originals,
    `appearance` are the pictures from which the appearance was taken."""


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
"""The four questions of appendix D of the LatentKeypointGAN paper."""


class Item(StrictConfig):
    """One comparison of two results."""

    question: int = Field(ge=0)
    """Index of the question."""
    name: str
    """File name of the compared pictures."""
    methods: tuple[int, int]
    """Indices of the two compared results, the smaller one first."""


class Study(StrictConfig):
    """A user study: its questions, results and comparisons."""

    name: str
    """Name of the study."""
    seed: int = Field(1, ge=0)
    """Random seed of the comparisons' order and sides. The LatentKeypointGAN paper uses 1."""
    methods: tuple[str, ...] = Field(min_length=2)
    """Names of the compared results. The first one is the user's own method."""
    questions: tuple[Question, ...] = Field(min_length=1)
    """Questions, in the order in which they are asked."""
    items: tuple[Item, ...] = Field(min_length=1)
    """All comparisons."""
    files: dict[str, RelativeName]
    """Path below `pictures` of each picture METHOD/KIND/NAME."""

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
    """Read a user's own questions from YAML: a list of entries with `name`, `text` and `shows`.

    Raises:
        FormatError: the text is not such a list.
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
        name: name of the study.
        folders: folder of results of each method, the user's own method first. Each is a folder that `kpdetect edit` wrote, or
            a folder of images.
        questions: the questions. A question is left out if a result lacks the pictures that it shows.
        per_question: number of comparisons for each question and pair of methods; 5 in the LatentKeypointGAN paper.
        seed: random seed of the choice of comparisons, their order, and their sides.

    Raises:
        InputError: there are fewer than two results, no picture is in all of them, or no question can be asked.
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
    """List the pictures of a folder, by kind and name. Pictures that lie in no folder of a kind count as `images`."""
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
    """Find, for every edited image, the sample from which `kpdetect edit` took the appearance."""
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
        InputError: the folder has no study.
        ConfigError: the study is damaged.
    """
    if not (folder / RECORD).is_file():
        raise InputError(f"{folder}: no {RECORD} here; give a folder that the studio made")
    values = read_json(folder / RECORD)
    if not isinstance(values, dict):
        raise FormatError(f"{folder / RECORD}: not a study; the file is damaged")
    return build_config(Study, values, source=str(folder / RECORD))


def safe_name(text: str, what: str) -> str:
    """Make a file name from a text.

    Raises:
        InputError: the text has no character that a file name may have.
    """
    name = re.sub(r"[^\w-]+", "-", text.strip()).strip("-")[:60]
    if not name:
        raise InputError(f"{what} '{text}': give a name with letters or digits")
    return name
