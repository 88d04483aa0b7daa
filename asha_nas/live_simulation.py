"""The live view of a simulated study: how many of its repeats have been played."""

from __future__ import annotations

import statistics
from typing import Final

from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from asha_nas.analysis import History
from asha_nas.live import LADDER, Face
from asha_nas.store import Closed, Repeated


def _page(history: History) -> RenderableType:
    repeats = history.spec.engine
    bar = Table.grid(padding=(0, 1))
    total, done = getattr(repeats, "repeats", 1), len(history.repeats)
    bar.add_row(Text(" "), ProgressBar(total=total, completed=done, width=40), Text(_line(history)))
    return Group(LADDER.page(history), *([bar] if total > 1 else []))


def _line(history: History) -> str:
    total, found = getattr(history.spec.engine, "repeats", 1), [one for one in history.repeats.values() if len(one)]
    if not found:
        return LADDER.line(history)
    mean = statistics.fmean(one.loss[-1] for one in found)
    return f"{len(history.repeats)} of {total} repeats played, mean {history.spec.problem.metric} {history.shown(mean)}"


SIMULATION: Final = Face(_page, _line, (Repeated, Closed))
"""Of studies on a virtual clock."""
