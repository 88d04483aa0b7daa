"""What the benchmarks share: spreads, tables, the machine's description, and runs in processes of their own."""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import platform
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True, slots=True)
class Spread:
    """Repeated measurements of one quantity."""

    median: float
    low: float
    high: float
    repeats: int

    @classmethod
    def of(cls, values: Iterable[float]) -> Spread:
        """Sum up one or more values."""
        known = list(values)
        return cls(statistics.median(known), min(known), max(known), len(known))

    def text(self, digits: int = 1) -> str:
        """Such as ``9.4 (9.1..10.2)``; a single measurement has no spread."""
        middle = f"{self.median:.{digits}f}"
        return middle if self.repeats == 1 else f"{middle} ({self.low:.{digits}f}..{self.high:.{digits}f})"


@dataclass(frozen=True, slots=True)
class Goal:
    """A claim, and whether this run bears it out."""

    claim: str
    measured: str
    met: bool | None
    """``None`` when it could not be measured."""

    def text(self) -> str:
        """One line."""
        verdict = {True: "met", False: "NOT met", None: "not measured"}[self.met]
        return f"Goal: {self.claim}. Measured: {self.measured}. {verdict}."


@dataclass(frozen=True, slots=True)
class Table:
    """Rows side by side."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]

    def text(self) -> str:
        """Markdown whose columns also line up in a terminal."""
        grid = [list(self.columns), *[list(row) for row in self.rows]]
        widths = [max(len(row[i]) for row in grid) for i in range(len(self.columns))]
        lines = ["| " + " | ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)) + " |" for row in grid]
        rule = "|" + "|".join("-" * (width + 2) for width in widths) + "|"
        return "\n".join([f"{self.title}\n", lines[0], rule, *lines[1:]])


def parser(description: str, repeats: int = 3) -> argparse.ArgumentParser:
    """Options that every benchmark has."""
    options = argparse.ArgumentParser(
        description=description, formatter_class=argparse.ArgumentDefaultsHelpFormatter, allow_abbrev=False
    )
    options.add_argument("--repeats", type=int, default=repeats, help="measurements of each cell, in alternating order")
    options.add_argument("--json", action="store_true", help="print figures as JSON instead of tables")
    return options


def publish(
    as_json: bool,
    tables: Sequence[Table],
    goals: Sequence[Goal],
    figures: Any,
    packages: Sequence[str],
    note: str = "Figures: median (min..max) over the repeats.",
) -> None:
    """Print what was measured, where, how it stands to its goals, and what a reader of the figures must know."""
    where = machine(packages)
    if as_json:
        print(
            json.dumps(
                {"machine": where, "note": note, "goals": [asdict(goal) for goal in goals], "figures": figures},
                indent=2,
            )
        )
        return
    print("Machine: " + ", ".join(f"{name} {value}" for name, value in where.items()))
    print(note)
    for table in tables:
        print("\n" + table.text())
    print()
    for goal in goals:
        print(goal.text())


def machine(packages: Sequence[str]) -> dict[str, str]:
    """What the figures depend on."""
    where = {"cores": str(os.cpu_count()), "python": platform.python_version(), "system": platform.system()}
    return where | {name: version(name) or "not installed" for name in packages}


def version(package: str) -> str | None:
    """Version of an installed distribution, or ``None``."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def alternating(names: Sequence[str], repeats: int) -> Iterable[tuple[int, str]]:
    """Every name once a repeat, forwards and backwards in turn, so that drift of the machine favours nobody."""
    for repeat in range(repeats):
        for name in names if repeat % 2 == 0 else reversed(names):
            yield repeat, name


def in_a_process(script: str, *arguments: str, limit: float) -> dict[str, Any] | None:
    """The JSON that a script of this folder prints last, or ``None`` if it took more than ``limit`` seconds.

    Raises:
        RuntimeError: the script failed; with the end of what it said.
    """
    command = [sys.executable, str(ROOT / "benchmarks" / script), *arguments]
    paths = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    environment = {**os.environ, "PYTHONPATH": paths, "RAY_USAGE_STATS_ENABLED": "0", "PYTHONWARNINGS": "ignore"}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment, start_new_session=True
    ) as process:
        try:
            said, _ = process.communicate(timeout=limit)
        except subprocess.TimeoutExpired:
            process.terminate()  # Ray ends what it started when its driver ends
            process.communicate()
            return None
    if process.returncode != 0:
        raise RuntimeError(f"{' '.join(command)} failed:\n{said[-3000:]}")
    found: dict[str, Any] = json.loads(said.splitlines()[-1])
    return found


def progress(text: str) -> None:
    """Tell a person who waits; on stderr, so that ``--json`` stays clean."""
    print(text, file=sys.stderr, flush=True)


def ratios(values: Mapping[str, Sequence[float]], base: str) -> dict[str, Spread]:
    """Each name's values over ``base``'s of the same repeat."""
    return {
        name: Spread.of(value / reference for value, reference in zip(mine, values[base], strict=True))
        for name, mine in values.items()
    }


Measure = Callable[..., dict[str, Any]]
