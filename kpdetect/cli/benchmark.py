"""`kpdetect benchmark`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kpdetect.errors import InputError

if TYPE_CHECKING:
    from benchmarks.datasets.own_table import TableOptions
    from benchmarks.evaluation.measured_model import Source


def command(
    protocol: Annotated[
        str, typer.Argument(help="A protocol (kpdetect benchmark list shows them), or table:FILE for annotations of your own.")
    ],
    model: Annotated[
        Path | None,
        typer.Option(
            "--model", help="A trained detector: project folder, run folder or weights file. Without one: the baselines alone."
        ),
    ] = None,
    data: Annotated[
        Path | None, typer.Option("--data", help="The data set in its official layout; for a table, the folder of its images.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Folder for predictions and result; MODEL/results unless given.")
    ] = None,
    predictions: Annotated[
        Path | None,
        typer.Option(
            "--predictions",
            help="Measured instead of predicting: predictions.h5 of an earlier benchmark, or a folder of kpdetect predict.",
        ),
    ] = None,
    checkpoint: Annotated[
        str | None,
        typer.Option(
            "--checkpoint", metavar="HASH", help="Which model of a predictions.h5 with several; its beginning will do."
        ),
    ] = None,
    allow_contaminated: Annotated[
        bool, typer.Option("--allow-contaminated", help="Evaluate a model that was trained on test images; its row is marked.")
    ] = False,
    cross_validate: Annotated[
        bool,
        typer.Option("--cross-validate", help="Measure inside the fitting images and leave the test images out, to choose by."),
    ] = False,
    normaliser: Annotated[
        str,
        typer.Option("--normaliser", help="Tables: what distances are divided by: box, image, pixel, or two landmarks as a,b."),
    ] = "box",
    fit_list: Annotated[Path | None, typer.Option("--fit-list", help="Tables: names of the images to fit on.")] = None,
    test_list: Annotated[Path | None, typer.Option("--test-list", help="Tables: names of the images to test on.")] = None,
    supervised: Annotated[
        list[int] | None,
        typer.Option(
            "--supervised", metavar="LABELS", help="Train a detector on that many labels too: the ceiling; repeatable."
        ),
    ] = None,
    supervised_minutes: Annotated[
        float, typer.Option("--supervised-minutes", min=0, help="Training time of each of them.")
    ] = 30.0,
) -> None:
    """Measure a detector against annotated landmarks, with the floor and baselines beside it."""
    from benchmarks.benchmarking import Extras, run_benchmark
    from benchmarks.datasets.own_table import TableOptions
    from benchmarks.evaluation.measured_model import Source
    from benchmarks.protocol.named import print_protocols

    if protocol == "list":
        print_protocols()
        return
    if data is None:
        raise InputError("benchmark: no data; give the folder of the annotated data set with --data")
    annotated = TableOptions(unit=normaliser, fit=fit_list, test=test_list)
    if cross_validate:
        if supervised:
            raise InputError("--cross-validate: trains no supervised detector; leave --supervised out")
        _cross_validate(protocol, Source(model=model, predictions=predictions, checkpoint=checkpoint), data, out, annotated)
        return
    run_benchmark(
        protocol,
        model=model,
        data=data,
        out=out,
        predictions=predictions,
        checkpoint=checkpoint,
        allow_contaminated=allow_contaminated,
        annotated=annotated,
        extras=Extras(supervised=tuple(supervised or ()), supervised_minutes=supervised_minutes),
    )


def _cross_validate(protocol: str, source: Source, data: Path, out: Path | None, annotated: TableOptions) -> None:
    from benchmarks.benchmarking import run_cross_validation

    if source.model is None and source.predictions is None:
        raise InputError("--cross-validate: give the model to choose with --model, or --predictions")
    run_cross_validation(protocol, source=source, data=data, out=out, annotated=annotated)
