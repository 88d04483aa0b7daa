"""What a table says at first look: the spread of its errors, its best cell, how well its figures agree in rank."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import combinations, product
from typing import Final

import numpy as np
from numpy.typing import NDArray

from spaces.graph import Graph
from spaces.table import METRICS, Metric, MetricAbsent, Table

QUANTILES: Final = (0.0, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 1.0)
"""Shares of the cells that have at most the error of a quantile."""
BINS: Final = 14
"""About as many bins has a histogram."""
_TAIL: Final = 0.95
"""Share of the cells that a histogram shows in full; what has more error is one bin, as long tails are common."""
_SHORT: Final = 3.0
"""Bins; a shorter tail is shown in full."""
_WIDTHS: Final = (1.0, 2.0, 2.5, 5.0, 10.0)
"""Round widths of a bin, times a power of ten."""

PER_CELL: Final = "parameters"
"""The one metric that is the same at all budgets."""


@dataclass(frozen=True, slots=True)
class Bin:
    """One bar of a histogram: errors from ``low`` up to, but without, ``high``."""

    low: float
    """Share, 0 to 1."""
    high: float | None
    """Share, 0 to 1; ``None`` for all from ``low`` on."""
    cells: int
    """Number of cells, >= 0."""


@dataclass(frozen=True, slots=True)
class Distribution:
    """How the errors of the cells are spread at one budget."""

    metric: str
    """``test_error``, or ``valid_error`` or ``train_error`` where the table has no better."""
    budget: int
    """Epochs."""
    status: str
    """``measured``; ``estimated`` only where nothing is measured at any budget."""
    cells: int
    """Number of cells that have such a figure, >= 1."""
    best: float
    """Lowest error, 0 to 1."""
    median: float
    """0 to 1."""
    mean: float
    """Expected error of a cell drawn uniformly from these, 0 to 1."""
    quantiles: dict[float, float]
    """Error by share of the cells, see :data:`QUANTILES`; between two cells it is interpolated."""
    histogram: tuple[Bin, ...]
    """From low to high; neighbours touch."""


@dataclass(frozen=True, slots=True)
class Correlation:
    """How two figures of the same cells agree in rank."""

    first: tuple[str, int]
    """Metric and budget in epochs."""
    second: tuple[str, int]
    """Metric and budget in epochs."""
    cells: int
    """Cells for which both are measured, >= 2."""
    spearman: float | None
    """Spearman's ρ, −1 to 1, equal figures share their mean rank; ``None`` where one figure is the same for all."""
    kendall: float | None
    """Kendall's τ-b, −1 to 1; ``None`` likewise."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One metric of one cell at one budget."""

    metric: str
    """One of ``spaces.table.METRICS``."""
    budget: int
    """Epochs."""
    status: str
    """``measured``, ``estimated`` or ``absent``."""
    aggregate: str | None = None
    """What ``value`` stands for where runs are not known one by one: ``mean`` or ``maximum`` of them."""
    value: float | None = None
    """Mean over the runs, or the one figure there is: a share, 0 to 1, or seconds; ``None`` if absent."""
    runs: tuple[float, ...] = ()
    """Of each run; empty where there is one figure for several."""
    counts: tuple[int, ...] = ()
    """Correct images as the table keeps them; empty for seconds."""
    denominator: int | None = None
    """What one of ``counts`` is a share of."""


@dataclass(frozen=True, slots=True)
class Page:
    """All that is computed for a table's page."""

    distribution: Distribution | None
    """``None`` for a table without accuracies."""
    best: int | None
    """Row of the cell with the least error of ``distribution``, the first of several."""
    correlations: tuple[Correlation, ...]
    """Of validation accuracies at every two budgets, then of validation with test accuracy at all pairs of budgets."""


def make_page(table: Table) -> Page:
    """Compute a table's page; for 423,624 cells a matter of seconds, nearly all of it for the correlations.

    Args:
        table: estimates in it are shown nowhere beside measured figures, even if it gives them out.
    """
    measured = Table.open(table.path, estimates=False)
    basis = _basis(measured, "measured") or _basis(table, "estimated")
    if basis is None:
        return Page(None, None, correlate(measured))
    metric, budget, status = basis
    source = measured if status == "measured" else table
    right, of = source.figures(metric).totals(source.budgets.index(budget), None, "mean")
    there = ~np.isnan(source.column(metric, budget, absent="nan"))
    errors = (of - right[there]) / of  # as exact as those of single look-ups
    spread = distribution(errors, metric.replace("accuracy", "error"), budget, status)
    return Page(spread, source.best(metric, budget).row, correlate(measured))


def _basis(table: Table, status: str) -> tuple[str, int, str] | None:
    """Return metric, budget and status that the page goes by: test before validation, then the highest budget."""
    for metric in ("test_accuracy", "valid_accuracy", "train_accuracy"):
        for budget in reversed(table.budgets):
            if metric in table.metrics and getattr(table.metrics[metric].coverage[budget], status):
                return metric, budget, status
    return None


def distribution(errors: NDArray[np.float64], metric: str, budget: int, status: str) -> Distribution:
    """Describe errors, float64 (M,) of shares, M >= 1."""
    quantiles = np.quantile(errors, QUANTILES).tolist()
    return Distribution(
        metric=metric,
        budget=budget,
        status=status,
        cells=len(errors),
        best=float(errors.min()),
        median=float(np.median(errors)),
        mean=float(errors.mean()),
        quantiles=dict(zip(QUANTILES, quantiles, strict=True)),
        histogram=histogram(errors),
    )


def histogram(errors: NDArray[np.float64]) -> tuple[Bin, ...]:
    """Count errors, float64 (M,), M >= 1, in about :data:`BINS` bins of a round width, and one for a long tail."""
    low, reach, high = float(errors.min()), float(np.quantile(errors, _TAIL)), float(errors.max())
    width = _round_width((reach - low) / BINS)
    first = math.floor(low / width)
    stop = high if high - reach < _SHORT * width else reach
    last = max(math.floor(stop / width), first) + 1
    edges = np.arange(first, last + 1) * width
    bins = np.searchsorted(edges, errors, side="right") - 1
    counts = np.bincount(np.clip(bins, 0, len(edges) - 1), minlength=len(edges)).tolist()
    closed = [
        Bin(round(start, 9), round(stop, 9), count)
        for start, stop, count in zip(edges[:-1].tolist(), edges[1:].tolist(), counts, strict=False)
    ]
    return (*closed, Bin(round(float(edges[-1]), 9), None, counts[-1])) if high >= edges[-1] else tuple(closed)


def _round_width(least: float) -> float:
    """Return the next round number, at least a hundredth of a percent."""
    least = max(least, 1e-4)
    power = 10.0 ** math.floor(math.log10(least))
    return power * next(width for width in _WIDTHS if width * power >= least * (1 - 1e-9))


def correlate(table: Table) -> tuple[Correlation, ...]:
    """Correlate the ranks of cells: validation between budgets, and validation with test accuracy.

    Args:
        table: only cells for which it gives out both figures count.
    """
    series = {
        (metric, budget): table.column(metric, budget, absent="nan")
        for metric in ("valid_accuracy", "test_accuracy")
        for budget in table.budgets
        if metric in table.metrics and table.metrics[metric].coverage[budget].measured
    }
    valid = [key for key in series if key[0] == "valid_accuracy"]
    test = [key for key in series if key[0] == "test_accuracy"]
    pairs = [*combinations(valid, 2), *product(valid, test)]
    found = [_correlation(first, second, series[first], series[second]) for first, second in pairs]
    return tuple(one for one in found if one.cells >= 2)


def _correlation(
    first: tuple[str, int], second: tuple[str, int], x: NDArray[np.float64], y: NDArray[np.float64]
) -> Correlation:
    from scipy.stats import kendalltau, rankdata  # noqa: PLC0415 - takes a while to import

    both = ~(np.isnan(x) | np.isnan(y))
    x, y = x[both], y[both]
    if len(x) < 2 or np.ptp(x) == 0 or np.ptp(y) == 0:
        return Correlation(first, second, len(x), None, None)
    ranks = np.corrcoef(rankdata(x), rankdata(y))
    return Correlation(first, second, len(x), float(ranks[0, 1]), float(kendalltau(x, y).statistic))


def figure(table: Table, row: int, metric: str, budget: int) -> Figure:
    """Return what a table has of a metric, accuracy or seconds, for the cell in a row at a budget."""
    entry = table.entry(row, budget)
    status = entry.status(metric)
    if status == "absent" or metric not in table.metrics:
        return Figure(metric, budget, "absent")
    about, at = table.metrics[metric], np.array([row])
    try:
        value = float(table.column(metric, budget, rows=at)[0])
    except MetricAbsent:  # an estimate, which this table does not give out
        return Figure(metric, budget, status, about.aggregate)
    runs: tuple[float, ...] = ()
    if about.aggregate is None and about.runs == table.repeats:
        runs = tuple(float(table.column(metric, budget, run, at)[0]) for run in range(table.repeats))
    counts = () if about.denominator is None else entry.counts(metric.removesuffix("_accuracy"))
    return Figure(metric, budget, status, about.aggregate, value, runs, counts, about.denominator)


def figures(table: Table, row: int, budgets: tuple[int, ...] | None = None) -> list[Figure]:
    """Return training, validation and test accuracy, seconds, and what else the table has, of the cell in a row.

    Args:
        table: where to look.
        row: of the table.
        budgets: epochs; all of the table's if not given. They come one after the other.
    """
    usual = ("train_accuracy", "valid_accuracy", "test_accuracy", "seconds")
    more = [metric for metric in METRICS if metric in table.metrics and metric not in (*usual, PER_CELL)]
    return [figure(table, row, metric, budget) for budget in budgets or table.budgets for metric in (*usual, *more)]


def graph_lines(graph: Graph) -> list[str]:
    """Write a graph as text, one line for each vertex: its number, its name and what it reads.

    A bare arrow is the number of its source, one with an operation ``operation(source)``.
    """
    lines = []
    width = max(len(_name(label)) for label in graph.vertices)
    for number, label in enumerate(graph.vertices):
        arrows = sorted((arrow.source, arrow.label) for arrow in graph.arrows if arrow.target == number)
        read = [f"{label}({source})" if label else str(source) for source, label in arrows]
        lines.append(f"{number}  {_name(label):{width}}  {'← ' + ', '.join(read) if read else ''}".rstrip())
    return lines


def _name(label: str) -> str:
    return "" if label.isdigit() else label.replace("\n", ", ")


def stands_for(metric: Metric, repeats: int) -> str:
    """Say what a cell's figures of a metric are, such as ``maximum of 3 runs``."""
    if metric.aggregate is not None:
        return f"{metric.aggregate} of {repeats} runs" if repeats > 1 else f"{metric.aggregate} of the runs"
    if metric.runs > 1:
        return f"{metric.runs} runs"
    return "one for all runs" if repeats > 1 and metric.metric != PER_CELL else "one figure"
