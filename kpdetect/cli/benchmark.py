"""`kpdetect benchmark`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from kpdetect.errors import InputError

Protocol = Annotated[
    str,
    typer.Argument(
        help="Name of a benchmark protocol, table:FILE for your own annotations, or the word list to print the names of all "
        "protocols."
    ),
]
Model = Annotated[
    Path | None,
    typer.Option(
        "--model",
        help="Trained detector: project folder, run folder, weights file or the name of a model that comes with the package. "
        "Without it, only the baselines are measured.",
    ),
]
Data = Annotated[
    Path | None,
    typer.Option(
        "--data",
        help="Folder of the annotated data set, with its official file names. For table:FILE: the folder of the images.",
    ),
]
Out = Annotated[
    Path | None, typer.Option("--out", "-o", help="Folder for the predictions and the result. (default: MODEL/results)")
]
Predictions = Annotated[
    Path | None,
    typer.Option(
        "--predictions",
        help="Measure these predictions: predictions.h5 of an earlier benchmark, or a folder that `kpdetect predict` wrote.",
    ),
]
Checkpoint = Annotated[
    str | None,
    typer.Option(
        "--checkpoint",
        metavar="HASH",
        help="Hash of the model to measure, if predictions.h5 holds several models. The first characters suffice.",
    ),
]
AllowContaminated = Annotated[
    bool,
    typer.Option(
        "--allow-contaminated",
        help="Measure the model even if it was trained on test images. Its row in the table is then marked.",
    ),
]
CrossValidate = Annotated[
    bool,
    typer.Option(
        "--cross-validate",
        help="Cross-validate on the fitting images only, to choose between models without using test images.",
    ),
]
Normaliser = Annotated[
    str,
    typer.Option(
        "--normaliser",
        help="For table:FILE: the length that errors are divided by. "
        "box: square root of the area of the box around the landmarks. image: square root of the image's area. "
        "pixel: no normalisation. A,B: distance between landmarks A and B.",
    ),
]
FitList = Annotated[
    Path | None,
    typer.Option("--fit-list", help="For table:FILE: text file with the names of the images that the regression is fitted on."),
]
TestList = Annotated[
    Path | None,
    typer.Option("--test-list", help="For table:FILE: text file with the names of the images that the error is measured on."),
]
Supervised = Annotated[
    list[int] | None,
    typer.Option(
        "--supervised",
        metavar="LABELS",
        help="For comparison, also train a supervised detector on this number of annotated images. Repeatable.",
    ),
]
SupervisedMinutes = Annotated[
    float, typer.Option("--supervised-minutes", min=0, help="Minutes of training for each supervised detector.")
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
    """Measure a detector's error on annotated landmarks and compare it with baselines.

    A linear regression from keypoints to landmarks is fitted on annotated images. Its error is measured on test images.
    One baseline always predicts the mean position of each landmark. Its error is called the floor.
    """
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
