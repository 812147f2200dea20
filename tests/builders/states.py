"""Comparison of state dictionaries."""

from __future__ import annotations

import torch


def states_equal(one: object, two: object) -> bool:
    if isinstance(one, torch.Tensor):
        return torch.equal(one, two)
    if isinstance(one, dict):
        return one.keys() == two.keys() and all(states_equal(one[key], two[key]) for key in one if key != "seconds")
    if isinstance(one, (list, tuple)):
        return len(one) == len(two) and all(map(states_equal, one, two))
    return one == two
