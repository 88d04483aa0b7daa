"""Many rows of a table at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from spaces.errors import InvalidValue
from spaces.table.columns import ABSENT, ACCURACIES, ESTIMATED, MEASURED, METRICS, cells_class, hash_cells
from spaces.table.errors import MetricAbsent
from spaces.table.figures import Figures

if TYPE_CHECKING:
    from spaces.table.table import Table


@dataclass(frozen=True, slots=True)
class Coverage:
    """How many cells have a figure at one budget."""

    measured: int
    """Cells."""
    estimated: int
    """Cells."""
    absent: int
    """Cells."""


@dataclass(frozen=True, slots=True)
class Metric:
    """What a table has of one metric."""

    metric: str
    """Such as ``valid_accuracy``."""
    runs: int
    """Figures of each cell and budget: the table's repeats, or 1."""
    aggregate: str | None
    """What a single figure stands for: ``mean``, ``maximum``, or ``None``."""
    denominator: int | None
    """What counts are divided by; ``None`` for seconds and parameters."""
    coverage: Mapping[int, Coverage]
    """By budget in epochs."""


def describe(figures: Figures, budgets: tuple[int, ...]) -> Metric:
    """Count a column's figures by budget and status; parameters are the same at all."""
    coverage = {}
    for stage, budget in enumerate(budgets):
        statuses = figures.all_statuses(min(stage, figures.budgets - 1), None)
        counted = np.bincount(statuses, minlength=3).tolist()
        coverage[budget] = Coverage(counted[MEASURED], counted[ESTIMATED], counted[ABSENT])
    denominator = figures.scale if figures.metric in ACCURACIES else None
    return Metric(figures.metric, figures.runs, figures.aggregate, denominator, coverage)


def begins(prefixes: NDArray[np.uint64], bits: int) -> NDArray[np.int64]:
    """Return for each value of the first ``bits`` bits the first row that has them or more, and then the row count."""
    values = np.arange(1 << bits, dtype=np.uint64) << np.uint64(64 - bits)
    return np.append(np.searchsorted(prefixes, values), len(prefixes))


def find(
    cells: Any, space: str, prefixes: NDArray[np.uint64], hashes: NDArray[np.uint8], missing: str
) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
    """Return the row of each cell, −1 for one that is not there, and the cells' hashes."""
    if missing not in ("error", "-1"):
        raise InvalidValue("missing", missing, "must be 'error' or '-1'")
    wanted = _hashes(cells, space)
    keys = wanted.view(">u8")[:, 0].astype(np.uint64)
    rows = np.searchsorted(prefixes, keys).astype(np.int64)
    found = np.full(len(keys), -1, dtype=np.int64)
    open_ = np.flatnonzero(rows < len(prefixes))
    while open_.size:  # one turn, but for prefixes that occur twice
        at = rows[open_]
        open_, at = open_[prefixes[at] == keys[open_]], at[prefixes[at] == keys[open_]]
        same = (hashes[at].view(np.uint64) == wanted[open_].view(np.uint64)).all(axis=1)
        found[open_[same]] = at[same]
        open_ = open_[~same]
        rows[open_] += 1
        open_ = open_[rows[open_] < len(prefixes)]
    return found, wanted


def _hashes(cells: Any, space: str) -> NDArray[np.uint8]:
    if isinstance(cells, cells_class(space)):
        return hash_cells(space)(cells)
    if isinstance(cells, np.ndarray) and cells.dtype == np.uint8 and cells.ndim == 2 and cells.shape[1] == 16:
        return np.ascontiguousarray(cells)
    found = f"{cells.dtype} {cells.shape}" if isinstance(cells, np.ndarray) else type(cells).__name__
    raise InvalidValue("cells", found, f"must be cells of {space}, or hashes as uint8 (M, 16)")


def column(
    table: Table, metric: str, stage: int, repeat: str | int, rows: NDArray[np.int64] | None, absent: str
) -> NDArray[np.float64]:
    """See :meth:`Table.column`."""
    if absent not in ("error", "nan"):
        raise InvalidValue("absent", absent, "must be 'error' or 'nan'")
    figures, stage, there, rows = _chosen(table, metric, stage, rows)
    if repeat != "mean":
        table.check_single(figures)
    total, scale = figures.totals(stage, rows, repeat)
    values: NDArray[np.float64] = total / scale
    if not there.all():
        if absent == "error":
            first = int(np.argmin(there))
            _raise_absent(table, figures, stage, first if rows is None else int(rows[first]), int((~there).sum()))
        values[~there] = np.nan
    return values


def _chosen(
    table: Table, metric: str, stage: int, rows: NDArray[np.int64] | None
) -> tuple[Figures, int, NDArray[np.bool_], NDArray[np.int64] | None]:
    """Return the column of a metric, the budget's index in it, which figures may be given out, and checked rows."""
    figures = table.figures(metric)
    if metric not in METRICS:
        raise InvalidValue("metric", metric, f"must be one of {', '.join(METRICS)}")
    if rows is not None:
        rows = np.asarray(rows)
        if (
            rows.ndim != 1
            or rows.dtype.kind not in "iu"
            or (rows.size and not 0 <= rows.min() <= rows.max() < len(table))
        ):
            raise InvalidValue("rows", f"{rows.dtype} {rows.shape}", f"must be integers from 0 to {len(table) - 1}")
    stage = min(stage, figures.budgets - 1)
    statuses = figures.all_statuses(stage, rows)
    there = statuses == MEASURED
    if table.estimates:
        there |= statuses == ESTIMATED
    return figures, stage, there, rows


def _raise_absent(table: Table, figures: Figures, stage: int, row: int, missing: int) -> None:
    budget = table.budgets[stage]
    why = f"{missing:,} of these cells have none at {budget} epochs, cell {table.hash_of(row)} for one"
    raise MetricAbsent(figures.metric, why, table.there_is(row) + '. Ask with absent="nan" for gaps')


def best(table: Table, metric: str, stage: int, repeat: str, rows: NDArray[np.int64] | None) -> tuple[int, str | int]:
    """Return row and run of the highest accuracy; see :meth:`Table.best`."""
    if metric not in ACCURACIES:
        raise InvalidValue("metric", metric, f"must be an accuracy: {', '.join(ACCURACIES)}")
    if repeat not in ("mean", "best"):
        raise InvalidValue("repeat", repeat, "must be 'mean' or 'best'")
    figures, stage, there, rows = _chosen(table, metric, stage, rows)
    if not there.any():
        budgets = [budget for budget, known in table.metrics[metric].coverage.items() if known.measured]
        known = f"measured figures at {', '.join(map(str, budgets)) or 'no'} epochs"
        raise MetricAbsent(metric, f"none of these cells has one at {table.budgets[stage]} epochs", known)
    if repeat == "best" and figures.runs == 1 and figures.aggregate != "maximum":
        table.check_single(figures)
    values = figures.array[stage] if rows is None else figures.array[stage, rows]
    if repeat == "mean":
        values = values.sum(axis=1, keepdims=True, dtype=np.int64)
    highest = np.where(there, values.max(axis=1).astype(np.int64), -1)
    at = int(highest.argmax())
    single = repeat == "best" and figures.aggregate is None
    run: str | int = int(values[at].argmax()) if single else "mean"
    return (at if rows is None else int(rows[at])), run
