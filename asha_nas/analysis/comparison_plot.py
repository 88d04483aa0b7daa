"""The picture of studies side by side, as Figures 5, 14 and 15 of NAS-Bench-1Shot1 (Zela et al., 2020).

As :mod:`asha_nas.analysis.curves` it uses Figure objects alone, never ``pyplot``.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, MaxNLocator

from asha_nas.analysis.comparison import Averaged, Axis, Value, ranking, unit_of
from asha_nas.analysis.curves import INK, LOG_FROM, colours, dress, tick_decades
from spaces.errors import InvalidValue
from spaces.picture import save

_SIZE: Final = (9.6, 5.4)
"""Inches."""
_DPI: Final = 150
_DASHES: Final = ("solid", (0, (6, 2)), (0, (2, 1.2)))
"""Of the first eight lines, the next eight, and so on: by then colours come again."""


def draw_comparison(
    path: str | os.PathLike[str], found: Sequence[Averaged], axis: Axis, value: Value, title: str = ""
) -> None:
    """Draw the mean of each line, with a band of one standard error.

    A dot is where a line ends. Axes are logarithmic where values differ much and none is zero. The legend names lines
    from the best to the worst at their ends. The file appears whole or not at all.

    Args:
        path: ends in ``.svg`` or ``.png``; a file there is replaced, its folder must exist.
        found: by :func:`asha_nas.analysis.comparison.averaged`, with the same axis and value.
        axis: what they run over.
        value: what is compared.
        title: heading; none if empty.

    Raises:
        InvalidValue: another suffix, or nothing to draw.
        OSError: the file cannot be written.
    """
    if not found:
        raise InvalidValue("found", found, "there is nothing to draw")
    save(_figure(found, axis, value, title), os.fspath(path), _DPI)


def _figure(found: Sequence[Averaged], axis: Axis, value: Value, title: str) -> Figure:
    figure = Figure(figsize=_SIZE, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    unit, name = unit_of(axis, max(float(one.x[-1]) for one in found))
    lines = [_draw_line(axes, one, unit, place, len(found)) for place, one in enumerate(found)]
    _scale_x(axes, found, axis, unit)
    _scale_y(axes, found, value)
    dress(axes)
    axes.set_xlabel(f"{axis.words} ({name})" if name else axis.words)
    several = any(one.repeats > 1 for one in found)
    words = {"regret": "test regret"}.get(value.name, value.name.replace("_", " "))
    axes.set_ylabel(f"{words} of the best so far{' (mean ± standard error)' if several else ''}", parse_math=False)
    if title:
        axes.set_title(title, color=INK, fontsize=13, fontweight="bold", loc="left", pad=12, parse_math=False)
    _explain(axes, found, lines, value)
    return figure


def _draw_line(axes: Axes, one: Averaged, unit: float, place: int, count: int) -> Line2D:
    colour, dashes = colours(count)[place], _DASHES[place // 8 % len(_DASHES)]
    x = one.x / unit
    low, high = one.mean - one.standard_error, one.mean + one.standard_error
    if one.repeats > 1:
        axes.fill_between(x, low, high, step="post", color=colour, alpha=0.18, linewidth=0, zorder=2)
    [line] = axes.plot(
        x, one.mean, color=colour, linestyle=dashes, linewidth=2.0, drawstyle="steps-post", zorder=3,
        solid_joinstyle="round",
    )  # fmt: skip
    axes.plot(x[-1:], one.mean[-1:], color=colour, marker="o", markersize=5, zorder=4)
    return line


def _scale_x(axes: Axes, found: Sequence[Averaged], axis: Axis, unit: float) -> None:
    low, high = min(float(one.x[0]) for one in found) / unit, max(float(one.x[-1]) for one in found) / unit
    positive = min((float(one.x[one.x > 0][0]) / unit for one in found if (one.x > 0).any()), default=high)
    if high / positive >= LOG_FROM:
        axes.set_xscale("log")
        axes.set_xlim(positive / 1.05, high * 1.08)
        tick_decades(axes.xaxis, positive, high)
    else:
        room = 0.02 * (high - low) or 0.5
        axes.set_xlim(low - room, high + room)
        axes.xaxis.set_major_locator(MaxNLocator(nbins=9, steps=(1, 2, 5, 10), integer=not axis.is_time))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:,.10g}"))


def _scale_y(axes: Axes, found: Sequence[Averaged], value: Value) -> None:
    means = _known(np.concatenate([one.mean for one in found]))
    feet = _known(np.concatenate([one.mean - one.standard_error for one in found]))
    tops = _known(np.concatenate([one.mean + one.standard_error for one in found]))
    low, high = float(means.min()), float(means.max())
    if low > 0 and high / low >= LOG_FROM:
        axes.set_yscale("log")
        # Bands are seen as far as a third of the lowest mean: reaching down to zero they would stretch it without end.
        axes.set_ylim(max(float(feet.min()), low / 3) / 1.12, min(float(tops.max()), 1.5 * high) * 1.12)
        tick_decades(axes.yaxis, low, high)
    else:
        bottom, top = float(feet.min()), float(tops.max())
        room = 0.06 * (top - bottom) or 0.5 * abs(top) or 0.5
        axes.set_ylim(max(0.0, bottom - room) if low >= 0 else bottom - room, top + room)
        axes.yaxis.set_major_locator(MaxNLocator(nbins=8))
    axes.yaxis.set_major_formatter(
        FuncFormatter(lambda y, _: f"{100 * y:.3g} %" if value.is_share else f"{y:.6g}".replace("-", "−"))
    )


def _known(values: np.ndarray) -> np.ndarray:
    known = values[np.isfinite(values)]
    return known if len(known) else np.zeros(1)


def _explain(axes: Axes, found: Sequence[Averaged], lines: Sequence[Line2D], value: Value) -> None:
    """Beside the picture, the lines from the best to the worst at their ends."""
    order = ranking([float(one.mean[-1]) for one in found], value)
    legend = axes.legend(
        [lines[k] for k in order], [f"{found[k].label} (n = {found[k].repeats})" for k in order], loc="upper left",
        bbox_to_anchor=(1.0, 1.0), fontsize=9.5, frameon=False, labelcolor=INK, handlelength=2.2,
    )  # fmt: skip
    for text in legend.get_texts():
        text.set_parse_math(False)
