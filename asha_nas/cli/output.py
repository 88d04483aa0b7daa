"""How commands speak: tables for people, JSON for programs, plain words for mistakes."""

from __future__ import annotations

import dataclasses
import json
import math
import sys
from collections.abc import Mapping
from typing import Any, Literal

from rich.console import Console
from rich.table import Table

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)


def print_json(value: Any) -> None:
    """Print plain values and dataclasses as JSON; numbers that are not finite become null."""
    json.dump(_plain(value), sys.stdout, indent=2, ensure_ascii=False)
    sys.stdout.write("\n")


def table(columns: list[str], rows: list[list[Any]], *, right: tuple[str, ...] = ()) -> Table:
    """A plain table; ``None`` is shown as a dot."""
    made = Table(*(), box=None, header_style="bold", padding=(0, 2, 0, 0))
    for column in columns:
        justify: Literal["left", "right"] = "right" if column in right else "left"
        longest = max(map(len, column.split()), default=0)  # words of a heading are not broken
        made.add_column(column, justify=justify, overflow="fold", min_width=longest)
    for row in rows:
        made.add_row(*("·" if cell is None else str(cell) for cell in row))
    return made


def settings_text(config: Mapping[str, Any]) -> str:
    """A configuration in a line, numbers to three digits."""
    shown = {name: f"{value:.3g}" if isinstance(value, float) else str(value) for name, value in config.items()}
    return ", ".join(f"{name} {value}" for name, value in shown.items())


def size(count: float) -> str:
    """Bytes for people."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
