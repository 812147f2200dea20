"""The results of `kpdetect measure`: rows of numbers, and the files that hold them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import measurement_records
from benchmarks.studies.verdict import NAME, Verdict, write_verdict
from kpdetect.data.derived_files import rewritten
from kpdetect.errors import FormatError, InputError
from kpdetect.files.atomic import read_json, replacing, write_json, write_text
from kpdetect.files.tables import without_formulas
from kpdetect.markdown import markdown_table
from kpdetect.training.run_folder import environment

FILES = ("measured.json", "measured.md", "measured.csv")


@dataclass(frozen=True, kw_only=True)
class MeasuredNumber:
    """One row of the results.

    Attributes:
        name: what is measured, with its unit.
        value: the measured value.
        spread: standard deviation of the value; None if it is not known.
        floor: value of a baseline that needs no model; None without one.
        note: how the value was measured.
    """

    name: str
    value: float
    spread: float | None = None
    floor: float | None = None
    note: str = ""


def measured_markdown(numbers: list[MeasuredNumber]) -> str:
    """Render the numbers as a Markdown table."""
    lines = []
    for row in numbers:
        spread = "" if row.spread is None else f" (spread {row.spread:.4f})"
        floor = "" if row.floor is None else f"{row.floor:.4f}"
        lines.append((row.name, f"{row.value:.4f}{spread}", floor, row.note))
    return markdown_table(("measured", "value", "floor", "note"), lines)


def write_measured(
    numbers: list[MeasuredNumber], model: Path, out: Path, settings: dict[str, Any], verdict: Verdict | None = None
) -> None:
    """Write `measured.json`, `.md` and `.csv`, and, with a verdict, `verdict.json`.

    Args:
        numbers: the rows of the results.
        model: the measured model.
        out: folder of the files.
        settings: the models' hashes and the settings of the measurement, for `measured.json`.
        verdict: the verdict on the detector; None without a detector.

    Raises:
        OutputError: `out` cannot be written, or holds a file of one of these names that kpdetect did not write.
    """
    import pandas as pd

    rows = [vars(row) for row in numbers]
    content = {
        "schema": measurement_records.MEASURED,
        "model": str(model),
        **settings,
        "rows": rows,
        "environment": environment(),
    }
    earlier = (NAME, *FILES) if _is_measured(out / FILES[0]) else (NAME,)  # `kpdetect report` writes verdicts, too
    with rewritten(out, "measured", [*FILES, *([] if verdict is None else [NAME])], earlier=earlier):
        if verdict is not None:
            write_verdict(verdict, out / NAME)
        write_json(out / "measured.json", content)
        write_text(out / "measured.md", measured_markdown(numbers) + "\n")
        with replacing(out / "measured.csv") as temporary:
            without_formulas(pd.DataFrame(rows)).to_csv(temporary, index=False)


def _is_measured(path: Path) -> bool:
    """Tell whether a file is a `measured.json` of kpdetect. Version 0.1.0 kept no list of its files."""
    try:
        content = read_json(path)
    except (InputError, FormatError):
        return False
    return isinstance(content, dict) and {"schema", "model", "rows"} <= content.keys()
