"""Result files as one CSV to compute with: a line per row and published number, with all digits."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.protocols import PROTOCOLS
from benchmarks.published import Published, read_published
from benchmarks.results import Result
from benchmarks.rows import Row
from kpdetect.files import replacing

COLUMNS = ("method", "regression", "bias", "headline", "mean_of_ratios", "ratio_of_means", "median", "auc", "rank", "note")


def csv_text(results: Sequence[Result]) -> str:
    """The CSV."""
    import pandas as pd

    published = {result.protocol: PROTOCOLS[result.protocol].published for result in results if result.protocol in PROTOCOLS}
    lines = [_measured(result, row) for result in results for row in result.rows]
    lines += [_published(name, number) for name, columns in published.items() for number in read_published(columns)]
    return str(pd.DataFrame(lines).to_csv(index=False))


def write_csv_table(results: Sequence[Result], path: Path) -> None:
    """Write `csv_text`.

    Raises:
        OutputError: the file cannot be written.
    """
    with replacing(path) as temporary:
        temporary.write_text(csv_text(results), encoding="utf-8")


def _measured(result: Result, row: Row) -> dict[str, Any]:
    difference = row.difference
    floors = {each.regression: each.mean_of_ratios for each in result.rows if each.kind == "floor"}
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
