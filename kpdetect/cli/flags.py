"""Replace parameter names in messages of the library by command-line options: "`minutes=60`" becomes "--minutes 60"."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

PARAMETER = re.compile(r"`(?P<name>[a-z][a-z0-9_]*)(?P<assigned>=(?P<value>[^`]*))?`")


def as_flags(text: str, options: Mapping[str, str]) -> str:
    """Replace the parameters in backticks in a message by options.

    Args:
        text: a message, for example "`exclude_list` names.txt: is empty".
        options: the option of each parameter, for example {"exclude_list": "--exclude-list"}. Other names stay in backticks.

    Returns:
        The message, for example "--exclude-list names.txt: is empty".
    """

    def option(match: re.Match[str]) -> str:
        name = match["name"]
        flag = options.get(name) or options.get(name.removesuffix("s")) or options.get(f"{name}_")
        if flag is None:
            return match[0]
        return flag if match["assigned"] is None else f"{flag} {match['value']}"

    return PARAMETER.sub(option, text)


def options_of(command: Any) -> dict[str, str]:
    """Map each parameter of a verb's command to its long option. Positional arguments have none."""
    options = {}
    for parameter in getattr(command, "params", []):
        long = [name for name in parameter.opts if name.startswith("--")]
        if long and parameter.name is not None:
            options[parameter.name] = long[0]
            options[long[0].removeprefix("--").replace("-", "_")] = long[0]
    return options
