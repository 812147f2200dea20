"""Tables as text: Markdown, LaTeX with booktabs, and CSV.

The CSV table has a line per row and per published number, with all digits, for further computation.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.evaluation.result_row import Row
from benchmarks.evaluation.results import Result
from benchmarks.protocol.named import PROTOCOLS
from benchmarks.tables.published import Published, read_published
from benchmarks.tables.table import DIFFERENCES, NUMBERS, Table
from kpdetect.files.atomic import replacing
from kpdetect.files.tables import without_formulas
from kpdetect.markdown import markdown_table

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ("method", "regression", "bias", "headline", "mean_of_ratios", "ratio_of_means", "median", "auc", "rank", "note")


def results_table(results: Sequence[Result]) -> pd.DataFrame:
    """Collect the rows of results in one table: first the measured rows, then the published numbers of their protocols."""
    import pandas as pd

    published = {result.protocol: PROTOCOLS[result.protocol].published for result in results if result.protocol in PROTOCOLS}
    lines = [_measured(result, row) for result in results for row in result.rows]
    lines += [_published(name, number) for name, columns in published.items() for number in read_published(columns)]
    return pd.DataFrame(lines)


def csv_text(results: Sequence[Result]) -> str:
    """Render the table of `results_table` as CSV."""
    return str(without_formulas(results_table(results)).to_csv(index=False))


def write_csv_table(results: Sequence[Result], path: Path) -> None:
    """Write the table of `results_table` as CSV.

    Raises:
        OutputError: the file cannot be written.
    """
    with replacing(path) as temporary:
        temporary.write_text(csv_text(results), encoding="utf-8")


def _measured(result: Result, row: Row) -> dict[str, Any]:
    difference = row.difference
    floors = {other.regression: other.mean_of_ratios for other in result.rows if other.kind == "floor"}
    return {
        "protocol": result.protocol,
        "data": result.data,
        "kind": row.kind,
        **{column: getattr(row, column) for column in COLUMNS},
        "interval95_low": row.interval95[0],
        "interval95_high": row.interval95[1],
        "floor": floors.get(row.regression),
        "model_minus_row": difference and difference.mean,
        "model_minus_row_low": difference and difference.low,
        "model_minus_row_high": difference and difference.high,
        **{f"pck_{limit}": value for limit, value in row.pck.items()},
        "fitted": result.fitted,
        "tested": result.tested,
        "model": result.model["hash"] if result.model else "",
        "minutes": sum(result.minutes.values()) or None,
        "commit": result.environment["commit"],
        "contamination": result.contamination,
    }


def _published(protocol: str, number: Published) -> dict[str, Any]:
    return {
        "protocol": protocol,
        "data": number.measures,
        "kind": "published",
        "method": number.method,
        "mean_of_ratios": number.value,
        "note": "not checked against the paper" if number.secondary else "",
        "citation": number.citation,
        "place": number.place,
        "row": number.row,
    }


LATEX_COLUMNS = ("method", "regression", "mean of ratios", "95 % interval", "floor", "ratio of means", "median", "AUC", "note")
"""The columns that fit on a printed page."""
WIDTHS = {"method": "p{4.2cm}", "regression": "p{2.6cm}", "note": "p{4.2cm}"}
ESCAPES = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}",
}  # fmt: skip


def markdown(tables: Sequence[Table]) -> str:
    """Render tables under headings, each with its notes as a list."""
    return "\n".join(_markdown(table) for table in tables)


def _markdown(table: Table) -> str:
    rows = [_bold_model(line.kind, line.headline, line.cells) for line in table.lines]
    parts = [f"### {table.title}", "", markdown_table(table.header, rows), "", *(f"- {note}" for note in table.notes)]
    if table.differences:
        parts += ["", "Headline regression, differences between rows:", "", markdown_table(DIFFERENCES, table.differences)]
    return "\n".join(parts) + "\n"


def _bold_model(kind: str, headline: bool, cells: Sequence[str]) -> list[str]:
    return [f"**{cells[0]}**" if kind == "model" and headline else cells[0], *cells[1:]]


def latex(tables: Sequence[Table]) -> str:
    """Render tables as floats for a LaTeX document that loads booktabs."""
    return "\n".join(["% needs \\usepackage{booktabs}", *(_latex(table) for table in tables)])


def _latex(table: Table) -> str:
    shown = [place for place, column in enumerate(table.header) if column in LATEX_COLUMNS]
    columns = [table.header[place] for place in shown]
    rows = [
        (line.kind != "model" or not line.headline, line.kind == "published", [line.cells[place] for place in shown])
        for line in table.lines
    ]
    body, published = [], False
    for plain, is_published, cells in rows:
        if is_published and not published:
            body.append(r"\midrule")
        published = is_published
        texts = [escape(cell) for cell in cells]
        body.append(_latex_line([texts[0] if plain else rf"\textbf{{{texts[0]}}}", *texts[1:]]))
    parts = [_tabular(columns, body)]
    if table.differences:
        lines = [_latex_line([escape(cell) for cell in cells]) for cells in table.differences]
        parts += [r"\par\medskip", _tabular(DIFFERENCES, lines)]
    notes = " ".join(f"{escape(note)}." for note in table.notes)
    caption = rf"\caption{{{escape(table.title)}}}"
    start = [r"\begin{table*}", r"\centering\scriptsize\setlength{\tabcolsep}{3pt}", caption]
    return "\n".join([*start, *parts, rf"\par\medskip\parbox{{\textwidth}}{{\scriptsize {notes}}}", r"\end{table*}", ""])


def _tabular(columns: Sequence[str], body: Sequence[str]) -> str:
    layout = "".join(WIDTHS.get(column, "r" if column in NUMBERS else "l") for column in columns)
    head = [rf"\begin{{tabular}}{{{layout}}}", r"\toprule", _latex_line([escape(column) for column in columns]), r"\midrule"]
    return "\n".join([*head, *body, r"\bottomrule", r"\end{tabular}"])


def _latex_line(cells: Sequence[str]) -> str:
    return " & ".join(cells) + r" \\"


def escape(text: str) -> str:
    """Convert the text of a table to LaTeX: special characters, bold, and minus signs of numbers."""
    plain = "".join(ESCAPES.get(character, character) for character in text)
    bold = re.sub(r"\*\*(.+?)\*\*", r"\\textbf{\1}", plain)
    return re.sub(r"(?<![\w.)])-(?=\d)", "$-$", bold)
