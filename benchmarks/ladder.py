"""The paper's table 3 on one's own images: the tuned model, then with less and less of it; each a project and a benchmark.

    OUT/tuned, OUT/no-start32, ...    projects of `kpdetect run`
    OUT/ladder.md, ladder.csv         the table

Models are trained one after the other for equal minutes; repeating the command continues, and finished models are not trained
again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, get_args

from benchmarks.pipeline import run_project
from benchmarks.protocols import find_protocol
from benchmarks.published import read_published
from benchmarks.results import Result, read_result
from benchmarks.run import Extras, run_benchmark
from generator.architectures import ARCHITECTURES, LADDER, Architecture
from kpdetect.errors import InputError
from kpdetect.files import make_folder, replacing, write_text

PUBLISHED = {
    "tuned": "LatentKeypointGAN, tuned",
    "no-start32": "LatentKeypointGAN, without larger start",
    "no-background": "LatentKeypointGAN, also without background",
    "no-positional": "LatentKeypointGAN, also without positional start",
    "no-margin": "LatentKeypointGAN, also without margin",
}
"""Rows of the paper's table 3 by our name of the model."""


@dataclass(frozen=True, kw_only=True)
class Rung:
    """One line of the table; errors under the protocol's headline.

    Attributes:
        model: name of the architecture, or `mean shape`.
        error: mean of ratios.
        low, high: 95 % interval.
        with_bias: the same with a constant term in the regression, where the protocol has it in the headline's frame.
        images: images that the generator saw.
        published: the paper's number on all of MAFL, or None.
    """

    model: str
    error: float
    low: float
    high: float
    with_bias: float | None
    images: int | None
    published: float | None


def run_ladder(
    images: Path,
    data: Path,
    out: Path,
    *,
    protocol: str = "mafl-aligned",
    minutes_each: float,
    models: Sequence[str] = LADDER,
    **choices: Any,
) -> Path:
    """Train, benchmark and tabulate; returns the table's path.

    Args:
        images: folder of unlabelled images.
        data: the annotated data set of the protocol.
        out: folder for all of it.
        protocol: a key of `benchmarks.protocols.PROTOCOLS`.
        minutes_each: training minutes of each model, all stages together.
        models: names of architectures.
        choices: further arguments of `run_project`, the same for every model.

    Raises:
        InputError: an unknown model or protocol.
        KpdetectError: as `run_project` and `run_benchmark`.
    """
    unknown = [name for name in models if name not in get_args(Architecture)]
    if unknown or not models:
        raise InputError(f"--model {', '.join(unknown)}: expected some of {', '.join(ARCHITECTURES)}")
    find_protocol(protocol)
    make_folder(out)
    found: dict[str, Result] = {}
    for name in models:
        print(f"== {name}", flush=True)
        run_project(images, out / name, model=name, minutes=minutes_each, **choices)  # type: ignore[arg-type]
        result = run_benchmark(protocol, out / name, data, out / name / "results", extras=Extras(baselines=False))
        found[name] = read_result(result)
        write_ladder(found, out)
    print((out / "ladder.md").read_text(encoding="utf-8"))
    return out / "ladder.md"


def rungs(found: dict[str, Result]) -> list[Rung]:
    """Lines of the table, the floor last."""
    published = {row.method: row.value for row in read_published(["aligned_k10"])}
    first = next(iter(found.values()))
    comparable = first.protocol == "mafl-aligned"
    lines = [
        _rung(name, result, "model", published.get(PUBLISHED.get(name, "")) if comparable else None)
        for name, result in found.items()
    ]
    return [*lines, _rung("mean shape", first, "floor", None)]


def _rung(name: str, result: Result, kind: str, published: float | None) -> Rung:
    row = next(row for row in result.headline if row.kind == kind)
    frame = row.regression.partition(",")[0]
    biased = [each for each in result.rows if each.kind == kind and each.regression == f"{frame}, with bias"]
    described = result.model.get("description", {}) if result.model else {}
    seen = described.get("provenance", {}).get("training", {}).get("images_seen")
    return Rung(
        model=name,
        error=row.mean_of_ratios,
        low=row.interval95[0],
        high=row.interval95[1],
        with_bias=biased[0].mean_of_ratios if biased else None,
        images=seen if kind == "model" else None,
        published=published,
    )


def write_ladder(found: dict[str, Result], out: Path) -> None:
    """Write `ladder.md` and `ladder.csv`.

    Raises:
        OutputError: `out` cannot be written.
    """
    import pandas as pd

    lines, first = rungs(found), next(iter(found.values()))
    facts = f"Headline regression: {first.headline[0].regression}. {first.fitted:,} images fitted, {first.tested:,} tested."
    head = [
        f"### The ladder on {first.data.upper()} ({first.protocol}): {first.metric}",
        "",
        f"{facts} Each model trained for the same time.",
        "Published: He, Wandt, Rhodin 2021, table 3, on all of MAFL; **not comparable** with anything smaller.",
        "",
        "| model | error | 95 % interval | with bias | images seen by the generator | published |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    body = [
        f"| {line.model} | {line.error:.2f} | {line.low:.2f} to {line.high:.2f} | {_cell(line.with_bias)} "
        f"| {'' if line.images is None else f'{line.images:,}'} | {_cell(line.published)} |"
        for line in lines
    ]
    write_text(out / "ladder.md", "\n".join([*head, *body, ""]))
    with replacing(out / "ladder.csv") as temporary:
        pd.DataFrame([asdict(line) for line in lines]).to_csv(temporary, index=False)


def _cell(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"
