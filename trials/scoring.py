"""Scoring a cell that a one-shot search has found: its errors and regret, out of a table.

A :class:`Scorer` checks when it is opened that it can score every cell of the space, so that no search is spent on
one that it cannot. Needs no torch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from spaces import nasbench1shot1
from spaces.errors import InvalidValue, UnknownName
from spaces.nasbench1shot1.regret import Reference, best
from spaces.nasbench101 import Cell
from spaces.table import Table
from trials.search_recipe import VARIANTS, Variant
from trials.tables import open_table, shortcomings

_TEST, _VALID = "test_accuracy", "valid_accuracy"

_UNKNOWN_DATA: Final = "unknown"
"""What a table says that was made without knowing on what its cells were trained."""


@dataclass(frozen=True, slots=True)
class BudgetScore:
    """A cell trained for one budget. All are shares of images, 0 to 1."""

    valid_error: float
    """Validation error: the mean over repeats, or that of one repeat in the variant ``released``."""
    test_error: float
    """Test error, the mean over repeats."""
    regret: float
    """Test error above the lowest one of the space at this budget, >= 0; see :attr:`Score.reference`."""


@dataclass(frozen=True, slots=True)
class Score:
    """What a table says of a cell."""

    hash: str
    """Of the cell, 32 hexadecimal digits."""
    budgets: Mapping[int, BudgetScore]
    """By epochs of training, ascending."""
    seconds: float
    """Seconds of a training at the highest budget, >= 0."""
    reference: Reference
    """Regret is above ``best``, the lowest error of a single run, as in NAS-Bench-1Shot1; or above ``mean``, the
    lowest mean over repeats, where the table does not have single runs."""

    def metrics(self) -> dict[str, float]:
        """``valid_error``, ``test_error`` and ``regret`` at the highest budget, and ``valid_error_4`` etc. at each."""
        *_, highest = self.budgets.values()
        named = {"": highest, **{f"_{budget}": score for budget, score in self.budgets.items()}}
        return {
            f"{metric}{ending}": getattr(score, metric)
            for ending, score in named.items()
            for metric in ("valid_error", "test_error", "regret")
        }


@dataclass(frozen=True, slots=True, eq=False)
class Scorer:
    """Scores cells of one space by one table. Made by :meth:`open`; may be pickled, and shared by threads."""

    table: Table
    """Where cells are looked up."""
    space: nasbench1shot1.Space
    """What was searched."""
    variant: Variant
    """``corrected`` or ``released``, see :meth:`score`."""
    valid_seed: int
    """Seed of what the variant ``released`` draws, >= 0."""
    budgets: tuple[int, ...]
    """Epochs at which cells are scored, ascending: the table's, but for those without any test accuracy."""
    reference: Reference
    """See :attr:`Score.reference`."""
    highest: tuple[float, ...]
    """Test accuracy that regret is measured from, by budget."""
    rows: NDArray[np.int64]
    """(architectures,): their rows in the table."""

    @classmethod
    def open(
        cls,
        table_name: str,
        space_name: str,
        data_name: str,
        data_dir: str | None = None,
        variant: str = "corrected",
        valid_seed: int = 0,
    ) -> Scorer:
        """Open a table and make sure that it has all that any cell of the space will be asked for.

        A budget at which no architecture of the space has a test accuracy is not scored; the highest always is.

        Args:
            table_name: Of a table, or the path of its file; see :func:`trials.tables.find`.
            space_name: ``s1``, ``s2`` or ``s3``.
            data_name: Data set that is searched on.
            data_dir: See :func:`trials.data.data_folder`.
            variant: See :meth:`score`.
            valid_seed: See :meth:`score`.

        Raises:
            UnknownName: There is no such table, space or variant.
            TableMissing, TableDamaged, TableTooNew: The table's file is not there or cannot be read.
            InvalidValue: The table is of another space or data set, or has no mean over its runs.
            CellUnknown: It lacks an architecture of the space.
            MetricAbsent: An architecture lacks an accuracy at a budget, or its training time at the highest; or
                single runs are needed and not known.
        """
        if variant not in VARIANTS:
            raise UnknownName("variant", variant, VARIANTS)
        space, table = nasbench1shot1.space(space_name), open_table(table_name, data_dir)
        _check_fit(table, space, data_name)
        rows = table.rows(nasbench1shot1.unique_hashes(space))
        budgets = _scored_budgets(table, rows)
        _check_figures(table, rows, budgets, variant)
        reference: Reference = "best" if table.aggregate(_TEST) is None else "mean"
        highest = tuple(best(table, space, budget=budget, reference=reference).test_accuracy for budget in budgets)
        return cls(
            table, space, "released" if variant == "released" else "corrected", valid_seed, budgets, reference,
            highest, np.sort(rows),
        )  # fmt: skip

    def score(self, cell: Cell | str, generator: np.random.Generator | None = None) -> Score:
        """Look a cell up.

        In the variant ``released`` the validation error is, at each budget, that of one repeat drawn at random, as
        the authors' code has it, though theirs is drawn without a seed.

        Args:
            cell: A cell of the space with or without loose ends, or its hash.
            generator: Draws the repeats, one for each budget; nothing is drawn in the variant ``corrected``. If not
                given, one that is seeded by ``valid_seed`` and the cell's hash, so that a cell is always the same.

        Raises:
            InvalidValue: The cell lies outside the space.
            CellUnknown: The table does not hold it.
        """
        row = self.table.lookup(cell).row
        at = int(self.rows.searchsorted(row))
        if at == len(self.rows) or self.rows[at] != row:
            rule = f"lies outside space {self.space.name}, with whose best it is to be compared"
            raise InvalidValue("cell", str(cell), rule)
        name = self.table.hash_of(row)
        repeats = self._repeats(name, generator)
        scores = {
            budget: self._at(row, budget, repeat, highest)
            for budget, repeat, highest in zip(self.budgets, repeats, self.highest, strict=True)
        }
        return Score(name, scores, self.table.entry(row, self.budgets[-1]).seconds, self.reference)

    def _repeats(self, name: str, generator: np.random.Generator | None) -> Sequence[str | int]:
        """By budget, the repeat whose validation error counts."""
        if self.variant == "corrected":
            return ["mean"] * len(self.budgets)
        generator = generator or np.random.default_rng((self.valid_seed, int(name, 16)))
        drawn: list[int] = generator.integers(self.table.repeats, size=len(self.budgets)).tolist()
        return drawn

    def _at(self, row: int, budget: int, repeat: str | int, highest: float) -> BudgetScore:
        mean, valid = self.table.entry(row, budget), self.table.entry(row, budget, repeat)
        return BudgetScore(valid.valid_error, mean.test_error, highest - mean.test_accuracy)

    def random_regret(self) -> tuple[float, float]:
        """Mean and standard deviation of the regret of a random cell at the highest budget, shares of images.

        Each different architecture of the space counts alike, however many choices make it.
        """
        regrets = self.highest[-1] - self.table.column(_TEST, self.budgets[-1], rows=self.rows)
        return float(regrets.mean()), float(regrets.std())

    def remarks(self) -> tuple[str, ...]:
        """What a reader of the figures must know; see :func:`trials.tables.shortcomings`."""
        asked = {_VALID: self.budgets, _TEST: self.budgets, "seconds": self.budgets[-1:]}
        return shortcomings(self.table, self.rows, self.reference, asked)


def _check_fit(table: Table, space: nasbench1shot1.Space, data: str) -> None:
    fitting = tuple(nasbench1shot1.SPACES) if table.space == "nasbench101" else (table.space,)
    if space.name not in fitting:
        there = f"Search {' or '.join(fitting)} with it, or give" if table.space in nasbench1shot1.SPACES else "Give"
        raise InvalidValue(
            "table",
            table.name,
            f"holds cells of {table.space}, and those of {space.name} are searched",
            f"{there} a table of {space.name} or nasbench101; `asha-nas table list` shows which there are.",
        )
    if table.data not in (data, _UNKNOWN_DATA):
        raise InvalidValue(
            "table",
            table.name,
            f"its cells were trained on {table.data}, and the search is on {data}",
            f"Search on {table.data}, or give a table of {data}; `asha-nas table list` shows which there are.",
        )


def _scored_budgets(table: Table, rows: NDArray[np.int64]) -> tuple[int, ...]:
    """The table's budgets without those of no test accuracy at all; the highest is there to be asked for."""
    *lower, highest = table.budgets
    known = [b for b in lower if not np.isnan(table.column(_TEST, b, rows=rows, absent="nan")).all()]
    return (*known, highest)


def _check_figures(table: Table, rows: NDArray[np.int64], budgets: tuple[int, ...], variant: str) -> None:
    """Ask for everything once: what is not there is told now, not after hours of search."""
    for budget in budgets:
        for metric in (_TEST, _VALID):
            table.column(metric, budget, rows=rows)
    table.column("seconds", budgets[-1], rows=rows)
    if table.aggregate(_TEST) == "maximum":
        rule = "has only the maximum of its runs' test accuracies, and regret needs their mean"
        raise InvalidValue("table", table.name, rule)
    if variant == "released":
        table.check_single(table.figures(_VALID))
