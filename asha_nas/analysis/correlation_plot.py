"""The picture of one-shot errors beside a table's, as Figure 3 of NAS-Bench-1Shot1 and one of its points in full.

As :mod:`asha_nas.analysis.curves` it uses Figure objects alone, never ``pyplot``.
"""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from typing import Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from asha_nas.analysis.correlation import Agreement, Measured, Truth, coefficients
from asha_nas.analysis.curves import FAINT, INK, dress
from asha_nas.analysis.search import Spread
from spaces.picture import save

_COLOURS: Final = ("#9ecae9", "#56a3d0", "#0072b2", "#003f66")
"""Of the table's budgets, the longest training darkest: their order is to be seen."""
_POINTS, _CHOSEN, _BEST = "#7a8793", "#d55e00", "#009e73"
_WIDTH, _HEIGHT, _DPI = 12.0, 5.0, 150
"""Of a row in inches, and dots to the inch."""
_MOST_TICKS: Final = 10
"""Epochs named on an axis."""


def draw_correlation(
    path: str | os.PathLike[str],
    truth: Truth,
    measured: Sequence[Measured],
    found: Sequence[Agreement],
    title: str = "",
) -> None:
    """Draw a row of two panels for each search budget.

    Left: Spearman's ρ of one-shot errors and the table's test errors over the search, a line for each budget of the
    table, with a band of one standard deviation over searches. Right: the errors themselves, at the highest budget
    of the table and the last epoch of the first search; marked are the cell that it chose and the best one of the
    space. The file appears whole or not at all.

    Args:
        path: ends in ``.svg`` or ``.png``; a file there is replaced, its folder must exist.
        truth: the table's errors.
        measured: one-shot errors, one or more.
        found: of the same, see :func:`asha_nas.analysis.correlation.agreements`.
        title: heading; none if empty.

    Raises:
        InvalidValue: another suffix.
        OSError: the file cannot be written.
    """
    save(_figure(truth, measured, found, title), os.fspath(path), _DPI)


def _figure(truth: Truth, measured: Sequence[Measured], found: Sequence[Agreement], title: str) -> Figure:
    budgets = sorted({one.budget for one in measured}, reverse=True)
    figure = Figure(figsize=(_WIDTH, _HEIGHT * len(budgets)), layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(len(budgets), 2, squeeze=False)
    for (left, right), budget in zip(panels, budgets, strict=True):
        searches = [one for one in measured if one.budget == budget]
        of_budget = [one for one in found if one.budget == budget and one.split == "test"]
        _draw_lines(left, of_budget, f" of {budget} epochs" if len(budgets) > 1 else "")
        of_first = [one for one in searches if one.trial == searches[0].trial]
        _draw_points(right, truth, max(of_first, key=lambda one: one.epoch))
    if title:
        figure.suptitle(title, color=INK, fontsize=13, fontweight="bold", x=0.01, ha="left", parse_math=False)
    return figure


# --- over the search -------------------------------------------------------------------------------


def _draw_lines(axes: Axes, found: Sequence[Agreement], which: str) -> None:
    budgets = sorted({one.table_budget for one in found})
    for budget, colour in zip(budgets, _shades(len(budgets)), strict=True):
        points = [(one.epoch, one.spearman) for one in found if one.table_budget == budget and one.spearman]
        _draw_line(axes, points, colour, f"table at {budget} epoch{'s' * (budget > 1)}")
    axes.axhline(0.0, color=FAINT, linewidth=1.0, zorder=1)
    searches = max(one.searches for one in found)
    words = f"mean ± std of {searches} searches" if searches > 1 else "1 search"
    axes.set_title(f"Rank correlation ({words}{which})", color=INK, fontsize=11, loc="left")
    axes.set_xlabel("search epoch")
    axes.set_ylabel("Spearman's ρ of one-shot and test error")
    _limit(axes, found)
    dress(axes)
    if any(one.spearman for one in found):
        axes.legend(frameon=False, labelcolor=INK, fontsize=9.5, ncols=2, loc="best")
    else:
        words = "all architectures have the same one-shot error:\nno correlation is defined"
        axes.text(0.5, 0.6, words, transform=axes.transAxes, ha="center", color=FAINT)


def _draw_line(axes: Axes, points: Sequence[tuple[int, Spread]], colour: str, label: str) -> None:
    epochs = [epoch for epoch, _ in points]
    mean, std = (np.array([getattr(each, name) for _, each in points]) for name in ("mean", "std"))
    axes.fill_between(epochs, mean - std, mean + std, color=colour, alpha=0.16, linewidth=0, zorder=2)
    axes.plot(epochs, mean, color=colour, linewidth=2.2, marker="o", markersize=5, label=label, zorder=3)


def _shades(count: int) -> list[str]:
    """As many colours, the last one the darkest."""
    return [_COLOURS[-1 - min(place, len(_COLOURS) - 1)] for place in range(count)][::-1]


def _limit(axes: Axes, found: Sequence[Agreement]) -> None:
    """Show all values and zero; of −1 to 1, what is not needed is left out."""
    epochs = sorted({one.epoch for one in found})
    room = max(0.04 * (epochs[-1] - epochs[0]), 0.5)
    axes.set_xlim(epochs[0] - room, epochs[-1] + room)
    if len(epochs) <= _MOST_TICKS:
        axes.set_xticks(epochs)
    else:
        axes.xaxis.set_major_locator(MaxNLocator(nbins=_MOST_TICKS, steps=(1, 2, 5, 10), integer=True))
    spreads = [one.spearman for one in found if one.spearman]
    low = min([0.0, *(each.mean - each.std for each in spreads)])
    high = max([0.0, *(each.mean + each.std for each in spreads)])
    axes.set_ylim(max(-1.05, low - 0.05), min(1.05, high + 0.15))


# --- at the end ------------------------------------------------------------------------------------


def _draw_points(axes: Axes, truth: Truth, one: Measured) -> None:
    *_, (budget, true) = truth.test.items()
    x, y = one.errors[truth.counted], true[truth.counted]
    axes.scatter(x, y, s=9, color=_POINTS, alpha=_opacity(len(x)), linewidths=0, rasterized=True, zorder=2)
    _mark(axes, one.errors[truth.best], true[truth.best], "*", _BEST, "best cell of the space", 190)
    _mark(axes, one.errors[one.chosen], true[one.chosen], "D", _CHOSEN, "chosen cell", 70)
    rho = coefficients(x, y).spearman
    named = "one search" if one.seed is None else f"seed {one.seed}"
    shown = "not defined" if math.isnan(rho) else f"{rho:.2f}".replace("-", "−")
    words = f"{len(x):,} architectures, {named}, epoch {one.epoch}: ρ {shown}"
    axes.set_title(words, color=INK, fontsize=11, loc="left")
    axes.set_xlabel("one-shot error")
    axes.set_ylabel(f"test error by the table, {budget} epoch{'s' * (budget > 1)}")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:.3g} %"))
    dress(axes)
    axes.legend(frameon=True, framealpha=0.85, edgecolor="none", labelcolor=INK, fontsize=9.5, loc="best")


def _mark(axes: Axes, x: float, y: float, marker: str, colour: str, label: str, area: float) -> None:
    words = f"{label}: {100 * x:.1f} %, {100 * y:.2f} %"
    axes.scatter(
        [x], [y], s=area, marker=marker, color=colour, edgecolors="white", linewidths=1.2, label=words, zorder=4
    )


def _opacity(points: int) -> float:
    """So that crowds are seen as such."""
    return min(0.8, max(0.1, 900 / points))
