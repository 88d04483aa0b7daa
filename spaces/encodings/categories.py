"""Spaces of categories: what the encodings of architectures have in common."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations
from typing import Any

import numpy as np
from ConfigSpace import CategoricalHyperparameter, ConfigurationSpace

Choices = Mapping[str, tuple[Any, ...]]
"""The choices of each category, by its name; two or more of them."""


def categories(choices: Choices) -> ConfigurationSpace:
    """A new space of these categories, which sorts them by name; the default is the first choice of each."""
    space = ConfigurationSpace()
    space.add([CategoricalHyperparameter(name, list(each)) for name, each in choices.items()])
    return space


def one_changed(values: Mapping[str, Any], choices: Choices, rng: np.random.Generator) -> dict[str, Any]:
    """The same values but for one category, drawn uniformly, which has another of its choices, drawn likewise."""
    names = list(choices)
    name = names[int(rng.integers(len(names)))]
    others = [choice for choice in choices[name] if choice != values[name]]
    return {**values, name: others[int(rng.integers(len(others)))]}


def subsets(earlier: int, count: int) -> dict[str, tuple[int, ...]]:
    """The ways to choose ``count`` of the vertices 0 to ``earlier`` - 1, by the text that names them: ``"0,2"``."""
    return {",".join(map(str, chosen)): chosen for chosen in combinations(range(earlier), count)}
