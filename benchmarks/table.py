"""Result files as tables: Markdown to read, CSV to compute with; published numbers stand below, marked as such."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.evaluate import Row
from benchmarks.protocols import PROTOCOLS
from benchmarks.published import read_published
from benchmarks.results import Result, read_result
from kpdetect.files import replacing, write_text

HEADER = ("method", "regression", "mean of ratios", "95 % interval", "ratio of means", "median", "PCK", "AUC", "rank", "note")


def markdown_table(result: Result) -> str:
    """One result as Markdown: title, facts, rows (headline first), published numbers."""
    lines = [f"### {title(result)}", "", *facts(result), "", *_markdown(HEADER, map(row_cells, shown_rows(result)))]
    published = published_rows(result)
    if published:
        lines += ["", comparison_note(result), ""]
        lines += _markdown(("published method", "mean of ratios", "source"), published)
    return "\n".join(lines) + "\n"


def title(result: Result) -> str:
    """Data and protocol; the name of the number."""
    return f"{result.data.upper()} ({result.protocol}): {result.metric}"


def facts(result: Result) -> list[str]:
    """What a reader of the number has to know, one sentence per line."""
    model, code = result.model, result.environment
    minutes = model.get("minutes")
    trained = "".join(f", {stage} trained {value:.0f} minutes" for stage, value in (minutes or {}).items())
    return [
        f"- {result.fitted:,} images fitted, {result.tested:,} tested",
        f"- images of the benchmark in the model's training record: {result.contamination}",
        f"- PCK: % of points within {' / '.join(result.thresholds)}; AUC: area under it up to {result.thresholds[-1]}, in %",
        f"- model {model.get('hash', 'none')}{trained}; commit {code.get('commit')}; {code.get('time')}",
        *(f"- {note}" for note in result.notes),
    ]


def published_rows(result: Result) -> list[tuple[str, str, str]]:
    """Method, percent, source of the numbers that belong to the result's protocol."""
    protocol = PROTOCOLS.get(result.protocol)
    found = read_published(protocol.published) if protocol else []
    return [(row.method, f"{row.value:.2f}", row.source) for row in found]


def comparison_note(result: Result) -> str:
    """Whether published numbers may be compared with this result."""
    protocol = PROTOCOLS.get(result.protocol)
    if protocol is not None and result.data == protocol.comparable:
        return "Published numbers, same images and split; details of each protocol may differ:"
    full = "the full MAFL (19,000 fitted, 1,000 tested)" if result.data == "mafl-mini" else "the data of their papers"
    return f"Published numbers, on {full}: **not comparable** with {result.data}."


def shown_rows(result: Result) -> list[Row]:
    """The rows worth printing: floors and baselines do not depend on origin or bias, so once per frame is enough."""
    shown: dict[tuple[str, ...], Row] = {}
    for row in result.rows:
        frame = row.regression.partition(",")[0]
        shown.setdefault((row.method, row.regression if row.kind == "model" else frame), row)
    return list(shown.values())


def row_cells(row: Row) -> tuple[str, ...]:
    """The cells under `HEADER`."""
    low, high = row.interval95
    return (
        f"**{row.method}**" if row.kind == "model" and row.headline else row.method,
        row.regression + (" (headline)" if row.headline else ""),
        f"{row.mean_of_ratios:.2f}",
        f"{low:.2f} to {high:.2f}",
        f"{row.ratio_of_means:.2f}",
        f"{row.median:.2f}",
        " / ".join(f"{value:.1f}" for value in row.pck.values()),
        f"{row.auc:.1f}",
        f"{row.rank}/{row.columns}" if row.columns else "",
        row.note,
    )


def _markdown(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    lines = [header, ["---"] * len(header), *rows]
    return ["| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines]


def write_table(paths: Iterable[Path], folder: Path) -> None:
    """Write `table.md` and `table.csv` of result files into `folder`.

    Raises:
        FormatError: a file is no result.
        OutputError: the folder cannot be written.
    """
    results = [read_result(path) for path in paths]
    write_text(folder / "table.md", "\n".join(markdown_table(result) for result in results))
    _write_csv(results, folder / "table.csv")


def _write_csv(results: Sequence[Result], path: Path) -> None:
    import pandas as pd

    columns = (
        "kind",
        "method",
        "regression",
        "bias",
        "headline",
        "mean_of_ratios",
        "ratio_of_means",
        "median",
        "auc",
        "rank",
        "note",
    )
    rows = [
        {
            "protocol": result.protocol,
            "data": result.data,
            "model": result.model.get("hash", ""),
            "commit": result.environment.get("commit", ""),
            "contamination": result.contamination,
            **{column: row[column] for column in columns},
            "interval95_low": row["interval95"][0],
            "interval95_high": row["interval95"][1],
            **{f"pck_{limit}": value for limit, value in row["pck"].items()},
        }
        for result in results
        for row in [*map(vars, result.rows), *_published_as_rows(result)]
    ]
    with replacing(path) as temporary:
        pd.DataFrame(rows).to_csv(temporary, index=False)


def _published_as_rows(result: Result) -> list[dict[str, Any]]:
    blank = dict.fromkeys(("regression", "bias", "headline", "ratio_of_means", "median", "auc", "rank"), "")
    return [
        {
            **blank,
            "kind": "published",
            "method": method,
            "mean_of_ratios": percent,
            "interval95": ("", ""),
            "pck": {},
            "note": source,
        }
        for method, percent, source in published_rows(result)
    ]
