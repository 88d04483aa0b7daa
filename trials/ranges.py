"""Checks of settings: that a field of a recipe lies in its range, or is one of a few words."""

from __future__ import annotations

import math

from spaces.errors import InvalidValue


def check(
    recipe: object, name: str, least: float, most: float = math.inf, *, above: bool = False, below: bool = False
) -> None:
    """Raise InvalidValue unless field ``name`` is finite and in its range.

    Args:
        recipe: what has the field.
        name: of the field.
        least: lower end of the range; it belongs to the range unless ``above``.
        most: upper end; it belongs to the range unless ``below``.
        above: whether the value must be above ``least``.
        below: whether it must be below ``most``.
    """
    value = getattr(recipe, name)
    inside = (value > least if above else value >= least) and (value < most if below else value <= most)
    if not (inside and math.isfinite(value)):
        lower = f"{'above' if above else 'at least'} {least:g}"
        upper = "" if most == math.inf else f" and {'below' if below else 'at most'} {most:g}"
        raise InvalidValue(name, value, f"must be {lower}{upper}")


def check_word(recipe: object, name: str, *words: str) -> None:
    """Raise InvalidValue unless field ``name`` is one of ``words``."""
    if getattr(recipe, name) not in words:
        raise InvalidValue(name, getattr(recipe, name), f"must be {' or '.join(map(repr, words))}")
