"""How good the found cells are: samplers and schedulers on a table of NAS-Bench-101, over many repeats.

Each line is one way to search, played on a virtual clock with one worker and many seeds. Given are means over repeats
of two figures of the incumbent, which is the cell of the lowest validation error so far, at any budget: its *regret*
(its mean test error at 108 epochs less that of the best cell of the space), and its *validation error*, which is what
is searched by. Lines are compared

- at *equal evaluations*: after 280 trainings, as by Zela et al. (NAS-Bench-1Shot1). Hyperband and BOHB (r = 4, R = 108,
  η = 3) run brackets in turn and are cut there; most of their evaluations are of 4 to 36 epochs and much cheaper;
- at *equal time*: when the trainings have taken as many simulated seconds as 150 of the average cell to 108 epochs. In
  that time full trainings of larger cells are fewer than 280, and those of Hyperband and BOHB about 1,000.

Differences have 95 % intervals: paired where two lines have as many repeats (equal seeds draw equal random cells), else
Welch's. Lines that take long have fewer repeats, and HpBandSter's own sampler is played to 280 evaluations only.

What the table only estimates, the figures only estimate; it is said above them how much that is. Needs a table of
NAS-Bench-101 (see docs/tables.md); ``--space s1`` etc. searches a space of NAS-Bench-1Shot1 in it.
"""

from __future__ import annotations

import importlib.util
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from _common import Goal, Table, parser, progress, publish
from _look_ups import NASBENCH101, Array, Interval, Problem, between, mean_text, played, spec_of

from asha_nas.analysis.comparison import Value, at, find_axis
from asha_nas.analysis.trajectory import Trajectory
from trials.tables import open_table

EVALUATIONS, R = 280, 108
TRAININGS = 150
"""Equal time: that of so many trainings of the average cell."""
PER_CENT = 0.01
HALVING = {"r": 4, "R": R, "eta": 3}
VALUES = {"regret": Value("regret"), "validation error": Value("loss")}
AXES = {"evaluations": "evaluations", "time": "spent"}


@dataclass(frozen=True, slots=True)
class Line:
    """One way to search."""

    scheduler: Mapping[str, Any]
    share: float = 1.0
    """Of ``--repeats`` that it is played; less where it is slow."""
    brackets: int | None = None
    """Of Hyperband; None where each evaluation is a full training."""
    needs: str = ""
    """Module without which it cannot be played."""


LINES = {
    "random": Line({"kind": "random"}),
    "evolution": Line({"kind": "evolution"}),
    "reinforce": Line({"kind": "reinforce"}),
    "hyperband": Line({"kind": "hyperband"}, brackets=64),
    "bohb": Line({"kind": "bohb", "sampler": "kde"}, 0.5, 80),
    "bohb, HpBandSter": Line({"kind": "bohb", "sampler": "hpbandster"}, 0.25, 20, "hpbandster"),
    "tpe": Line({"kind": "tpe"}, 0.25, needs="optuna"),
    "smac": Line({"kind": "smac"}, 0.025, needs="smac"),
}
COMPARED = (
    ("evolution", "random"), ("evolution", "hyperband"), ("reinforce", "random"), ("tpe", "random"), ("smac", "random"),
    ("bohb", "hyperband"), ("bohb", "bohb, HpBandSter"),
)  # fmt: skip


def main() -> None:
    """Play every line, and print."""
    options = parser(__doc__ or "", repeats=20)
    options.add_argument("--table", default=NASBENCH101, help="table of NAS-Bench-101: its name, or its file")
    options.add_argument("--space", default="nasbench101", help="what is searched: nasbench101, or s1, s2, s3")
    options.add_argument("--lines", nargs="+", default=list(LINES), choices=list(LINES), help="what is played")
    options.add_argument("--processes", type=int, default=len(os.sched_getaffinity(0)), help="that play repeats")
    given = options.parse_args()
    problem = Problem(given.table, given.space)
    remarks = problem.remarks()
    seconds = TRAININGS * float(open_table(given.table).column("seconds", R).mean())
    found = {name: _play(problem, name, given) for name in given.lines if _installed(LINES[name])}
    moments = {"evaluations": float(EVALUATIONS), "time": seconds}
    columns = {
        (axis, value): {name: _values(every, axis, moments[axis], value) for name, every in found.items()}
        for axis, value in product(AXES, VALUES)
    }
    tables = [_table(given, found, columns, seconds), *(_differences(columns, value) for value in VALUES)]
    publish(given.json, tables, _goals(columns), _plain(columns), [
        "asha-nas", "numpy", "hpbandster", "optuna", "smac",
    ], f"Of the table's figures: {remarks}.")  # fmt: skip


def _installed(line: Line) -> bool:
    return not line.needs or importlib.util.find_spec(line.needs) is not None


def _play(problem: Problem, name: str, given: Any) -> list[Trajectory]:
    line = LINES[name]
    repeats = max(2, round(given.repeats * line.share))
    bounds = {"R": R, "configs": EVALUATIONS} if line.brackets is None else {**HALVING, "iterations": line.brackets}
    began = time.perf_counter()
    every = played(spec_of(problem.plain, {**line.scheduler, **bounds}, repeats=repeats), given.processes)
    progress(f"{name}: {repeats} repeats, {time.perf_counter() - began:.0f} s")
    return every


def _values(every: list[Trajectory], axis: str, x: float, value: str) -> Array:
    """The incumbent's at ``x``, (repeats,); NaN for a repeat that ends before."""
    over = find_axis(AXES[axis])
    ended = np.array([getattr(one.end, over.field) < x for one in every])
    return np.where(ended, np.nan, [at(one, over, VALUES[value], np.array([x]))[0] for one in every])


# --- what is printed ---------------------------------------------------------------------------------------------

Columns = dict[tuple[str, str], dict[str, Array]]
"""By axis, value and line: (repeats,)."""


def _table(given: Any, found: dict[str, list[Trajectory]], columns: Columns, seconds: float) -> Table:
    rows = []
    for name in given.lines:
        if name not in found:
            rows.append([name, f"{LINES[name].needs} not installed", *[""] * len(columns)])
            continue
        rows.append([name, str(len(found[name])), *(mean_text(each[name], PER_CENT) for each in columns.values())])
    moments = {"evaluations": f"after {EVALUATIONS} evaluations", "time": f"after {seconds / 3600:.0f} h of training"}
    heads = [f"{value}, {moments[axis]}" for axis, value in columns]
    return Table(f"The incumbent in {given.space}, %: mean ± standard error", ["", "repeats", *heads], rows)


def _difference(columns: Columns, axis: str, value: str, mine: str, other: str) -> Interval | None:
    """None where one of them was not played so far."""
    found = columns[axis, value]
    if mine not in found or other not in found or np.isnan([*found[mine], *found[other]]).any():
        return None
    return between(found[mine], found[other])


def _differences(columns: Columns, value: str) -> Table:
    rows = []
    for mine, other in COMPARED:
        every = [_difference(columns, axis, value, mine, other) for axis in AXES]
        if any(every):
            rows.append([f"{mine} - {other}", *("·" if one is None else one.text(PER_CENT) for one in every)])
    title = f"Differences of {value}, points of %, with 95 % intervals; below 0 the first is better"
    return Table(title, ["", *(f"equal {axis}" for axis in AXES)], rows)


def _goals(columns: Columns) -> list[Goal]:
    return [
        _goal(columns, "time", "evolution", "random", "evolution finds better cells than random search"),
        _goal(columns, "time", "evolution", "hyperband", "evolution finds better cells than Hyperband in equal time"),
        _goal(
            columns, "evaluations", "bohb", "bohb, HpBandSter", "our BOHB is not found worse than HpBandSter's", True
        ),
    ]


def _goal(columns: Columns, axis: str, mine: str, other: str, claim: str, no_worse: bool = False) -> Goal:
    """Better: the whole interval of regret is below 0. Not found worse: not all of it is above."""
    found = _difference(columns, axis, "regret", mine, other)
    if found is None:
        return Goal(claim, "not all was played", None)
    return Goal(claim, f"{found.text(PER_CENT)} % points of regret", found.low <= 0 if no_worse else found.high < 0)


def _plain(columns: Columns) -> list[dict[str, Any]]:
    return [
        {
            "axis": axis,
            "value": value,
            "lines": {name: np.where(np.isnan(c), None, c).tolist() for name, c in lines.items()},
        }
        for (axis, value), lines in columns.items()
    ]


if __name__ == "__main__":
    main()
