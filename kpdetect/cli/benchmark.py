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
        str,
        typer.Argument(
            help="Name of a protocol (`kpdetect benchmark list` shows them), or table:FILE for your own annotations."
        ),
    ],
    model: Annotated[
        Path | None,
        typer.Option(
            "--model",
            help="A trained detector: project folder, run folder or weights file. Without it, only the baselines are measured.",
        ),
    ] = None,
    data: Annotated[
        Path | None, typer.Option("--data", help="Data set in its official layout; for table:FILE, the folder of its images.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Folder for the predictions and the result. (default: MODEL/results)")
    ] = None,
    predictions: Annotated[
        Path | None,
        typer.Option(
            "--predictions",
            help="Predictions to measure: predictions.h5 of an earlier benchmark, or a folder of `kpdetect predict`.",
        ),
    ] = None,
    checkpoint: Annotated[
        str | None,
        typer.Option(
            "--checkpoint",
            metavar="HASH",
            help="Hash of the model to measure, where predictions.h5 holds several; its first characters suffice.",
        ),
    ] = None,
    allow_contaminated: Annotated[
        bool, typer.Option("--allow-contaminated", help="Measure a model that was trained on test images. Its row is marked.")
    ] = False,
    cross_validate: Annotated[
        bool,
        typer.Option(
            "--cross-validate", help="Measure on the fitting images alone and leave the test images out, for choosing a model."
        ),
    ] = False,
    normaliser: Annotated[
        str,
        typer.Option(
            "--normaliser", help="For table:FILE: divide distances by box, image, pixel, or the distance of two landmarks, a,b."
        ),
    ] = "box",
    fit_list: Annotated[
        Path | None, typer.Option("--fit-list", help="For table:FILE: text file with the names of the images to fit on.")
    ] = None,
    test_list: Annotated[
        Path | None, typer.Option("--test-list", help="For table:FILE: text file with the names of the images to test on.")
    ] = None,
    supervised: Annotated[
        list[int] | None,
        typer.Option(
            "--supervised",
            metavar="LABELS",
            help="Also train a supervised detector on this number of labelled images, for comparison; repeatable.",
        ),
    ] = None,
    supervised_minutes: Annotated[
        float, typer.Option("--supervised-minutes", min=0, help="Training minutes of each supervised detector.")
    ] = 30.0,
) -> None:
    """Measure a detector's error on annotated landmarks, and compare it with the mean shape and baselines."""
    from benchmarks.benchmarking import Extras, run_benchmark
    from benchmarks.datasets.own_table import TableOptions
    from benchmarks.evaluation.measured_model import Source
    from benchmarks.protocol.named import print_protocols

    if protocol == "list":
        print_protocols()
        return
    if data is None:
        raise InputError("benchmark: no data set; give the folder of the annotated data set with --data")
    annotated = TableOptions(unit=normaliser, fit=fit_list, test=test_list)
    if cross_validate:
        if supervised:
            raise InputError("--cross-validate: this option trains no supervised detector; leave --supervised out")
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
        raise InputError("--cross-validate: there is no model; give one with --model, or its predictions with --predictions")
    run_cross_validation(protocol, source=source, data=data, out=out, annotated=annotated)
