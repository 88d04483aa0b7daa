"""Promoting trials or stopping them: our ASHA beside Ray Tune's and Syne Tune's, on one virtual clock.

All have the same rungs, 25 workers, and for each seed the same configurations in the same order. Ours promotes
(Algorithm 2 of Li et al., arXiv:1810.05934, ``capped`` or ``eager``); the peers' own scheduler objects, driven without
their clusters, decide at each rung whether a trial goes on at once or is stopped for good. Random search trains
everything to R. Two problems:

- *curves*: recorded trainings of TaskSet's twelve recurrent networks with a thousand settings of Adam each, 50 epochs
  (r = 1, η = 4). Going on costs nothing but its own epochs. Compared is the lowest validation loss reported so far: 0 %
  is the lowest of all settings at any epoch, 100 % that before training. A repeat is the mean over the twelve tasks.
- *cells*: NAS-Bench-101 (r = 4, R = 108, η = 3), where each budget is a training from scratch, for everybody. Compared
  is the regret (test error) of the cell of the lowest validation error.

Moments are in multiples of one training to R: all workers have been busy for so long. Differences are paired by seed,
with 95 % intervals. A problem whose data are not there is left out, and said so (see docs/tables.md and the guide).
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from _common import Goal, Table, parser, progress, publish, version
from _look_ups import NASBENCH101, Array, Interval, between, mean_text, spec_of
from _stopping import PEERS, Best, play_stopping

from asha_nas import problems, simulation
from asha_nas.driver import Driver
from asha_nas.store import Event, Reported
from asha_nas.study import StudySpec
from spaces.errors import UserError
from trials.curve_lookup import find
from trials.tables import open_table

MOMENTS = (1, 2, 4)
"""Times of one training to R."""
OURS = {
    "ours, capped": {"kind": "asha", "promotion": "capped"},
    "ours, eager": {"kind": "asha", "promotion": "eager"},
    "random search": {"kind": "random"},
}
LINES = (*list(OURS)[:2], *PEERS, "random search")
PER_CENT = 0.01


@dataclass(frozen=True)
class Curves:
    """Learning curves of one task after the other."""

    name = "curves"
    ladder = {"r": 1, "R": 50, "eta": 4}  # noqa: RUF012 - never changed
    seconds = 50.0
    """Of a training to R."""

    @cached_property
    def parts(self) -> dict[str, tuple[float, float]]:
        """By task, the lowest validation loss and that before training."""
        with np.load(find("taskset_imdb_rnn")) as arrays:
            every = {name: arrays[name][:, 1] for name in sorted(set(arrays.files) - {"hp", "hp_names"})}
        return {name: (float(np.nanmin(one)), float(one[0, 0])) for name, one in every.items()}

    def spec(self, part: str) -> dict[str, str]:
        """The problem of a study of one task."""
        return {"kind": "curves", "task": part}

    def value(self, part: str, metrics: Mapping[str, float]) -> float:
        """0 to 1; less is better."""
        best, untrained = self.parts[part]
        return (metrics["valid_loss"] - best) / (untrained - best)

    def remarks(self) -> str:
        """What a reader must know."""
        return f"curves: {len(self.parts)} tasks"


@dataclass(frozen=True)
class Cells:
    """Cells of NAS-Bench-101."""

    table: str
    name = "cells"
    ladder = {"r": 4, "R": 108, "eta": 3}  # noqa: RUF012 - never changed

    @cached_property
    def seconds(self) -> float:
        """Of a training of the average cell to R."""
        return float(open_table(self.table).column("seconds", 108).mean())

    @property
    def parts(self) -> tuple[str, ...]:
        """One: the whole space."""
        return ("nasbench101",)

    def spec(self, part: str) -> dict[str, str]:
        """The problem of a study."""
        return {"kind": "table", "table": self.table, "space": part}

    def value(self, _part: str, metrics: Mapping[str, float]) -> float:
        """Regret, 0 to 1."""
        return metrics["regret"]

    def remarks(self) -> str:
        """What a reader must know."""
        from trials.table_lookup import TableLookup

        return "cells: " + "; ".join(TableLookup(self.table, "nasbench101").remarks())


def main() -> None:
    """Play everything, and print."""
    options = parser(__doc__ or "", repeats=3)
    options.add_argument("--table", default=NASBENCH101, help="table of NAS-Bench-101: its name, or its file")
    options.add_argument("--problems", nargs="+", default=["curves", "cells"], choices=["curves", "cells"])
    options.add_argument("--workers", type=int, default=25, help="virtual workers")
    given = options.parse_args()
    tables, goals, figures, remarks = [], [], {}, []
    for problem in (Curves(), Cells(given.table)):
        if problem.name not in given.problems:
            continue
        try:
            remarks.append(problem.remarks())
        except (UserError, FileNotFoundError) as error:
            remarks.append(f"{problem.name}: not measured: {error}")
            continue
        found = {name: _play(problem, name, given) for name in LINES if _installed(name)}
        tables += [_table(problem, found), _differences(problem, found)]
        goals += _goals(problem, found)
        figures[problem.name] = {name: values.tolist() for name, values in found.items()}
    publish(given.json, tables, goals, figures, ["asha-nas", "ray", "syne-tune", "numpy"], "\n".join(remarks))


def _installed(name: str) -> bool:
    return name not in PEERS or version(PEERS[name][0]) is not None


def _play(problem: Curves | Cells, name: str, given: Any) -> Array:
    """The value at each moment, (repeats, moments)."""
    progress(f"{problem.name}: {name}")
    until = MOMENTS[-1] * problem.seconds
    found = []
    for seed in range(given.repeats):
        of_parts = []
        for part in problem.parts:
            best = _best(problem, part, name, seed, given.workers, until)
            places = np.searchsorted(best.times, [times * problem.seconds for times in MOMENTS], side="right") - 1
            of_parts.append([problem.value(part, best.metrics[place]) for place in places])
        found.append([statistics.fmean(column) for column in zip(*of_parts, strict=True)])
    return np.array(found)


def _best(problem: Curves | Cells, part: str, name: str, seed: int, workers: int, until: float) -> Best:
    """One study."""
    ladder, hours = problem.ladder, {"max_hours": until / 3600}
    if name in PEERS:
        scheduler = {"kind": "asha", **ladder, **hours}
        spec = spec_of(problem.spec(part), scheduler, seed=seed, workers=workers)
        return play_stopping(PEERS[name][1](**ladder), spec, problems.build(spec), workers, until)
    rungs = {"R": ladder["R"]} if name == "random search" else ladder
    return _play_ours(spec_of(problem.spec(part), {**OURS[name], **rungs, **hours}, seed=seed, workers=workers))


def _play_ours(spec: StudySpec) -> Best:
    """As :func:`asha_nas.simulation.play`, but that every report counts, as for the peers, not only a job's last."""
    problem, cluster, best = problems.build(spec), simulation.engine(spec, began=0.0), Best()

    def write(event: Event) -> None:
        if isinstance(event, Reported):
            best.add(cluster.now(), problem.loss(event.metrics), dict(event.metrics))

    cluster.run(Driver(spec, problem, write, folder="", clock=cluster.now), problem.trial)
    return best


# --- what is printed ---------------------------------------------------------------------------------------------


def _table(problem: Curves | Cells, found: dict[str, Array]) -> Table:
    rows = []
    for name in LINES:
        if name not in found:
            rows.append([name, *[f"{PEERS[name][0]} not installed"] * len(MOMENTS)])
            continue
        rows.append([name, *(mean_text(column, PER_CENT) for column in found[name].T)])
    title = {"curves": "Curves: normalised validation loss", "cells": "Cells: regret"}[problem.name]
    repeats = len(next(iter(found.values())))
    heads = [f"after {times} × R" for times in MOMENTS]
    return Table(f"{title}, %: mean ± standard error, {repeats} seeds", ["", *heads], rows)


def _differences(problem: Curves | Cells, found: dict[str, Array]) -> Table:
    mine = found[LINES[0]]
    rows = [
        [f"{LINES[0]} - {name}", *(one.text(PER_CENT) for one in _gaps(mine, other))]
        for name, other in found.items()
        if name != LINES[0]
    ]
    title = f"{problem.name.capitalize()}: differences, points of %, with 95 % intervals; below 0 the first is better"
    return Table(title, ["", *(f"after {times} × R" for times in MOMENTS)], rows)


def _gaps(mine: Array, other: Array) -> list[Interval]:
    return [between(one, two) for one, two in zip(mine.T, other.T, strict=True)]


def _goals(problem: Curves | Cells, found: dict[str, Array]) -> list[Goal]:
    goals = []
    for name in PEERS:
        claim = f"{problem.name}: promotion is never found worse than {name}'s stopping: no interval lies above 0"
        if name not in found:
            goals.append(Goal(claim, f"{PEERS[name][0]} is not installed", None))
            continue
        gaps = _gaps(found[LINES[0]], found[name])
        worst = max(gaps, key=lambda gap: gap.low)
        goals.append(Goal(claim, f"the highest is {worst.text(PER_CENT)} % points", worst.low <= 0))
    return goals


if __name__ == "__main__":
    main()
