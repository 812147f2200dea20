"""The option `--levels`, alike for every command that reads images."""

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
        help="Values that are black and white in images of more than 8 bits; auto unless given: 12 bits in 16 are found.",
    ),
]


def with_levels(command: Callable[..., None]) -> Callable[..., None]:
    """A command with the option; what is given holds for all images that it reads."""

    @wraps(command)
    def run(*args: Any, levels: str | None = None, **kwargs: Any) -> None:
        if levels is not None:
            from kpdetect.images.levels import use_levels

            use_levels(levels)
        command(*args, **kwargs)

    hints = get_type_hints(command, include_extras=True)
    signature = inspect.signature(command)
    known = [each.replace(annotation=hints[name]) for name, each in signature.parameters.items()]
    option = inspect.Parameter("levels", inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Option)
    run.__signature__ = signature.replace(parameters=[*known, option])  # type: ignore[attr-defined]
    run.__annotations__ = {**hints, "levels": Option}
    return run
