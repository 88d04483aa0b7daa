"""Settings of the process, from its environment."""

from __future__ import annotations

import math
import os

from spaces.errors import InvalidValue


def seconds(variable: str, default: float) -> float:
    """A duration: 0 or more.

    Raises:
        InvalidValue: the variable is no such number.
    """
    text = os.environ.get(variable) or str(default)
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not value >= 0:
        raise InvalidValue(variable, text, "must be a number of seconds, 0 or more", f"{default:g} is the default.")
    return value
