"""Values of one hyperparameter: drawn at random, or next to another value."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from ConfigSpace import CategoricalHyperparameter, OrdinalHyperparameter
from ConfigSpace.hyperparameters import IntegerHyperparameter

from spaces.hyperparameters.plain import AnyHyperparameter, plain

SPREAD = 0.2
"""Standard deviation of a step of a number, as a part of its range; ConfigSpace's own."""
DECIMALS = 13
"""Of a float in a configuration: ConfigSpace rounds there, so a value with more would not be found again."""


def draw_value(hyperparameter: AnyHyperparameter, rng: np.random.Generator) -> Any:
    """A plain value from the hyperparameter's own distribution; all randomness comes from ``rng``."""
    # ConfigSpace takes a RandomState; this one draws from the very bits of `rng`.
    return _rounded(plain(hyperparameter.sample_value(seed=np.random.RandomState(rng.bit_generator))))


def neighbour(hyperparameter: AnyHyperparameter, value: Any, rng: np.random.Generator) -> Any:
    """Another value beside ``value``.

    Any other one of a category, all alike; the next lower or higher one of an ordinal; for a number, one drawn from a
    normal distribution around it with a standard deviation of :data:`SPREAD` of the range (of the range's logarithm
    where the number is on a logarithmic scale), truncated to the range, and never ``value`` itself.

    Args:
        hyperparameter: has at least two values.
        value: one of them.
        rng: source of all randomness; it is advanced.
    """
    if isinstance(hyperparameter, CategoricalHyperparameter):
        others = [choice for choice in hyperparameter.choices if choice != value]
        return plain(others[int(rng.integers(len(others)))])
    if isinstance(hyperparameter, OrdinalHyperparameter):
        at, last = hyperparameter.sequence.index(value), len(hyperparameter.sequence) - 1
        step = 1 if at == 0 else -1 if at == last else 2 * int(rng.integers(2)) - 1
        return plain(hyperparameter.sequence[at + step])
    return _near(hyperparameter, value, rng)


def _near(number: Any, value: float, rng: np.random.Generator) -> Any:
    whole = isinstance(number, IntegerHyperparameter)
    half = 0.5 if whole else 0.0  # so that the first and the last integer get as much room as the others
    forth, back = (math.log, math.exp) if number.log else (float, float)
    low, high, at = forth(number.lower - half), forth(number.upper + half), forth(value)
    while True:
        moved = rng.normal(at, SPREAD * (high - low))
        if low <= moved <= high:
            near = min(max(back(moved), number.lower), number.upper)
            found = round(near) if whole else _rounded(near)
            if found != value:
                return found


def _rounded(value: Any) -> Any:
    return float(np.round(value, DECIMALS)) if isinstance(value, float) else value
