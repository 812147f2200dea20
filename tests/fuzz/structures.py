"""Damage to values as JSON and YAML have them."""

from __future__ import annotations

import copy
from random import Random
from typing import Any

TEXTS = (
    "",
    " ",
    "x" * 5000,
    "\0",
    "../../x",
    "/etc/passwd",
    "ä\udcff",
    "\ud800",
    "nan",
    "=1+1",
    "1e400",
    "a\nb",
    "<<",
    "*a",
    "-",
)
NUMBERS = (0, -1, 1, 2**31, 2**63, 2**64, 10**400, -(10**30), 0.5, 1e308, -1e308, float("nan"), float("inf"), float("-inf"))


def nested(depth: int) -> Any:
    value: Any = 1
    for level in range(depth):
        value = [value] if level % 2 else {"a": value}
    return value


def hostile(random: Random) -> Any:
    """A value of some wrong type or range."""
    return random.choice(
        [
            lambda: random.choice(TEXTS),
            lambda: random.choice(NUMBERS),
            lambda: random.choice((None, True, False, [], {}, [[]], [None], {"": {}})),
            lambda: nested(random.choice((5, 70, 300))),
            lambda: [random.choice(NUMBERS) for _ in range(random.randrange(1, 5))],
            lambda: {random.choice(TEXTS): random.choice(NUMBERS)},
        ]
    )()


def places_of(value: Any, found: list[tuple[Any, Any]]) -> list[tuple[Any, Any]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list | tuple) else ()
    for key, inner in list(items)[:200]:
        if isinstance(value, dict | list):
            found.append((value, key))
        places_of(inner, found)
    return found


def structure(value: Any, random: Random) -> Any:
    """A copy of a JSON-like value with some of its parts exchanged, taken out, doubled or renamed."""
    value = copy.deepcopy(value)
    for _ in range(random.choice((1, 1, 1, 2, 4))):
        places = places_of(value, [])
        if not places or random.random() < 0.03:
            return hostile(random)
        holder, key = random.choice(places)
        action = random.randrange(6)
        if action <= 2:
            holder[key] = hostile(random)
        elif action == 3:
            del holder[key]
        elif action == 4 and isinstance(holder, dict):
            holder[random.choice(TEXTS) or str(key)] = holder.pop(key)
        elif isinstance(holder, list):
            holder.extend(copy.deepcopy(holder) * random.choice((1, 3)))
        else:
            holder[key] = [holder[key], holder[key]]
    return value
