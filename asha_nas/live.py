"""The live view of a running study: what it found so far, its cost and the time left.

What is particular to a kind of study is its *face*; here is the one of studies with rungs.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from asha_nas.analysis import Cost, History
from asha_nas.store import Asked, Event, Listener, Told

PLAIN_SECONDS = 5.0
"""Without a terminal, how often at most a line of progress is printed."""


@dataclass(frozen=True, slots=True)
class Face:
    """What a kind of study shows of itself while it runs; functions of its history alone."""

    page: Callable[[History], RenderableType]
    """What stands above the progress, on a terminal."""
    line: Callable[[History], str]
    """The same in one line."""
    news: tuple[type[Event], ...]
    """Events after which there is something new to print, without a terminal."""


class LiveView:
    """Folds events as they are logged and draws itself when asked to, from another thread."""

    def __init__(self, history: History, planned_epochs: int | None, face: Face | None = None) -> None:
        """Start from what is in the log already.

        Args:
            history: folded so far; owned by the view from now on.
            planned_epochs: epochs the whole study will take, for the time left; ``None`` if unknown.
            face: what is shown; :data:`LADDER` if not given.
        """
        self.face = face or LADDER
        self._history = history
        self._planned = planned_epochs
        self._lock = threading.Lock()
        self._began = time.monotonic()
        self._epochs_before = history.cost().epochs
        self._sequence = max((job.told or job.asked for job in history.jobs.values()), default=0)

    def take(self, event: Event) -> None:
        """Fold in an event that has just been logged."""
        with self._lock:
            self._sequence += 1
            self._history.add(event, self._sequence, time.time())

    def __rich__(self) -> RenderableType:
        with self._lock:
            return Group(self.face.page(self._history), self._progress())

    def line(self) -> str:
        """The same in one line."""
        with self._lock:
            cost = self._history.cost()
            words = f"{self.face.line(self._history)} · {cost.epochs} epochs trained"
            return f"{words}{_and_reused(cost)}{self._left(cost)}"

    def _progress(self) -> RenderableType:
        cost = self._history.cost()
        running = sum(job.state == "running" for job in self._history.jobs.values())
        spared = 0 if cost.full_epochs is None else cost.full_epochs - cost.epochs
        saved = f", {spared} saved beside full training" if spared > 0 else ""
        words = Text(f" {running} running · {cost.epochs} epochs trained{_and_reused(cost)}{saved}{self._left(cost)}")
        if not self._planned:
            return words
        row = Table.grid(padding=(0, 1))
        row.add_row(
            Text(" "), ProgressBar(total=self._planned, completed=cost.epochs + cost.reused_epochs, width=40), words
        )
        return row

    def _left(self, cost: Cost) -> str:
        done, took = cost.epochs - self._epochs_before, time.monotonic() - self._began
        left = (self._planned or 0) - cost.epochs - cost.reused_epochs
        if done < 3 or left <= 0:
            return ""
        return f" · about {duration(left * took / done)} left"


def reused_words(cost: Cost) -> str:
    """Such as ``7 results reused (9 epochs)``; empty if none was."""
    if not cost.reused:
        return ""
    results = f"{cost.reused} result{'s' * (cost.reused != 1)}"
    return f"{results} reused ({cost.reused_epochs} epoch{'s' * (cost.reused_epochs != 1)})"


def _and_reused(cost: Cost) -> str:
    return f", {reused_words(cost)}" if cost.reused else ""


def _ladder_page(history: History) -> RenderableType:
    return Group(ladder_table(history), incumbent(history))


def _ladder_line(history: History) -> str:
    rungs = " ".join(f"{rung.epochs}:{rung.results}" for rung in history.rungs())
    best = history.shown(history.incumbents[-1].loss if history.incumbents else None)
    return f"results by epochs {rungs} · best {history.spec.problem.metric} {best}"


LADDER = Face(_ladder_page, _ladder_line, (Asked, Told))
"""Of studies with rungs."""


def incumbent(history: History) -> Text:
    """The best trial so far, in a line."""
    if not history.incumbents:
        return Text(" incumbent: none yet", style="dim")
    best = history.incumbents[-1]
    return Text.assemble(
        " incumbent: ", (f"trial {best.trial}", "bold"), f" with {history.spec.problem.metric} ",
        (history.shown(best.loss), "bold green"), f" after {best.stop} epochs",
    )  # fmt: skip


def ladder_table(history: History) -> Table:
    """The rung ladder, deepest rung on top, as one climbs it."""
    rungs, metric = history.rungs(), history.spec.problem.metric
    table = Table(header_style="bold", box=None, padding=(0, 2, 0, 0))
    for column in ("rung", "epochs", "running", "results", "failed", "promoted", metric):
        table.add_column(column, justify="right")
    table.add_column("", justify="left")
    most = max((rung.results for rung in rungs), default=0) or 1
    for rung in reversed(rungs):
        bar = "█" * round(12 * rung.promoted / most) + "░" * round(12 * (rung.results - rung.promoted) / most)
        table.add_row(
            str(rung.rung), str(rung.epochs), str(rung.running or "·"), str(rung.results),
            str(rung.failed + rung.diverged or "·"), str(rung.promoted or "·"),
            history.shown(rung.best), Text(bar, style="cyan"),
        )  # fmt: skip
    return table


def duration(seconds: float) -> str:
    """Seconds in words a person reads at a glance."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h" if seconds < 48 * 3600 else f"{seconds / 86400:.1f} days"


@contextmanager
def shown(view: LiveView, console: Console) -> Iterator[Listener]:
    """Show the view while the block runs; yields the listener that feeds it."""
    if console.is_terminal:
        with Live(view, console=console, refresh_per_second=4):
            yield view.take
        return
    yield _printing(view, console)


def _printing(view: LiveView, console: Console) -> Callable[[Event], None]:
    last = [time.monotonic() - PLAIN_SECONDS]

    def listen(event: Event) -> None:
        view.take(event)
        due = time.monotonic() - last[0] >= PLAIN_SECONDS
        if due and isinstance(event, view.face.news):
            last[0] = time.monotonic()
            console.print(view.line(), soft_wrap=True, highlight=False)

    return listen
