"""The work of `kpdetect study`: importing the answers of exported pages, and tallying all answers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from kpdetect.errors import InputError
from kpdetect.files.atomic import read_json
from kpdetect.studio.answers import FOLDER, import_answers, read_votes
from kpdetect.studio.study import RECORD, read_study
from kpdetect.studio.tally import markdown, tally


def table_of(results: Sequence[Path]) -> str:
    """Tally studies and files of answers as a Markdown table.

    Raises:
        InputError: a path is neither a study nor a file of answers, or there are no answers.
        FormatError: a file of answers is damaged.
    """
    votes = []
    for path in results:
        if path.is_dir():
            methods = read_study(path).methods if (path / RECORD).is_file() else ()
            votes += read_votes(sorted(path.glob(f"{FOLDER}/*.csv")) or sorted(path.glob("*.csv")), methods)
        elif path.is_file():
            beside = path.parent.parent
            votes += read_votes([path], read_study(beside).methods if (beside / RECORD).is_file() else ())
        else:
            raise InputError(f"{path}: no such file or folder; give a study's folder or its answers")
    if not votes:
        raise InputError(f"{results[0]}: no answers yet; open `kpdetect studio`, room Compare")
    return markdown(tally(votes))


def import_files(results: Sequence[Path], files: Iterable[Path]) -> Iterator[str]:
    """Add the answers of exported pages to a study. Yield the names of the participants.

    Raises:
        InputError: `results` is not exactly one study, or the answers do not belong to it.
        FormatError: a file of answers is damaged.
    """
    for file in files:
        if len(results) != 1 or not (results[0] / RECORD).is_file():
            raise InputError("--import: give the folder of the one study that these answers belong to")
        yield import_answers(results[0], read_study(results[0]), read_json(file), str(file))
