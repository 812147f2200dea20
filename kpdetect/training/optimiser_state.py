"""The states in a checkpoint, and that of an optimiser: torch takes any and fails in the next step, so it is checked before."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.optim import Optimizer


class Stateful(Protocol):
    """A network, an optimiser or anything else with a state."""

    def state_dict(self) -> Any:
        """Tensors, numbers, strings and containers of them."""

    def load_state_dict(self, state: Any, /) -> Any:
        """Take what `state_dict` gave."""


def tensor_bytes(state: Any) -> int:
    """Bytes of all tensors in a state."""
    if isinstance(state, Tensor):
        return state.nbytes
    if isinstance(state, Mapping):
        return sum(tensor_bytes(each) for each in state.values())
    return sum(tensor_bytes(each) for each in state) if isinstance(state, list | tuple) else 0


def require_state(optimiser: Optimizer, state: Any) -> None:
    """Check the state of an optimiser of Adam's family before it is loaded.

    Raises:
        ValueError: an option of another type, or averages of other shapes than the parameters.
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
        raise ValueError("no averages of the optimiser")
    kinds = {frozenset(each) if isinstance(each, Mapping) else None for each in averages.values()}
    if len(kinds) > 1 or (kinds and not {"step", "exp_avg", "exp_avg_sq"} <= (kinds.pop() or set())):
        raise ValueError("averages of the optimiser are missing")
    for number, each in averages.items():
        if not isinstance(number, int) or not 0 <= number < len(parameters):
            raise ValueError("averages of a parameter that is not there")
        for name, value in each.items():
            _require_average(name, value, parameters[number])


def _require_average(name: str, value: Any, parameter: Tensor) -> None:
    if not isinstance(value, Tensor) or not value.is_floating_point() or not bool(torch.isfinite(value).all()):
        raise ValueError(f"{name} of the optimiser holds no finite numbers")
    if value.shape != (() if name == "step" else parameter.shape):
        raise ValueError(f"{name} of the optimiser is {list(value.shape)} for a parameter {list(parameter.shape)}")


def _alike(mine: Any, theirs: Any) -> bool:
    """Whether two options are of one type: numbers, lists of equally many, truth values, nothing."""
    if isinstance(mine, bool) or mine is None:
        return isinstance(theirs, bool) or theirs is None
    if isinstance(mine, int | float):
        return isinstance(theirs, int | float) and not isinstance(theirs, bool) and math.isfinite(theirs)
    if isinstance(mine, list | tuple):
        same = isinstance(theirs, list | tuple) and len(mine) == len(theirs)
        return same and all(_alike(*pair) for pair in zip(mine, theirs, strict=True))
    return type(mine) is type(theirs)
