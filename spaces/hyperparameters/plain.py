"""Hyperparameter spaces: ConfigSpace objects from plain values, and seeded sampling from them."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from ConfigSpace import (
    CategoricalHyperparameter,
    ConfigurationSpace,
    Constant,
    OrdinalHyperparameter,
    UniformFloatHyperparameter,
    UniformIntegerHyperparameter,
)
from ConfigSpace.exceptions import IllegalValueError
from ConfigSpace.hyperparameters import Hyperparameter

from spaces.errors import InvalidValue

AnyHyperparameter = Hyperparameter[Any, Any]

RULE = "must be {range = [low, high], log = true|false}, {choices = [...]}, {ordered = [...]} or {constant = value}"


def from_plain(description: Mapping[str, Any]) -> ConfigurationSpace:
    """A space from plain values, as a study file gives them.

    Args:
        description: either what :func:`to_plain` gives, or a mapping from names to short forms:
            ``{"range": [1e-4, 0.1], "log": True}`` (two integers make an integer range),
            ``{"choices": ["relu", "tanh"]}``, ``{"ordered": [1, 2, 4]}``, ``{"constant": 3}``.

    Raises:
        InvalidValue: a form is not one of these, or its bounds make no range.
    """
    if isinstance(description.get("hyperparameters"), list):
        try:
            return ConfigurationSpace.from_serialized_dict(copy.deepcopy(dict(description)))  # it empties what it reads
        except (KeyError, ValueError, TypeError) as error:
            raise InvalidValue("space", "…", f"ConfigSpace cannot read it: {error}") from None
    if not description:
        raise InvalidValue("space", {}, "must name at least one hyperparameter", f"Each {RULE}.")
    space = ConfigurationSpace()
    space.add([_hyperparameter(name, form) for name, form in description.items()])
    return space


def to_plain(space: ConfigurationSpace) -> dict[str, Any]:
    """The space as plain JSON values, conditions and forbidden clauses included."""
    plain: dict[str, Any] = json.loads(json.dumps(space.to_serialized_dict()))
    return plain


def sample(space: ConfigurationSpace, rng: np.random.Generator) -> dict[str, Any]:
    """One configuration as plain values, drawn from the space's own distributions by ``rng`` alone."""
    space.seed(int(rng.integers(2**31)))
    return plain_values(space.sample_configuration())


def plain_values(configuration: Mapping[str, Any]) -> dict[str, Any]:
    """A configuration as plain values, without those that are not active."""
    return {name: plain(value) for name, value in dict(configuration).items()}


def _hyperparameter(name: str, form: Any) -> AnyHyperparameter:
    made = None
    try:
        match form:
            case {"range": [low, high], **rest}:
                made = _range(name, low, high, **_options(rest, "log", "default"))
            case {"choices": [*items], **rest}:
                made = CategoricalHyperparameter(name, items, **_options(rest, default="default_value"))
            case {"ordered": [*items], **rest}:
                made = OrdinalHyperparameter(name, items, **_options(rest))
            case {"constant": value, **rest}:
                made = Constant(name, value, **_options(rest))
    except (ValueError, TypeError, ZeroDivisionError, IllegalValueError) as error:
        raise InvalidValue(f"space.{name}", form, f"{error}; {RULE}") from None
    if made is None:
        raise InvalidValue(f"space.{name}", form, RULE)
    return made


def _range(name: str, low: float, high: float, *, log: bool = False, default: Any = None) -> AnyHyperparameter:
    if isinstance(low, int) and isinstance(high, int):
        return UniformIntegerHyperparameter(name, low, high, default, log)
    return UniformFloatHyperparameter(name, float(low), float(high), default, log)


def _options(given: Mapping[Any, Any], *known: str, **renamed: str) -> dict[str, Any]:
    names = {**{name: name for name in known}, **renamed}
    if unknown := [key for key in given if key not in names]:
        raise ValueError(f"unknown {unknown[0]!r}")
    return {names[key]: value for key, value in given.items()}


def plain(value: Any) -> Any:
    """The value without NumPy's types."""
    return value.item() if isinstance(value, np.generic) else value
