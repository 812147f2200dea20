"""The option `--levels`, which every command that reads images has."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import wraps
from typing import Annotated, Any, get_type_hints

import typer

Option = Annotated[
    str | None,
    typer.Option(
        "--levels",
        metavar="auto|full|LOW,HIGH",
        help="For images with more than 8 bits per channel: the pixel values LOW,HIGH that become black and white. "
        "full: the whole range of the data type. "
        "auto (the default): 0 and the largest value of 12, 16 or 32 bits (in 32-bit files also 8), "
        "the fewest bits that hold the image.",
    ),
]


def with_levels(command: Callable[..., None]) -> Callable[..., None]:
    """Add the option `--levels` to a command. It applies to all images that the command reads."""

    @wraps(command)
    def run(*args: Any, levels: str | None = None, **kwargs: Any) -> None:
        if levels is not None:
            from kpdetect.images.levels import use_levels

            use_levels(levels)
        command(*args, **kwargs)

    hints = get_type_hints(command, include_extras=True)
    signature = inspect.signature(command)
    known = [parameter.replace(annotation=hints[name]) for name, parameter in signature.parameters.items()]
    option = inspect.Parameter("levels", inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Option)
    run.__signature__ = signature.replace(parameters=[*known, option])  # type: ignore[attr-defined]
    run.__annotations__ = {**hints, "levels": Option}
    return run
