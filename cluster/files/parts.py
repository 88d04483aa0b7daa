"""What the files have in common: YAML, and values that may be part of them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import yaml

from spaces.errors import InvalidValue

Files = dict[str, str]
"""Texts by file name."""


def to_yaml(value: Mapping[str, Any]) -> str:
    """YAML with the order of keys kept."""
    text: str = yaml.safe_dump(dict(value), sort_keys=False, width=120)
    return text


def check_word(option: str, value: str) -> None:
    """Raise InvalidValue for what is not one plain word, and so could end a line or begin another option."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", value):
        raise InvalidValue(
            option, value, "must be letters, digits, '.', '_' and '-', beginning with one of the first two"
        )


def check_kubernetes_name(option: str, value: str) -> None:
    """Raise InvalidValue for what Kubernetes would refuse as a name, with room left for our endings."""
    if not re.fullmatch(r"[a-z]([a-z0-9-]{0,38}[a-z0-9])?", value):
        rule = "must be up to 40 lower-case letters, digits and '-', beginning with a letter and not ending in '-'"
        raise InvalidValue(option, value, rule)


def check_counts(**counts: tuple[int, int]) -> None:
    """Raise InvalidValue for a number below the least: ``option=(number, least)``."""
    for name, (value, least) in counts.items():
        if value < least:
            raise InvalidValue(f"--{name.replace('_', '-')}", value, f"must be at least {least}")
