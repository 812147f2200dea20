"""Tables as text: Markdown, and LaTeX with booktabs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from benchmarks.table import DIFFERENCES, NUMBERS, Table

LATEX_COLUMNS = ("method", "regression", "mean of ratios", "95 % interval", "floor", "ratio of means", "median", "AUC", "note")
"""What a page of paper has room for."""
WIDTHS = {"method": "p{4.2cm}", "regression": "p{2.6cm}", "note": "p{4.2cm}"}
ESCAPES = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}",
}  # fmt: skip


def markdown(tables: Sequence[Table]) -> str:
    """Tables under headings, the facts below each as a list."""
    return "\n".join(_markdown(table) for table in tables)


def _markdown(table: Table) -> str:
    rows = [_bold_model(line.kind, line.headline, line.cells) for line in table.lines]
    parts = [f"### {table.title}", "", *_pipes(table.header, rows), "", *(f"- {fact}" for fact in table.facts)]
    if table.differences:
        parts += ["", "Headline regression, one row against another:", "", *_pipes(DIFFERENCES, table.differences)]
    return "\n".join(parts) + "\n"


def _bold_model(kind: str, headline: bool, cells: Sequence[str]) -> list[str]:
    return [f"**{cells[0]}**" if kind == "model" and headline else cells[0], *cells[1:]]


def _pipes(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    lines = [header, ["---"] * len(header), *rows]
    return ["| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines]


def latex(tables: Sequence[Table]) -> str:
    """Tables as floats for a document that loads booktabs."""
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
    facts = " ".join(f"{escape(fact)}." for fact in table.facts)
    caption = rf"\caption{{{escape(table.title)}}}"
    start = [r"\begin{table*}", r"\centering\scriptsize\setlength{\tabcolsep}{3pt}", caption]
    return "\n".join([*start, *parts, rf"\par\medskip\parbox{{\textwidth}}{{\scriptsize {facts}}}", r"\end{table*}", ""])


def _tabular(columns: Sequence[str], body: Sequence[str]) -> str:
    layout = "".join(WIDTHS.get(column, "r" if column in NUMBERS else "l") for column in columns)
    head = [rf"\begin{{tabular}}{{{layout}}}", r"\toprule", _latex_line([escape(column) for column in columns]), r"\midrule"]
    return "\n".join([*head, *body, r"\bottomrule", r"\end{tabular}"])


def _latex_line(cells: Sequence[str]) -> str:
    return " & ".join(cells) + r" \\"


def escape(text: str) -> str:
    """Text of our tables as LaTeX: special characters, bold, and minus signs of numbers."""
    plain = "".join(ESCAPES.get(character, character) for character in text)
    bold = re.sub(r"\*\*(.+?)\*\*", r"\\textbf{\1}", plain)
    return re.sub(r"(?<![\w.)])-(?=\d)", "$-$", bold)
