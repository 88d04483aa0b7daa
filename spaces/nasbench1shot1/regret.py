"""The best architecture of a space in a table of figures, and how much worse another one is.

NAS-Bench-1Shot1 plots the regret of a cell as its error, averaged over the repeats of its
training, minus the lowest error of any single run in the space. That reference is a lucky run,
so the regret of the best architecture is not zero. With ``reference="mean"`` the reference is
the lowest averaged error instead.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

import numpy as np
from numpy.typing import NDArray

from spaces.errors import InvalidValue, UnknownName
from spaces.nasbench1shot1.space import Space
from spaces.nasbench1shot1.unique import hash_keys, unique_hashes
from spaces.nasbench101 import Cell, Cells
from spaces.nasbench101.batch import hash_cells

if TYPE_CHECKING:
    from spaces.table import Entry, Table

Split = Literal["test", "valid"]
"""Images that errors are measured on."""

Reference = Literal["best", "mean"]
"""``best``: the best single run, as in the paper. ``mean``: the best mean over repeats."""

_METRICS: Final = {"test": "test_accuracy", "valid": "valid_accuracy"}


def best(
    table: Table, space: Space, *, split: Split = "test", budget: int | None = None, reference: Reference = "best"
) -> Entry:
    """Return the entry of the lowest error in a space; with ``best``, of the run that reached it.

    Args:
        table: figures for at least every architecture of the space.
        space: the space.
        split: ``test`` or ``valid``.
        budget: epochs of training; None for the table's highest.
        reference: ``best`` compares single runs, ``mean`` means over repeats. Of equal errors the
            first by hash is taken.

    Raises:
        CellUnknown: the table lacks an architecture of the space.
        MetricAbsent: an architecture has no such figure, or single runs are not known.
        BudgetUnknown: the table lacks the budget.
        UnknownName: ``split`` is unknown.
        InvalidValue: ``reference`` is neither of the two.
    """
    metric = _metric(split)
    rows = table.rows(unique_hashes(space))
    table.column(metric, budget, rows=rows)  # fails where a figure is absent; the best of the rest would mislead
    return table.best(metric, budget, reference, rows)


def regrets(
    table: Table,
    space: Space,
    cells: Cells,
    *,
    split: Split = "test",
    budget: int | None = None,
    reference: Reference = "best",
) -> NDArray[np.float64]:
    """Return the regret of each of N cells of the space: float64 (N,), a share of the images.

    It is the cell's error averaged over its runs, minus the error of :func:`best` with the same
    options, so never negative: no mean is better than the best run.

    Raises:
        InvalidValue: a cell lies outside the space, or the table has only the maximum of the runs.
        CellUnknown, MetricAbsent, BudgetUnknown, UnknownName: as :func:`best`.
    """
    metric = _metric(split)
    if table.aggregate(metric) == "maximum":
        raise InvalidValue(
            "split", split, f"table {table.name!r} has only the maximum of its runs, and regret needs the mean"
        )
    hashes = hash_cells(cells)
    outside = ~np.isin(hash_keys(hashes), hash_keys(unique_hashes(space)))
    if outside.any():
        cell = cells[int(outside.argmax())]
        raise InvalidValue("cell", str(cell), f"lies outside space {space.name}, with whose best it is to be compared")
    highest = best(table, space, split=split, budget=budget, reference=reference)
    accuracies = table.column(metric, budget, rows=table.rows(hashes))
    top = highest.test_accuracy if split == "test" else highest.valid_accuracy
    return top - accuracies


def regret(
    table: Table,
    space: Space,
    cell: Cell,
    *,
    split: Split = "test",
    budget: int | None = None,
    reference: Reference = "best",
) -> float:
    """Return the regret of one cell; see :func:`regrets`, which is faster for many."""
    return float(regrets(table, space, Cells.of([cell]), split=split, budget=budget, reference=reference)[0])


def _metric(split: str) -> str:
    if split not in _METRICS:
        raise UnknownName("split", split, _METRICS)
    return _METRICS[split]
