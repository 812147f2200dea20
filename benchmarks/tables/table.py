"""Tables of results. Each protocol and data set has one table.

A table has all results, the error of the mean shape (the floor) for each row, and published numbers.

`benchmarks.tables.render` renders these tables as text.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from benchmarks.evaluation.result_row import Row
from benchmarks.evaluation.results import GROUPED, ErrorTable, Result
from benchmarks.metrics.difference import Difference, paired_difference
from benchmarks.protocol.named import PROTOCOLS
from benchmarks.tables.published import Published, read_published

HEADER = (
    "method", "regression", "mean of ratios", "95 % interval", "floor", "ratio of means", "median", "PCK", "AUC",
    "model minus row", "minutes", "rank", "note",
)  # fmt: skip
NUMBERS = frozenset(HEADER[2:11])
"""Columns that are aligned to the right."""
_Cells = tuple[str, bool, dict[str, str]]
"""Kind of a row, whether it belongs to the protocol's main regression (headline), and its text by column."""
DIFFERENCES = ("first", "second", "first minus second", "95 % interval", "")


class Line(NamedTuple):
    """A line of a table.

    Attributes:
        kind: `published`, or the kind of a `Row`.
        headline: whether the line belongs to the protocol's main regression (headline).
        cells: the text of each column.
    """

    kind: str
    headline: bool
    cells: tuple[str, ...]


class Measurement(NamedTuple):
    """A result, the table of errors of its main regression, and its folder; the last two are None if they are not available."""

    result: Result
    errors: ErrorTable | None = None
    folder: Path | None = None


@dataclass(frozen=True, kw_only=True)
class Table:
    """All results of one protocol on the same images.

    Attributes:
        title: data, protocol and metric.
        header: names of the columns.
        lines: the rows: first the protocol's main regression (headline), last the published numbers.
        notes: notes below the table, which explain its numbers.
        measurements: the results in the table.
        differences: if there are several models, the difference of each from the other models and from the other rows of the
            main regression; the columns are `DIFFERENCES`.
    """

    title: str
    header: tuple[str, ...]
    lines: tuple[Line, ...]
    notes: tuple[str, ...]
    measurements: tuple[Measurement, ...]
    differences: tuple[tuple[str, ...], ...] = field(default=())


def tables(measurements: Sequence[Measurement]) -> list[Table]:
    """Build one table per protocol and set of images, in the order of their first result."""
    groups: dict[tuple[object, ...], list[Measurement]] = {}
    for measurement in measurements:
        groups.setdefault(_measured_on(measurement.result), []).append(measurement)
    return [_table(group) for group in groups.values()]


def _measured_on(result: Result) -> tuple[object, ...]:
    lists = tuple(sorted(result.lists.items()))
    return result.protocol, result.data, result.metric, result.fitted, result.tested, lists, result.thresholds


def _table(group: Sequence[Measurement]) -> Table:
    results = [measurement.result for measurement in group]
    first, names = results[0], method_names(results)
    sources = _published(first)
    several = sum(result.model is not None for result in results) > 1
    rows = [*_measured_rows(results, names, differences=not several), *_published_rows(first, sources)]
    header = tuple(column for column in HEADER if any(cells.get(column) for _, _, cells in rows))
    return Table(
        title=f"{first.data.upper()} ({first.protocol}): {first.metric}",
        header=header,
        lines=tuple(Line(kind, top, tuple(cells.get(column, "") for column in header)) for kind, top, cells in rows),
        notes=(*_notes(results, names), *_source_notes(first, sources)),
        measurements=tuple(group),
        differences=tuple(_differences(group, names)) if several else (),
    )


def method_names(results: Sequence[Result]) -> list[str]:
    """Name the model of each result: its method, with the hash of its weights if several models have the same method."""
    methods = [next((row.method for row in result.rows if row.kind == "model"), "") for result in results]
    return [
        f"{method} {result.key}" if methods.count(method) > 1 else method
        for method, result in zip(methods, results, strict=True)
    ]


def _measured_rows(results: Sequence[Result], names: Sequence[str], differences: bool) -> list[_Cells]:
    """Build the measured rows, grouped by regression. In each group the models come first.

    A row that several results share appears once.
    """
    order = list(dict.fromkeys(row.regression for result in results for row in result.rows))
    rows: dict[tuple[str, ...], tuple[int, _Cells]] = {}
    for result, name in zip(results, names, strict=True):
        for row, (kind, top, cells) in _rows_of(result, name):
            if not differences:
                cells.pop("model minus row")
            key = (cells["method"], _distinct_regression(row), cells["mean of ratios"], cells["95 % interval"])
            rows.setdefault(key, (order.index(row.regression), (kind, top, cells)))
    return [cells for _, cells in sorted(rows.values(), key=lambda ranked: (ranked[0], ranked[1][0] != "model"))]


def _rows_of(result: Result, name: str) -> list[tuple[Row, _Cells]]:
    rows: dict[tuple[str, str], tuple[Row, _Cells]] = {}
    floors = {row.regression: row.mean_of_ratios for row in result.rows if row.kind == "floor"}
    for row in result.rows:
        shown = name if row.kind == "model" else row.method
        cells = _cells(row, shown, floors.get(row.regression), result)
        rows.setdefault((shown, _distinct_regression(row)), (row, (row.kind, row.headline, cells)))
    return list(rows.values())


def _distinct_regression(row: Row) -> str:
    """Name the regression without origin and bias for floors and baselines, which do not depend on them."""
    backward = ", backward" if ", backward," in row.regression else ""
    return row.regression if row.kind == "model" else row.regression.partition(",")[0] + backward


def _cells(row: Row, name: str, floor: float | None, result: Result) -> dict[str, str]:
    low, high = row.interval95
    return {
        "method": name,
        "regression": row.regression + (" (headline)" if row.headline else ""),
        "mean of ratios": f"{row.mean_of_ratios:.2f}",
        "95 % interval": f"{low:.2f} to {high:.2f}",
        "floor": "" if floor is None else f"{floor:.2f}",
        "ratio of means": f"{row.ratio_of_means:.2f}",
        "median": f"{row.median:.2f}",
        "PCK": " / ".join(f"{value:.1f}" for value in row.pck.values()),
        "AUC": f"{row.auc:.1f}",
        "model minus row": _difference(row.difference),
        "minutes": f"{sum(result.minutes.values()):.0f}" if row.kind == "model" and result.minutes else "",
        "rank": f"{row.rank}/{row.columns}" if row.columns else "",
        "note": row.note,
    }


def _difference(difference: Difference | None) -> str:
    if difference is None:
        return ""
    mark = "" if difference.significant else ", not significant"
    return f"{difference.mean:.2f} ({difference.low:.2f} to {difference.high:.2f}){mark}"


def _notes(results: Sequence[Result], names: Sequence[str]) -> Iterator[str]:
    first = results[0]
    over = " or ".join(dict.fromkeys(_unit(result) for result in results))
    yield f"{first.fitted:,} fitting images, {first.tested:,} test images; intervals: bootstrap over {over}"
    yield "floor: the mean shape in the same frame, which ignores the image; rank: rank and columns of the regression's input"
    yield f"PCK: % of points within {' / '.join(first.thresholds)}; AUC: area under PCK up to {first.thresholds[-1]}, in %"
    if any(row.difference for row in first.rows):
        yield "differences: paired bootstrap over the same; below 0 the first row is better; significant if 0 is outside"
    for result, name in zip(results, names, strict=True):
        code = result.environment
        if result.model is None:
            yield f"baselines alone, no model: commit {code['commit']}; {code['time']}"
            continue
        trained = "".join(f", {stage} {minutes:.0f} minutes" for stage, minutes in result.minutes.items())
        yield (
            f"{name}: weights {result.model['hash']}{trained}; images of the benchmark in its training record: "
            f"{result.contamination}; commit {code['commit']}; {code['time']}"
        )
    yield from dict.fromkeys(note for result in results for note in result.notes)


def _unit(result: Result) -> str:
    """Name what the bootstrap of a result resamples."""
    return "groups of test images" if any(note.startswith(GROUPED) for note in result.notes) else "test images"


def _published(result: Result) -> list[Published]:
    protocol = PROTOCOLS.get(result.protocol)
    return read_published(protocol.published) if protocol else []


def _citations(sources: Sequence[Published]) -> list[str]:
    return list(dict.fromkeys(number.citation for number in sources))


def is_comparable(result: Result) -> bool:
    """Return whether published numbers refer to the same images and split as a result."""
    protocol = PROTOCOLS.get(result.protocol)
    return protocol is not None and result.data == protocol.comparable


def _published_rows(result: Result, sources: Sequence[Published]) -> Iterator[_Cells]:
    citations = _citations(sources)
    for number in sources:
        notes = (
            "" if is_comparable(result) else "not comparable",
            f"[{citations.index(number.citation) + 1}] {number.place}, row '{number.row}', {number.measures}",
            "not checked against the paper" if number.secondary else "",
        )
        cells = {"method": number.method, "regression": "published", "mean of ratios": f"{number.value:.2f}"}
        yield "published", True, {**cells, "note": "; ".join(filter(None, notes))}


def _source_notes(result: Result, sources: Sequence[Published]) -> Iterator[str]:
    if not sources:
        return
    if is_comparable(result):
        yield "published numbers: measured on the same images and split; details of the protocols may differ"
    else:
        full = "the full MAFL (19,000 fitting, 1,000 test images)" if result.data == "mafl-mini" else "the data of their papers"
        yield f"published numbers were measured on {full}: **not comparable** with {result.data}"
    yield from (f"[{place}] {citation}" for place, citation in enumerate(_citations(sources), start=1))


def _differences(group: Sequence[Measurement], names: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """Compare each model with the models after it, then with the other rows of the protocol's main regression."""
    models = [(measured, name) for measured, name in zip(group, names, strict=True) if measured.result.model is not None]
    for place, (one, name) in enumerate(models):
        for other, second in models[place + 1 :]:
            yield (name, second, *_difference_cells(between(one, other)))
    for measured, name in models:
        for row in measured.result.headline:
            if row.difference is not None:
                yield (name, row.method, *_difference_cells(row.difference))


def between(one: Measurement, other: Measurement) -> Difference | None:
    """Compute the difference of two models on the same test images; None if a table of errors is missing or has other images.

    Raises:
        InputError: different landmarks are hidden in the two tables.
    """
    if one.errors is None or other.errors is None:
        return None
    place = {name: index for index, name in enumerate(other.errors.images)}
    if set(one.errors.images) != set(place):
        return None
    order = [place[name] for name in one.errors.images]
    first, second = (next(iter(errors.errors.values())) for errors in (one.errors, other.errors))
    groups = one.errors.groups
    if groups is None and other.errors.groups is not None:  # the first is of an earlier version
        groups = other.errors.groups[order]
    protocol = PROTOCOLS.get(one.result.protocol)
    return paired_difference(first, second[order], summed=protocol is not None and protocol.summed, groups=groups)


def _difference_cells(difference: Difference | None) -> tuple[str, str, str]:
    if difference is None:
        return "", "", "unknown: a table of errors is missing"
    verdict = "significant" if difference.significant else "**not significant**"
    return f"{difference.mean:.2f}", f"{difference.low:.2f} to {difference.high:.2f}", verdict
