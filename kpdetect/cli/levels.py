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
        help="Pixel values that become black and white, for images of more than 8 bits. "
        "auto (the default) detects 12-bit values stored in 16 bits.",
    ),
]


def with_levels(command: Callable[..., None]) -> Callable[..., None]:
    """Add the option to a command. Its value holds for all images that the command reads."""

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
