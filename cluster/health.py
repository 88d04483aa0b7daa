"""How soon a cluster notices that a node is gone."""

from __future__ import annotations

import os
from typing import Final

CHECKS: Final = {
    "RAY_health_check_period_ms": "1000",
    "RAY_health_check_timeout_ms": "1000",
    "RAY_health_check_failure_threshold": "3",
}
"""What the head's control store asks nodes, and when it gives one up: if three questions, one a second, have no answer
in a second each. That is some six seconds for a machine that falls silent (a power cut, a cable); by Ray's own defaults
it is over a minute. Nodes answer from threads that nothing else keeps busy. A node whose connections are closed, as
those of a killed process are, is missed at once in any case."""


def environment() -> dict[str, str]:
    """Variables for the head; those that are set already stay."""
    return {name: os.environ.get(name, value) for name, value in CHECKS.items()}


def for_shells() -> str:
    """The same as words of a shell."""
    return " ".join(f'{name}="${{{name}:-{value}}}"' for name, value in CHECKS.items())
