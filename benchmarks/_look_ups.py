"""What the benchmarks of simulated studies share: their specs, how they are played, and how means are compared."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from asha_nas import problems, simulation
from asha_nas.analysis.comparison import difference, standard_error
from asha_nas.analysis.trajectory import Trajectory
from asha_nas.study import StudySpec, make_spec
from spaces.errors import UserError
from trials.table_lookup import TableLookup

Array = NDArray[np.float64]

NASBENCH101 = "nasbench101-estimated"
"""What ``asha-nas table convert`` makes of the compact form; the official release makes ``nasbench101``."""


@dataclass(frozen=True, slots=True)
class Problem:
    """A table, and the part of it that is searched."""

    table: str
    space: str

    @property
    def plain(self) -> dict[str, str]:
        """As in a spec."""
        return {"kind": "table", "table": self.table, "space": self.space}

    def remarks(self) -> str:
        """What a reader of the figures must know; ends the benchmark if the table is not there, which is no failure."""
        try:
            found = TableLookup(self.table, self.space).remarks()
        except UserError as error:
            print(f"Not measured: {error}")
            sys.exit(0)
        return "; ".join(found)


def spec_of(
    problem: Mapping[str, Any], scheduler: Mapping[str, Any], *, seed: int = 0, workers: int = 1, repeats: int = 1
) -> StudySpec:
    """A study on a virtual clock."""
    engine = {"kind": "simulator", "workers": workers, "repeats": repeats}
    return make_spec({"name": "bench", "seed": seed, "problem": problem, "scheduler": scheduler, "engine": engine})


def played(spec: StudySpec, processes: int) -> list[Trajectory]:
    """The incumbents of all its repeats, in their order."""
    repeats = range(getattr(spec.engine, "repeats", 1))
    every = simulation.play_all(spec, problems.build(spec), repeats, processes)
    return [Trajectory.from_plain(one.trajectory) for one in sorted(every, key=lambda one: one.repeat)]


# --- means and their differences ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Interval:
    """A difference of two means, and its 95 % interval."""

    mean: float
    low: float
    high: float

    def text(self, unit: float = 1.0, digits: int = 3) -> str:
        """Such as ``-0.120 (-0.150..-0.090)``, in ``unit``."""
        return " ".join(
            [f"{self.mean / unit:+.{digits}f}", f"({self.low / unit:+.{digits}f}..{self.high / unit:+.{digits}f})"]
        )


def between(mine: Array, other: Array) -> Interval:
    """``mine`` less ``other``, each (repeats,).

    Repeats of like number have like seeds, and begin with like configurations; so where there are as many, their
    differences are taken (t interval of paired values), else Welch's interval.
    """
    if len(mine) != len(other):
        found = difference(mine, other)
        return Interval(found.mean, found.low, found.high)
    gaps = mine - other
    half = float(stats.t.ppf(0.975, len(gaps) - 1)) * standard_error(gaps) if len(gaps) > 1 else math.nan
    return Interval(float(gaps.mean()), float(gaps.mean()) - half, float(gaps.mean()) + half)


def mean_text(column: Sequence[float] | Array, unit: float = 1.0, digits: int = 3) -> str:
    """Such as ``0.120 ± 0.004``: mean and its standard error; a dot where some repeat has no value."""
    values = np.asarray(column, dtype=float)
    if not len(values) or np.isnan(values).any():
        return "·"
    return f"{values.mean() / unit:.{digits}f} ± {standard_error(values) / unit:.{digits}f}"
