"""How well one-shot errors rank architectures: pure functions of numbers.

NAS-Bench-1Shot1 asks it in its Figure 3 (Zela, Siems & Hutter, 2020, arXiv:2001.10422, section 5.2), Yu et al.
(2020, arXiv:2003.04276) of super-nets in general.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from asha_nas.analysis.search import Spread, spread

Errors = NDArray[np.float64]

SPARSE_DIGITS: Final = 3
"""Decimals that true errors are rounded to for the sparse Kendall tau: 0.1 % (Yu et al.)."""


@dataclass(frozen=True, slots=True, eq=False)
class Truth:
    """A architectures, and what the table says of them. All errors are shares of images."""

    hashes: tuple[str, ...]
    """Of the cells, 32 hexadecimal digits each."""
    counted: NDArray[np.bool_]
    """(A,): which of them correlations are computed of. The others are there to be shown: chosen cells, and the
    best one, where they were not drawn."""
    test: Mapping[int, Errors]
    """Test error by the table's budget in epochs, ascending: (A,), the mean over repeats."""
    valid: Mapping[int, Errors]
    """Validation error likewise."""
    best: int
    """Place of the architecture of the lowest test error of the whole space at the highest budget."""

    @property
    def count(self) -> int:
        """How many architectures correlations are computed of."""
        return int(self.counted.sum())

    def splits(self) -> tuple[tuple[str, Mapping[int, Errors]], ...]:
        """Both kinds of errors by name."""
        return ("test", self.test), ("valid", self.valid)


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """One-shot errors with the weights of one search after some of its epochs."""

    trial: int
    seed: int | None
    budget: int
    """Epochs that the search was to last."""
    epoch: int
    """Epochs searched."""
    chosen: int
    """Place of the architecture that the search would have ended with then."""
    errors: Errors
    """(A,), shares of images."""


@dataclass(frozen=True, slots=True)
class Coefficients:
    """Rank correlations of one-shot and true errors, -1..1; NaN where all of either are equal."""

    spearman: float
    """Spearman's ρ, equal values having their mean rank."""
    kendall: float
    """Kendall's τ-b, which allows for equal values."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """How well the searches of a budget rank architectures at an epoch, beside the table at one of its budgets."""

    budget: int
    """Epochs that the searches were to last."""
    epoch: int
    """Epochs searched."""
    table_budget: int
    """Epochs that the table's networks were trained for."""
    split: str
    """``test`` or ``valid``: the images that true errors are of."""
    searches: int
    """Searches that have reached this epoch and whose weights are there, >= 1."""
    spearman: Spread | None
    """Over searches; None where it is not defined for any of them."""
    kendall: Spread | None
    """Likewise."""
    sparse_kendall: float
    """τ-b of the one-shot errors averaged over the searches with true errors rounded to 0.1 %, as Yu et al. report
    it; NaN where all of either are equal."""


def coefficients(one_shot: Errors, true: Errors) -> Coefficients:
    """Correlate two errors of the same architectures, (A,) each."""
    if _constant(one_shot) or _constant(true):
        return Coefficients(math.nan, math.nan)
    return Coefficients(float(stats.spearmanr(one_shot, true).statistic), _tau(one_shot, true))


def sparse_kendall(one_shot: Errors, true: Errors) -> float:
    """τ-b of one-shot errors with true errors rounded to 0.1 %, so that differences within noise do not count.

    Args:
        one_shot: (searches, A): they are averaged first.
        true: (A,).
    """
    # Rounded too, but only so far that equal means of several searches are equal.
    mean, rounded = one_shot.mean(axis=0).round(12), true.round(SPARSE_DIGITS)
    return math.nan if _constant(mean) or _constant(rounded) else _tau(mean, rounded)


def agreements(truth: Truth, measured: Sequence[Measured]) -> list[Agreement]:
    """Every epoch of every search budget beside every budget of the table, test errors first."""
    groups: dict[tuple[int, int], list[Measured]] = {}
    for one in measured:
        groups.setdefault((one.budget, one.epoch), []).append(one)
    return [
        _agreement(truth, groups[group], split, table_budget, true[truth.counted])
        for split, by_budget in truth.splits()
        for group in sorted(groups)
        for table_budget, true in by_budget.items()
    ]


def _agreement(truth: Truth, group: Sequence[Measured], split: str, table_budget: int, true: Errors) -> Agreement:
    one_shot = np.stack([one.errors[truth.counted] for one in group])
    found = [coefficients(errors, true) for errors in one_shot]
    return Agreement(
        group[0].budget, group[0].epoch, table_budget, split, len(group),
        spread([each.spearman for each in found]), spread([each.kendall for each in found]),
        sparse_kendall(one_shot, true),
    )  # fmt: skip


def between_budgets(truth: Truth) -> dict[int, Coefficients]:
    """Test errors of a short training beside those of the longest, by the shorter budget.

    A table's errors at a small budget are themselves a proxy: what one-shot errors are to be compared with.
    """
    *shorter, longest = truth.test
    final = truth.test[longest][truth.counted]
    return {budget: coefficients(truth.test[budget][truth.counted], final) for budget in shorter}


def columns(truth: Truth) -> list[str]:
    """Names of what :func:`rows` gives.

    ``trial``, ``seed``, ``search_epochs`` (that the search was to last), ``epoch``, ``hash``, ``counted`` and
    ``chosen`` (0 or 1), ``one_shot_error``, then ``test_error_B`` and ``valid_error_B`` for each budget B of the table.
    """
    names = ["trial", "seed", "search_epochs", "epoch", "hash", "counted", "chosen", "one_shot_error"]
    return names + [f"{split}_error_{b}" for split, true in truth.splits() for b in true]


def rows(truth: Truth, measured: Iterable[Measured]) -> Iterator[list[Any]]:
    """Every architecture at every measurement, one after the other; see :func:`columns`."""
    true = np.stack([errors for _, by_budget in truth.splits() for errors in by_budget.values()], axis=1).tolist()
    counted = truth.counted.astype(int).tolist()
    for one in measured:
        for place, error in enumerate(one.errors.tolist()):
            named = [one.trial, one.seed, one.budget, one.epoch, truth.hashes[place], counted[place]]
            yield [*named, int(place == one.chosen), error, *true[place]]


def _constant(values: Errors) -> bool:
    return bool((values == values[0]).all())


def _tau(x: Errors, y: Errors) -> float:
    return float(stats.kendalltau(x, y).statistic)
