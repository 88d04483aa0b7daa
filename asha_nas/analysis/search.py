"""What one-shot searches found, epoch by epoch: pure functions of a study's history."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from asha_nas.analysis.history import History, JobRecord

if TYPE_CHECKING:
    import pandas as pd

ONE_SHOT: Final = "one_shot_valid_error"
"""Metric: validation error of the super-net itself, a share of images."""
REGRET: Final = "regret"
"""Metric: test regret, by the table, of the cell that would be chosen now, a share of images."""


@dataclass(frozen=True, slots=True, eq=False)
class SearchCurve:
    """One search."""

    trial: int
    seed: int | None
    """Its seed; None if its configuration names none."""
    budget: int
    """Epochs that it was to search."""
    state: str
    """``running``, ``done``, ``diverged`` or ``failed``."""
    epochs: NDArray[np.int64]
    """(E,), ascending: those reported so far."""
    metrics: Mapping[str, NDArray[np.float64]]
    """By name, (E,) each; NaN where a report lacks it."""
    cell: str | None
    """Text of the cell chosen last; of the genotype, where the space is darts-cnn; None before the first report."""
    hash: str | None
    """Hash of that cell; None where the space has none."""
    search_seconds: float
    """Seconds of search so far; NaN before the first report."""
    simulated_seconds: float
    """Those, and the table's seconds of training the cell at the highest budget; NaN without a table."""

    def last(self, metric: str) -> float:
        """The newest value of a metric; NaN if there is none."""
        values = self.metrics.get(metric)
        return math.nan if values is None or not len(values) else float(values[-1])


def curve(history: History, trial: int) -> SearchCurve:
    """The search of one trial.

    Raises:
        TrialNotFound: the study has no such trial.
    """
    record = history.trial(trial)
    job = record.jobs[-1]  # a search is one job
    epochs = sorted(job.metrics)
    names = dict.fromkeys(name for epoch in epochs for name in job.metrics[epoch])
    return SearchCurve(
        trial=trial, seed=record.config.get("seed"), budget=job.stop, state=job.state,
        epochs=np.array(epochs, dtype=np.int64),
        metrics={name: np.array([job.metrics[e].get(name, math.nan) for e in epochs], dtype=float) for name in names},
        cell=found_text(job), hash=job.notes.get("hash"),
        search_seconds=float(job.clock.get("search_seconds", math.nan)),
        simulated_seconds=float(job.clock.get("simulated_seconds", math.nan)),
    )  # fmt: skip


def curves(history: History) -> list[SearchCurve]:
    """The searches of a study in the order of their trials."""
    return [curve(history, trial) for trial in sorted(history.trials)]


def found_text(job: JobRecord) -> str | None:
    """Text of the cell, or the genotype, that a search has chosen last; None if it has none yet."""
    text = job.notes.get("cell", job.notes.get("genotype"))
    return None if text is None else str(text)


def searches(history: History) -> pd.DataFrame:
    """One row a search, indexed by its trial.

    Columns: ``seed``, ``budget`` and ``epochs`` (reported so far), ``state``, ``cell``, ``hash``, ``search_seconds``,
    ``simulated_seconds``, and one for each metric, as of the last epoch.
    """
    import pandas as pd  # noqa: PLC0415 - takes a while, and commands that only list need none of it

    rows = [
        {
            "trial": one.trial, "seed": one.seed, "budget": one.budget, "epochs": len(one.epochs), "state": one.state,
            "cell": one.cell, "hash": one.hash, "search_seconds": one.search_seconds,
            "simulated_seconds": one.simulated_seconds, **{name: one.last(name) for name in one.metrics},
        }
        for one in curves(history)
    ]  # fmt: skip
    columns = ["trial", "seed", "budget", "epochs", "state", "cell", "hash", "search_seconds", "simulated_seconds"]
    return (pd.DataFrame(rows) if rows else pd.DataFrame(columns=columns)).set_index("trial")


# --- over seeds ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Spread:
    """One number over several seeds."""

    seeds: int
    """How many have it, >= 1."""
    mean: float
    std: float
    """Sample standard deviation; 0 for a single seed."""


def spread(values: Sequence[float]) -> Spread | None:
    """Mean and standard deviation of the values that are numbers; None if none is."""
    known = [value for value in values if not math.isnan(value)]
    if not known:
        return None
    return Spread(len(known), statistics.fmean(known), statistics.stdev(known) if len(known) > 1 else 0.0)


@dataclass(frozen=True, slots=True, eq=False)
class Band:
    """A curve over several seeds; values are shares of images."""

    mean: NDArray[np.float64]
    """(E,)."""
    std: NDArray[np.float64]
    """(E,): sample standard deviation; zeros for a single seed."""


@dataclass(frozen=True, slots=True, eq=False)
class Curves:
    """Searches that differ by their seed alone."""

    seeds: int
    """How many, >= 1."""
    epochs: NDArray[np.int64]
    """(E,), ascending: those that all of them have reported."""
    one_shot: Band
    """Validation error of the super-net."""
    regret: Band | None
    """Test regret of the chosen cell; None without a table."""


def over_seeds(found: Sequence[SearchCurve]) -> Curves | None:
    """Average searches of the same optimizer, space and budget; None if no epoch is common to all of them."""
    if not found:
        return None
    epochs = found[0].epochs
    for one in found[1:]:
        epochs = np.intersect1d(epochs, one.epochs)
    if not len(epochs):
        return None
    has_regret = all(REGRET in one.metrics for one in found)
    regret = _band(found, REGRET, epochs) if has_regret else None
    return Curves(len(found), epochs, _band(found, ONE_SHOT, epochs), regret)


def by_budget(history: History) -> dict[int, list[SearchCurve]]:
    """The finished searches by budget, highest first; of a budget that has none, those that run."""
    every = curves(history)
    chosen = {}
    for budget in sorted(history.ladder, reverse=True):
        of_budget = [one for one in every if one.budget == budget and len(one.epochs)]
        done = [one for one in of_budget if one.state == "done"]
        chosen[budget] = done or [one for one in of_budget if one.state == "running"]
    return {budget: found for budget, found in chosen.items() if found}


def _band(found: Sequence[SearchCurve], metric: str, epochs: NDArray[np.int64]) -> Band:
    # (seeds, E)
    values = np.stack([one.metrics[metric][np.isin(one.epochs, epochs)] for one in found])
    std = values.std(axis=0, ddof=1) if len(found) > 1 else np.zeros(len(epochs))
    return Band(values.mean(axis=0), std)
