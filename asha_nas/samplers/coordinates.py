"""Configurations as points, in which models are built."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from ConfigSpace import CategoricalHyperparameter, Configuration, ConfigurationSpace, OrdinalHyperparameter

from asha_nas.samplers.density import Floats
from spaces.errors import InvalidValue


class Coordinates:
    """The hyperparameters of a space that can vary, as coordinates.

    A number, or a value of an ordinal, is a number in [0, 1], on the hyperparameter's own scale; a category is its
    index; what is inactive is NaN. Hyperparameters that have one value only are left out.
    """

    def __init__(self, space: ConfigurationSpace) -> None:
        self._space = space
        names = [name for name, one in space.items() if one.size > 1]
        free = [space[name] for name in names]
        self._columns = [space.index_of[name] for name in names]
        self._whole = [isinstance(one, CategoricalHyperparameter | OrdinalHyperparameter) for one in free]
        self._scale = np.array([len(one.sequence) - 1 if isinstance(one, OrdinalHyperparameter) else 1 for one in free])
        self.choices = np.array(
            [len(one.choices) if isinstance(one, CategoricalHyperparameter) else 0 for one in free], np.int64
        )
        """(d,): number of choices of each category, 0 for numbers."""

    def point(self, values: Mapping[str, Any]) -> Floats:
        """Coordinates (d,) of a legal configuration of the space."""
        vector = Configuration(self._space, values=dict(values)).get_array()
        found: Floats = vector[self._columns] / self._scale
        return found

    def values(self, point: Floats) -> dict[str, Any]:
        """The configuration at a point (d,) without NaN; it may be one that a clause of the space forbids."""
        vector = np.array([one.upper_vectorized for one in self._space.values()])  # the only one of those left out
        scaled = point * self._scale
        vector[self._columns] = np.where(self._whole, np.rint(scaled), scaled)
        values = {}
        # Parents come before their children, and a condition is decided by what its parents will be: whole numbers.
        for j, (name, one) in enumerate(self._space.items()):
            if all(condition.satisfied_by_vector(vector) for condition in self._space.parent_conditions_of[name]):
                values[name] = one.to_value(vector[j])
                vector[j] = one.to_vector(values[name])
            else:
                vector[j] = np.nan
        return values


def min_points_of(asked: int | None, dimensions: int) -> int:
    """The least number of points that a density is fitted to: more than its dimensions.

    Raises:
        InvalidValue: fewer are asked for.
    """
    least = dimensions + 1
    if asked is not None and asked < least:
        rule = f"must be at least {least}, one more than there are hyperparameters"
        raise InvalidValue("min_points", asked, rule, "Leave it out for the least.")
    return least if asked is None else asked
