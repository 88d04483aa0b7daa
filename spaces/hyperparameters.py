"""Hyperparameter spaces: ConfigSpace objects from plain values, and seeded sampling from them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import ConfigSpace
import numpy as np
from ConfigSpace import Categorical, ConfigurationSpace, Constant, Float, Integer, OrdinalHyperparameter
from ConfigSpace.hyperparameters import Hyperparameter

from spaces.errors import InvalidValue

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
            return ConfigurationSpace.from_serialized_dict(dict(description))
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
    return {name: _plain(value) for name, value in dict(space.sample_configuration()).items()}


def _hyperparameter(name: str, form: Any) -> Hyperparameter[Any]:
    try:
        match form:
            case {"range": [int() as low, int() as high], **rest} if set(rest) <= {"log", "default"}:
                return Integer(name, (low, high), **rest)
            case {"range": [low, high], **rest} if set(rest) <= {"log", "default"}:
                return Float(name, (float(low), float(high)), **rest)
            case {"choices": [*items], **rest} if set(rest) <= {"default"}:
                return Categorical(name, items, **rest)
            case {"ordered": [*items]}:
                return OrdinalHyperparameter(name, items)
            case {"constant": value}:
                return Constant(name, value)
    except (ValueError, TypeError, ConfigSpace.exceptions.IllegalValueError) as error:
        raise InvalidValue(f"space.{name}", form, str(error)) from None
    raise InvalidValue(f"space.{name}", form, RULE)


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value
