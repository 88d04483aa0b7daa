"""Pictures of searches: the one module of this package that imports matplotlib.

As :mod:`spaces.drawing` it uses Figure objects alone, never ``pyplot``: no display, no window, no state.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from typing import Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter
from numpy.typing import NDArray

from asha_nas.analysis.search import Curves
from spaces.errors import InvalidValue
from spaces.picture import save

INK, FAINT = "#24292f", "#59636e"
"""Of words, and of what stands behind."""
_GRID = "#e4e8ec"
_COLOURS: Final = ("#0072b2", "#d55e00", "#009e73", "#7b4fb5", "#b3528a", "#8a6d00", "#56b4e9", "#444444")
"""Of one label after the other: a colour-blind safe set (Okabe & Ito), darkened where lines would be too light."""
_SIZE: Final = (9.6, 5.6)
"""Inches."""
_DPI: Final = 150
LOG_FROM: Final = 5.0
"""Ratio of the largest to the smallest value from which an axis is logarithmic."""


def draw_curves(
    path: str | os.PathLike[str], found: Mapping[str, Curves], random: float | None = None, title: str = ""
) -> None:
    """Draw searches over their epochs, as Figure 2 of NAS-Bench-1Shot1 (Zela et al., 2020, arXiv:2001.10422).

    Solid is the test regret of the cell that would be chosen, with a band of one standard deviation over seeds;
    dashed is the validation error of the super-net; dotted is the expected regret of a random cell. The axis is
    logarithmic where values differ much and none is zero. The file appears whole or not at all.

    Args:
        path: ends in ``.svg`` or ``.png``; a file there is replaced, its folder must exist.
        found: searches by what they are called in the legend; one colour each.
        random: expected regret of a random cell, a share of images; None to leave it out.
        title: heading; none if empty.

    Raises:
        InvalidValue: another suffix, or nothing to draw.
        OSError: the file cannot be written.
    """
    if not found:
        raise InvalidValue("found", {}, "there is nothing to draw")
    save(_figure(found, random, title), os.fspath(path), _DPI)


def _figure(found: Mapping[str, Curves], random: float | None, title: str) -> Figure:
    figure = Figure(figsize=_SIZE, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    for colour, curves in zip(colours(len(found)), found.values(), strict=True):
        _draw_one(axes, curves, colour)
    with_regret = any(curves.regret for curves in found.values())
    shown_random = random if with_regret else None
    if shown_random is not None:
        axes.axhline(shown_random, color=FAINT, linestyle=(0, (1, 2)), linewidth=1.6)
    _dress(axes, found, shown_random)
    axes.set_ylabel("test regret, one-shot validation error" if with_regret else "one-shot validation error")
    if title:
        axes.set_title(title, color=INK, fontsize=13, fontweight="bold", loc="left", pad=12, parse_math=False)
    _explain(axes, found, shown_random)
    return figure


def colours(count: int) -> list[str]:
    """A colour for each; from the ninth on they come again."""
    return [_COLOURS[k % len(_COLOURS)] for k in range(count)]


def _draw_one(axes: Axes, curves: Curves, colour: str) -> None:
    # A lone epoch would be a line without length.
    marker = "o" if len(curves.epochs) == 1 else None
    axes.plot(
        curves.epochs, curves.one_shot.mean, color=colour, linestyle=(0, (5, 3)), linewidth=1.4, alpha=0.5,
        marker=marker, markersize=4, zorder=2,
    )  # fmt: skip
    if curves.regret is None:
        return
    low, high = curves.regret.mean - curves.regret.std, curves.regret.mean + curves.regret.std
    if curves.seeds > 1:
        axes.fill_between(curves.epochs, low, high, color=colour, alpha=0.16, linewidth=0, zorder=3)
    axes.plot(
        curves.epochs, curves.regret.mean, color=colour, linewidth=2.2, marker=marker, markersize=5, zorder=4,
        solid_joinstyle="round",
    )  # fmt: skip


# --- the axes --------------------------------------------------------------------------------------


def _dress(axes: Axes, found: Mapping[str, Curves], random: float | None) -> None:
    values = _values(found, random)
    low, high = float(values.min()), float(values.max())
    if low > 0 and high / low >= LOG_FROM:
        axes.set_yscale("log")
        # Bands are seen as far as a third of the lowest value: reaching down to zero they would stretch it without end.
        axes.set_ylim(max(_foot(found, low), low / 3) / 1.2, min(high * 1.5, 1.0) if high < 1 else high * 1.5)
        tick_decades(axes.yaxis, low, high)
    else:
        axes.set_ylim(0.0, high * 1.12 or 1.0)
        axes.yaxis.set_major_locator(MaxNLocator(nbins=8))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:.3g} %"))
    _tick_epochs(axes, found)
    dress(axes)


def dress(axes: Axes) -> None:
    """What all plots have in common: a faint grid, no frame, and the colours of words."""
    axes.set_axisbelow(True)
    axes.grid(color=_GRID, linewidth=0.9)
    axes.tick_params(colors=FAINT, labelsize=10, length=0)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color("#c4cbd2")
    axes.xaxis.label.set(color=INK, fontsize=11)
    axes.yaxis.label.set(color=INK, fontsize=11)


def _values(found: Mapping[str, Curves], random: float | None) -> NDArray[np.float64]:
    bands = [band for curves in found.values() for band in (curves.one_shot, curves.regret) if band is not None]
    values = np.concatenate([*(band.mean for band in bands), [] if random is None else [random]])
    known = values[np.isfinite(values)]
    return known if len(known) else np.zeros(1)


def _foot(found: Mapping[str, Curves], low: float) -> float:
    """Lowest value of all bands, if it is below ``low``."""
    bands = [curves.regret for curves in found.values() if curves.regret is not None]
    return min([low, *(float(np.nanmin(band.mean - band.std)) for band in bands)])


def tick_decades(axis: Axis, low: float, high: float) -> None:
    """On a logarithmic axis, name 1, 2 and 5 of each decade; over many decades its beginning alone."""
    steps = (1.0, 2.0, 5.0) if math.log10(high / low) < 2.5 else (1.0,)
    axis.set_major_locator(LogLocator(base=10, subs=steps))
    axis.set_minor_locator(LogLocator(base=10, subs=range(2, 10)))
    axis.set_minor_formatter(NullFormatter())
    axis.set_tick_params(which="minor", length=0)


def _tick_epochs(axes: Axes, found: Mapping[str, Curves]) -> None:
    first = min(int(curves.epochs[0]) for curves in found.values())
    last = max(int(curves.epochs[-1]) for curves in found.values())
    room = max(0.02 * (last - first), 0.5 if first == last else 0.0)
    axes.set_xlim(first - room, last + room)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=10, steps=(1, 2, 5, 10), integer=True))
    axes.set_xlabel("search epoch")


def _explain(axes: Axes, found: Mapping[str, Curves], random: float | None) -> None:
    """One legend: in its first column which colour is which search, in its second which line is which figure."""
    searches = [
        (Line2D([], [], color=colour, linewidth=3.0), f"{label} ({curves.seeds} seed{'s' * (curves.seeds > 1)})")
        for colour, (label, curves) in zip(colours(len(found)), found.items(), strict=True)
    ]
    figures = _figures(found, random)
    rows = max(len(searches), len(figures))
    empty = (Line2D([], [], linewidth=0), "")  # matplotlib fills one column after the other
    lines = [*searches, *[empty] * (rows - len(searches)), *figures, *[empty] * (rows - len(figures))]
    legend = axes.legend(
        [line for line, _ in lines], [words for _, words in lines], loc="upper center", fontsize=9.5,
        bbox_to_anchor=(0.5, -0.13), ncols=2, frameon=False, labelcolor=INK, handlelength=2.6,
    )  # fmt: skip
    for text in legend.get_texts():
        text.set_parse_math(False)


def _figures(found: Mapping[str, Curves], random: float | None) -> list[tuple[Line2D, str]]:
    """What solid, dashed and dotted lines are."""
    lines = []
    several = any(curves.seeds > 1 for curves in found.values())
    if any(curves.regret for curves in found.values()):
        band = " (mean ± std)" if several else ""
        lines.append((Line2D([], [], color=FAINT, linewidth=2.2), f"test regret of the chosen cell{band}"))
    mean = " (mean)" if several else ""
    lines.append(
        (Line2D([], [], color=FAINT, linewidth=1.4, linestyle=(0, (5, 3))), f"one-shot validation error{mean}")
    )
    if random is not None:
        dots = Line2D([], [], color=FAINT, linewidth=1.6, linestyle=(0, (1, 2)))
        lines.append((dots, f"expected regret of a random cell, {100 * random:.2f} %"))
    return lines
