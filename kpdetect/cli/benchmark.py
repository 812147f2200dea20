"""`kpdetect benchmark`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from kpdetect.errors import InputError

Protocol = Annotated[
    str,
    typer.Argument(help="Name of a protocol (`kpdetect benchmark list` shows them), or table:FILE for your own annotations."),
]
Model = Annotated[
    Path | None,
    typer.Option(
        "--model",
        help="A trained detector: project folder, run folder or weights file. Without it, only the baselines are measured.",
    ),
]
Data = Annotated[
    Path | None, typer.Option("--data", help="Data set in its official layout; for table:FILE, the folder of its images.")
]
Out = Annotated[
    Path | None, typer.Option("--out", "-o", help="Folder for the predictions and the result. (default: MODEL/results)")
]
Predictions = Annotated[
    Path | None,
    typer.Option(
        "--predictions",
        help="Predictions to measure: predictions.h5 of an earlier benchmark, or a folder of `kpdetect predict`.",
    ),
]
Checkpoint = Annotated[
    str | None,
    typer.Option(
        "--checkpoint",
        metavar="HASH",
        help="Hash of the model to measure, where predictions.h5 holds several; its first characters suffice.",
    ),
]
AllowContaminated = Annotated[
    bool, typer.Option("--allow-contaminated", help="Measure a model that was trained on test images. Its row is marked.")
]
CrossValidate = Annotated[
    bool,
    typer.Option(
        "--cross-validate", help="Measure on the fitting images alone and leave the test images out, for choosing a model."
    ),
]
Normaliser = Annotated[
    str,
    typer.Option(
        "--normaliser", help="For table:FILE: divide distances by box, image, pixel, or the distance of two landmarks, a,b."
    ),
]
FitList = Annotated[
    Path | None, typer.Option("--fit-list", help="For table:FILE: text file with the names of the images to fit on.")
]
TestList = Annotated[
    Path | None, typer.Option("--test-list", help="For table:FILE: text file with the names of the images to test on.")
]
Supervised = Annotated[
    list[int] | None,
    typer.Option(
        "--supervised",
        metavar="LABELS",
        help="Also train a supervised detector on this number of labelled images, for comparison; repeatable.",
    ),
]
SupervisedMinutes = Annotated[
    float, typer.Option("--supervised-minutes", min=0, help="Training minutes of each supervised detector.")
]


def command(
    protocol: Protocol,
    model: Model = None,
    data: Data = None,
    out: Out = None,
    predictions: Predictions = None,
    checkpoint: Checkpoint = None,
    allow_contaminated: AllowContaminated = False,
    cross_validate: CrossValidate = False,
    normaliser: Normaliser = "box",
    fit_list: FitList = None,
    test_list: TestList = None,
    supervised: Supervised = None,
    supervised_minutes: SupervisedMinutes = 30.0,
) -> None:
    """Measure a detector's error on annotated landmarks, and compare it with the mean shape and baselines."""
    from benchmarks.benchmarking.benchmark import benchmark
    from benchmarks.benchmarking.model_choice import cross_validate_model

    if protocol == "list":
        _list_protocols()
        return
    if data is None:
        raise InputError("benchmark: no data set; give the folder of the annotated data set with --data")
    given: dict[str, Any] = {
        "predictions": predictions,
        "checkpoint": checkpoint,
        "normaliser": normaliser,
        "fit_list": fit_list,
        "test_list": test_list,
    }
    if cross_validate:
        if supervised:
            raise InputError("--cross-validate: this option trains no supervised detector; leave --supervised out")
        chosen = cross_validate_model(protocol, model, data, out, **given)
        print(f"{chosen.to_markdown()}table: {chosen.path}")
        return
    result = benchmark(
        protocol,
        model,
        data,
        out,
        **given,
        allow_contaminated=allow_contaminated,
        supervised=supervised or (),
        supervised_minutes=supervised_minutes,
    )
    print(f"{result.to_markdown()}\nresult: {result.path}")


def _list_protocols() -> None:
    from benchmarks.protocol.named import facts, protocols

    for protocol in protocols():
        print(protocol.name)
        for what, words in facts(protocol).items():
            print(f"  {what:11}{words}")
        print()
