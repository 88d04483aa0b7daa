"""Seconds for hundreds of repeats of a simulated study: regularized evolution on NAS-Bench-101, 280 evaluations each.

What ``asha-nas simulate --repeats 500`` does, without writing: :func:`asha_nas.simulation.play_all` on all processors,
the start of its processes included. Random search beside it shows what of that is the sampler. Needs a table of
NAS-Bench-101 (see docs/tables.md); how many of its figures are measured makes no difference to the time.
"""

from __future__ import annotations

import os
import resource
import time
from typing import Any

from _common import Goal, Spread, Table, alternating, parser, progress, publish
from _look_ups import NASBENCH101, Problem, played, spec_of

KINDS = ("evolution", "random")
LIMIT = 120.0
"""Seconds that 500 repeats may take."""


def main() -> None:
    """Measure, and print."""
    options = parser(__doc__ or "", repeats=1)
    options.add_argument("--table", default=NASBENCH101, help="table of NAS-Bench-101: its name, or its file")
    options.add_argument("--studies", type=int, default=500, help="repeats of the study in one measurement")
    options.add_argument("--evaluations", type=int, default=280, help="configurations of each")
    options.add_argument("--processes", type=int, default=len(os.sched_getaffinity(0)), help="that play them")
    given = options.parse_args()
    problem = Problem(given.table, "nasbench101")
    problem.remarks()
    runs: dict[str, list[dict[str, float]]] = {kind: [] for kind in KINDS}
    for repeat, kind in alternating(KINDS, given.repeats):
        progress(f"repeat {repeat + 1}: {kind}")
        runs[kind].append(_measure(problem, kind, given))
    publish(given.json, [_table(runs, given)], [_goal(runs, given)], runs, ["asha-nas", "numpy"])


def _measure(problem: Problem, kind: str, given: Any) -> dict[str, float]:
    """Wall-clock and processor seconds of all repeats."""
    scheduler = {"kind": kind, "R": 108, "configs": given.evaluations}
    spec = spec_of(problem.plain, scheduler, repeats=given.studies)
    began, used = time.perf_counter(), _processor()
    found = played(spec, given.processes)
    assert len(found) == given.studies
    assert all(one.end.evaluations == given.evaluations for one in found)
    return {"wall": time.perf_counter() - began, "processor": _processor() - used}


def _processor() -> float:
    """Seconds of this process and of those that it has ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def _table(runs: dict[str, list[dict[str, float]]], given: Any) -> Table:
    evaluations = given.studies * given.evaluations
    rows = []
    for kind, found in runs.items():
        wall = Spread.of(one["wall"] for one in found)
        used = Spread.of(one["processor"] for one in found)
        each = Spread.of(1e6 * one["processor"] / evaluations for one in found)
        rows.append([kind, wall.text(), used.text(), each.text(0)])
    title = f"{given.studies} repeats of {given.evaluations} evaluations, {given.processes} processes"
    return Table(title, ["", "seconds", "processor seconds", "µs of processor time an evaluation"], rows)


def _goal(runs: dict[str, list[dict[str, float]]], given: Any) -> Goal:
    taken = Spread.of(one["wall"] for one in runs["evolution"])
    whole = given.studies == 500 and given.evaluations == 280
    claim = f"500 repeats of 280 evaluations of evolution in under {LIMIT:.0f} s"
    return Goal(claim, f"{taken.text()} s", taken.median < LIMIT if whole else None)


if __name__ == "__main__":
    main()
