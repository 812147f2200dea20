"""States in a checkpoint, and a check of an optimiser's state.

Without the check, torch would load any state and fail in the next step.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.optim import Optimizer


class Stateful(Protocol):
    """A network, an optimiser, or another object whose state a checkpoint holds."""

    def state_dict(self) -> Any:
        """Return the state. It consists of tensors, numbers, strings and containers of them."""

    def load_state_dict(self, state: Any, /) -> Any:
        """Restore a state from `state_dict`."""


def tensor_bytes(state: Any) -> int:
    """Count the bytes of all tensors in a state."""
    if isinstance(state, Tensor):
        return state.nbytes
    if isinstance(state, Mapping):
        return sum(tensor_bytes(each) for each in state.values())
    return sum(tensor_bytes(each) for each in state) if isinstance(state, list | tuple) else 0


def require_state(optimiser: Optimizer, state: Any) -> None:
    """Check the state of an optimiser of the Adam family before it is loaded.

    Raises:
        ValueError: an option has another type, or the shapes of averages and parameters differ.
    """
    own = optimiser.state_dict()["param_groups"]
    if not isinstance(state, Mapping) or not isinstance(groups := state.get("param_groups"), list) or len(groups) != len(own):
        raise ValueError(f"expected {len(own)} groups of parameters")
    for mine, theirs in zip(own, groups, strict=True):
        if not isinstance(theirs, Mapping) or not {"lr", "betas", "eps", "weight_decay", "params"} <= theirs.keys():
            raise ValueError("options of the optimiser are missing")
        for name in mine:
            if name in theirs and not _alike(mine[name], theirs[name]):
                raise ValueError(f"option {name} of the optimiser is of another type")
    parameters = [parameter for group in optimiser.param_groups for parameter in group["params"]]
    if not isinstance(averages := state.get("state"), Mapping):
        raise ValueError("there are no averages of the optimiser")
    kinds = {frozenset(each) if isinstance(each, Mapping) else None for each in averages.values()}
    if len(kinds) > 1 or (kinds and not {"step", "exp_avg", "exp_avg_sq"} <= (kinds.pop() or set())):
        raise ValueError("averages of the optimiser are missing")
    for number, each in averages.items():
        if not isinstance(number, int) or not 0 <= number < len(parameters):
            raise ValueError("there are averages of a parameter that does not exist")
        for name, value in each.items():
            _require_average(name, value, parameters[number])


def _require_average(name: str, value: Any, parameter: Tensor) -> None:
    if not isinstance(value, Tensor) or not value.is_floating_point() or not bool(torch.isfinite(value).all()):
        raise ValueError(f"{name} of the optimiser holds no finite numbers")
    if value.shape != (() if name == "step" else parameter.shape):
        raise ValueError(
            f"{name} of the optimiser has shape {list(value.shape)} for a parameter of shape {list(parameter.shape)}"
        )


def _alike(mine: Any, theirs: Any) -> bool:
    """Tell whether two options have the same type. Types are number, list of a certain length, truth value and None."""
    if isinstance(mine, bool) or mine is None:
        return isinstance(theirs, bool) or theirs is None
    if isinstance(mine, int | float):
        return isinstance(theirs, int | float) and not isinstance(theirs, bool) and math.isfinite(theirs)
    if isinstance(mine, list | tuple):
        same = isinstance(theirs, list | tuple) and len(mine) == len(theirs)
        return same and all(_alike(*pair) for pair in zip(mine, theirs, strict=True))
    return type(mine) is type(theirs)
