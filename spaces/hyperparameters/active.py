"""Configurations chosen value by value, where some hyperparameters are active under conditions only."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from ConfigSpace import ConfigurationSpace

from spaces.hyperparameters.plain import AnyHyperparameter


def compose(space: ConfigurationSpace, choose: Callable[[AnyHyperparameter], Any]) -> dict[str, Any]:
    """A configuration whose values are chosen one after the other, parents first.

    What is active is decided as ConfigSpace does: on vectors, where an inactive parent is NaN. So a child that is
    active where its parent is *not* some value is active where that parent is inactive, too. Forbidden clauses are
    not looked at.

    Args:
        space: its hyperparameters.
        choose: gives a legal value; it is called for active hyperparameters only, in the order of the space.
    """
    conditions, children = space.parent_conditions_of, space.children_of
    vector = np.full(len(space), np.nan)
    values: dict[str, Any] = {}
    for name, hyperparameter in space.items():
        if all(condition.satisfied_by_vector(vector) for condition in conditions[name]):
            values[name] = choose(hyperparameter)
            if children[name]:
                vector[space.index_of[name]] = hyperparameter.to_vector(values[name])
    return values
