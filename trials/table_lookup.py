"""A look-up in a table as a trial: nothing is trained, and what a training would have taken is told beside.

Needs no torch. A look-up takes some tens of microseconds, parsing and hashing of the cell included.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from spaces import nasbench1shot1, nasbench101
from spaces.cell_spaces import CELL_SPACES
from spaces.errors import InvalidValue, UnknownName
from spaces.nasbench1shot1.regret import Reference
from spaces.table import Table, cell_parser
from trials.contract import Report, Task
from trials.tables import open_table, shortcomings

Repeat = Literal["mean", "random"]
"""Whose validation error is reported: the mean over all runs, or that of one run drawn at random."""

REPEATS: Final[tuple[Repeat, ...]] = ("mean", "random")

SECONDS_PER_EPOCH: Final = 1.0
"""What an epoch counts where a table has no seconds at all."""

_TEST, _VALID = "test_accuracy", "valid_accuracy"


@dataclass(frozen=True)
class TableLookup:
    """A ``trials.contract.Trial``: looks the cell of ``task.config["cell"]`` up, trained for ``task.stop`` epochs.

    One report, of epoch ``task.stop``, which is a budget of the table. Each budget is a training from scratch with its
    own schedule, so ``task.start`` must be 0. Metrics, shares of images: ``valid_error`` at that budget; and of the
    same cell at the table's highest budget, whatever ``task.stop`` is, ``test_error`` (the mean over runs) and
    ``regret`` (test error above the best of the space: of a single run as in NAS-Bench-1Shot1, or, where the table does
    not have single runs, of a mean). Notes: ``hash``.

    ``seconds`` are the table's seconds of training at that budget. They pass on a simulated clock only. Where the table
    has them at its highest budget alone they are in proportion to epochs; where it has none, an epoch counts
    :data:`SECONDS_PER_EPOCH`. :meth:`remarks` says so.

    Raises, on calling and while iterating: InvalidValue for a task that starts at another epoch, or a cell outside the
    space; BudgetUnknown; and what :meth:`check` raises.
    """

    table: str
    """Name of a table, or path of its file; see :func:`trials.tables.find`."""
    space: str
    """A name in ``spaces.cell_spaces.CELL_SPACES``: the table's own space, or a part of it."""
    repeat: Repeat = "mean"
    """``random`` draws one run for each budget by the task's seed, as NAS-Bench-101's own reader does at each query."""
    data_dir: str | None = None
    """Folder of data sets and tables; None for the default, see :func:`trials.folders.data_folder`."""

    def __post_init__(self) -> None:
        if self.repeat not in REPEATS:
            raise UnknownName("repeat", str(self.repeat), REPEATS)
        if self.space not in CELL_SPACES:
            raise UnknownName("space", str(self.space), CELL_SPACES)

    def __reduce__(self) -> tuple[Callable[..., TableLookup], tuple[Any, ...]]:
        """Without what is open: each process opens the table once, when it first looks something up."""
        return TableLookup, (self.table, self.space, self.repeat, self.data_dir)

    def __call__(self, task: Task) -> Iterator[Report]:
        """Look up."""
        if task.start != 0:
            raise InvalidValue("start", task.start, "must be 0: each budget of a table is a training from scratch")
        yield self._opened.report(task, self._run(task))

    def check(self) -> None:
        """Open the table, and make sure that it has all that any cell of the space will be asked for.

        Raises:
            UnknownName: there is no such table.
            TableMissing, TableDamaged, TableTooNew: its file is not there or cannot be read.
            InvalidValue: it is of another space, or has no mean over runs of test accuracies.
            CellUnknown: it lacks cells of the space.
            MetricAbsent: it lacks accuracies of cells of the space at its highest budget; or single runs are asked
                for and not known.
        """
        opened = self._opened
        if self.repeat == "random":
            opened.table.check_single(opened.table.figures(_VALID))

    @property
    def budgets(self) -> tuple[int, ...]:
        """Epochs at which every cell of the space has a validation accuracy, ascending."""
        return self._opened.budgets

    def remarks(self, budgets: Collection[int] | None = None) -> tuple[str, ...]:
        """What a reader of figures at these budgets, or at all, must know; see :func:`trials.tables.shortcomings`."""
        return self._opened.remarks(self.budgets if budgets is None else budgets)

    def _run(self, task: Task) -> str | int:
        if self.repeat == "mean":
            return "mean"
        return int(np.random.default_rng((task.seed, task.stop)).integers(self._opened.table.repeats))

    @cached_property
    def _opened(self) -> _Opened:
        return _open(open_table(self.table, self.data_dir), self.space)


@dataclass(frozen=True, slots=True)
class _Opened:
    """A table with what does not depend on the cell."""

    table: Table
    space: str
    parse: Callable[[str], Any]
    rows: NDArray[np.int64] | None
    """Rows of the space's cells; None for all."""
    inside: bytes | None
    """For each row, whether it is one of them; None if all are."""
    budgets: tuple[int, ...]
    timed: tuple[int, ...]
    """Budgets for which every cell has its seconds, ascending."""
    reference: Reference
    highest: float
    """Test accuracy that regret is measured from."""

    def report(self, task: Task, run: str | int) -> Report:
        """What the table says of the task's cell; ``run`` is the repeat whose validation error counts."""
        valid = self.table.lookup(self.parse(task.config["cell"]), task.stop, run)
        if self.inside is not None and not self.inside[valid.row]:
            raise InvalidValue("cell", task.config["cell"], f"lies outside space {self.space}")
        final = self.table.entry(valid.row)
        metrics = {
            "valid_error": valid.valid_error, "test_error": final.test_error,
            "regret": self.highest - final.test_accuracy,
        }  # fmt: skip
        return Report(task.stop, metrics, self._seconds(valid.row, task.stop), notes={"hash": valid.hash})

    def _seconds(self, row: int, budget: int) -> float:
        if not self.timed:
            return SECONDS_PER_EPOCH * budget
        known = budget if budget in self.timed else self.timed[-1]
        return self.table.entry(row, known).seconds * budget / known

    def remarks(self, budgets: Collection[int]) -> tuple[str, ...]:
        """See :meth:`TableLookup.remarks`."""
        valid = [budget for budget in self.budgets if budget in budgets]
        asked = {_VALID: valid, _TEST: self.table.budgets[-1:]}
        if not self.timed:
            found = shortcomings(self.table, self.rows, self.reference, asked)
            return (*found, f"the table has no seconds: an epoch counts {SECONDS_PER_EPOCH:g} s")
        timed = sorted({budget if budget in self.timed else self.timed[-1] for budget in valid})
        found = shortcomings(self.table, self.rows, self.reference, {**asked, "seconds": timed})
        others = ", ".join(str(budget) for budget in valid if budget not in self.timed)
        if not others:
            return found
        return (*found, f"seconds at {others} epochs are in proportion to those at {self.timed[-1]}")


def _open(table: Table, space: str) -> _Opened:
    rows = _rows(table, space)
    if table.aggregate(_TEST) == "maximum":
        rule = "has only the maximum of its runs' test accuracies, and regret needs their mean"
        raise InvalidValue("table", table.name, rule)
    for metric in (_VALID, _TEST):
        table.column(metric, rows=rows)  # at the highest budget there is no doing without
    reference: Reference = "best" if table.aggregate(_TEST) is None else "mean"
    best = table.best(_TEST, repeat=reference, rows=rows)
    inside = np.zeros(len(table), dtype=np.bool_)
    inside[rows] = True
    return _Opened(
        table=table, space=space, parse=cell_parser(table.space), rows=rows,
        inside=None if rows is None else inside.tobytes(),
        budgets=_known(table, _VALID, rows),
        timed=_known(table, "seconds", rows) if "seconds" in table.metrics else (),
        reference=reference, highest=best.test_accuracy,
    )  # fmt: skip


def _known(table: Table, metric: str, rows: NDArray[np.int64] | None) -> tuple[int, ...]:
    """The budgets at which no cell lacks a figure."""
    return tuple(b for b in table.budgets if not np.isnan(table.column(metric, b, rows=rows, absent="nan")).any())


def _rows(table: Table, space: str) -> NDArray[np.int64] | None:
    """Rows of the cells of a space, all of which the table must hold; None if those are all of its rows."""
    whole, _, vertices = space.partition("-")
    if table.space != whole and not (table.space == "nasbench101" and space in nasbench1shot1.SPACES):
        rule = f"holds cells of {table.space}, and those of {space} are asked for"
        remedy = "Give another space or table; `asha-nas table list` shows which tables there are."
        raise InvalidValue("table", table.name, rule, remedy)
    if space in nasbench1shot1.SPACES:
        return np.sort(table.rows(nasbench1shot1.unique_hashes(nasbench1shot1.space(space))))
    cells = table.cells()
    rows = None
    if vertices:
        assert isinstance(cells, nasbench101.Cells)
        rows = np.flatnonzero(nasbench101.at_most_vertices(cells, int(vertices)))
    count = len(cells) if rows is None else len(rows)
    if count < CELL_SPACES[space]:
        rule = f"holds {count:,} of the {CELL_SPACES[space]:,} cells of {space}"
        raise InvalidValue("table", table.name, rule, "Every cell of the space must be there to be looked up.")
    return rows
