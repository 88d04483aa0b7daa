"""Errors that a person can cause and mend: the root of the tree drawn in ``asha_nas.errors``.

They live in the lowest package because every package above may raise one. The message
is one or two lines and names the value, the rule it breaks, and the remedy.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class UserError(Exception):
    """A mistake a person can mend. The command line prints the message and exits with code 2."""


class InvalidValue(UserError):
    """A value breaks a rule."""

    def __init__(self, name: str, value: object, rule: str, remedy: str = "") -> None:
        super().__init__(f"{name} = {value!r}: {rule}" + (f"\n{remedy}" if remedy else ""))


class UnknownName(UserError):
    """A name that is not in a list of known names; the message offers the nearest one."""

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        names = sorted(known)
        by_lower = {known.lower(): known for known in names}
        near = [by_lower[match] for match in difflib.get_close_matches(name.lower(), by_lower, n=1, cutoff=0.5)]
        hint = f"Did you mean {near[0]!r}? " if near else ""
        super().__init__(f"unknown {kind} {name!r}\n{hint}Known: {', '.join(names) or '(none)'}")
