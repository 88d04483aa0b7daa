"""The live view of one-shot searches: a line for each, with its curves so far."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Final

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from asha_nas.analysis import History
from asha_nas.analysis.search import ONE_SHOT, REGRET, SearchCurve, curves
from asha_nas.live import Face, incumbent
from asha_nas.store import Asked, Reported, Told

MOST_LINES: Final = 12
"""Searches shown at most: those that run, then those that ended last."""
WIDTH: Final = 20
"""Characters of a curve."""
_BLOCKS: Final = "▁▂▃▄▅▆▇█"


def sparkline(values: Iterable[float], width: int = WIDTH) -> str:
    """A curve in characters, its lowest value the lowest block; of more values than ``width``, means.

    Values that are no numbers are left blank.
    """
    groups = _groups([float(value) for value in values], width)
    known = [value for value in groups if not math.isnan(value)]
    if not known:
        return " " * len(groups)
    low, span = min(known), max(known) - min(known)
    return "".join(
        " " if math.isnan(value) else _BLOCKS[round((value - low) / span * 7) if span else 0] for value in groups
    )


def _groups(values: list[float], width: int) -> list[float]:
    """The values, or the means of ``width`` runs of them."""
    if len(values) <= width:
        return values
    ends = [round(k * len(values) / width) for k in range(width + 1)]
    return [math.fsum(values[a:b]) / (b - a) for a, b in pairwise(ends)]


def _page(history: History) -> RenderableType:
    table = Table(header_style="bold", box=None, padding=(0, 2, 0, 0))
    with_table = history.spec.problem.metric != ONE_SHOT
    table.add_column("seed", justify="right")
    table.add_column("epoch", justify="right")
    columns = {ONE_SHOT: "one-shot valid error", **({REGRET: "test regret"} if with_table else {})}
    for words in columns.values():
        table.add_column(words, justify="right")
        table.add_column("", min_width=WIDTH)
    table.add_column("")
    for one in _chosen(curves(history)):
        table.add_row(*_row(one, tuple(columns)), style="" if one.state == "running" else "dim")
    return Group(table, incumbent(history))


def _row(one: SearchCurve, metrics: Sequence[str]) -> list[Text | str]:
    row: list[Text | str] = [_named(one), f"{_epoch(one)}/{one.budget}"]
    for metric in metrics:
        row += [percent(one.last(metric)), Text(sparkline(_logarithms(one, metric)), style="cyan")]
    return [*row, "" if one.state == "running" else one.state]


def _logarithms(one: SearchCurve, metric: str) -> list[float]:
    """Of the values, as errors fall fast at first; the values themselves where one is zero."""
    values: list[float] = one.metrics[metric].tolist() if metric in one.metrics else []
    return values if any(value <= 0 for value in values) else [math.log(value) for value in values]


def _chosen(every: list[SearchCurve]) -> list[SearchCurve]:
    running = [one for one in every if one.state == "running"]
    ended = [one for one in every if one.state != "running"]
    room = max(MOST_LINES - len(running), 0)
    return sorted(running[:MOST_LINES] + ended[len(ended) - min(room, len(ended)) :], key=lambda one: one.trial)


def _line(history: History) -> str:
    every = curves(history)
    done = sum(one.state == "done" for one in every)
    running = [_in_words(one) for one in every if one.state == "running"]
    ended = f"{done} of {_planned(history)} searches done"
    return " · ".join([ended, *running[:3], *([f"and {len(running) - 3} more"] if len(running) > 3 else [])])


def _planned(history: History) -> int:
    scheduler = history.spec.scheduler
    return len(scheduler.ladder) * getattr(scheduler, "repeats", 1)


def _in_words(one: SearchCurve) -> str:
    words = f"seed {_named(one)} epoch {_epoch(one)}/{one.budget}"
    if not len(one.epochs):
        return words
    words += f" one-shot valid error {percent(one.last(ONE_SHOT))}"
    return f"{words}, test regret {percent(one.last(REGRET))}" if REGRET in one.metrics else words


def _named(one: SearchCurve) -> str:
    return "·" if one.seed is None else str(one.seed)


def _epoch(one: SearchCurve) -> int:
    return int(one.epochs[-1]) if len(one.epochs) else 0


def percent(share: float) -> str:
    """A share of images for people; a dot where there is none."""
    return "·" if math.isnan(share) else f"{100 * share:.2f} %"


SEARCH: Final = Face(_page, _line, (Asked, Reported, Told))
"""Of studies of one-shot searches."""
