"""What one-shot searches found, for people and for programs."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from asha_nas import searching
from asha_nas.analysis import History
from asha_nas.analysis.search import ONE_SHOT, REGRET, SearchCurve, Spread, by_budget, curve, curves, over_seeds, spread
from asha_nas.cli.output import err, out, table
from asha_nas.errors import UserError
from asha_nas.live import duration
from asha_nas.live_search import MOST_LINES, percent
from asha_nas.study import Search, StudySpec

_METRICS = (ONE_SHOT, "valid_error", "test_error", REGRET)


@dataclass(frozen=True, slots=True)
class Reference:
    """What the regret of a found cell is compared with."""

    mean: float
    """Expected test regret of a random cell, a share of images."""
    std: float
    """Its standard deviation over all cells."""
    remarks: tuple[str, ...]
    """In which ways the table's figures fall short, for people."""


def reference(problem: Search) -> Reference | None:
    """What a table says of random cells; None without one, or if it is no longer there, which is told."""
    try:
        scorer = searching.scorer(problem)
    except UserError as error:
        err.print(f"not compared with a random cell: {str(error).splitlines()[0]}", style="yellow", markup=False)
        return None
    return None if scorer is None else Reference(*scorer.random_regret(), scorer.remarks())


def title(problem: Search) -> str:
    """A study of searches in a few words."""
    return f"{problem.optimizer} in {problem.space} on {problem.data}"


def as_values(spec: StudySpec, history: History, drawing: Path) -> dict[str, Any]:
    """What was found, for programs; draws the curves if there are any."""
    problem = _problem(spec)
    against = reference(problem)
    drawn = draw(spec, history, against, drawing)
    return {
        "study": spec.name, "state": history.state,
        "searches": [_values(one) for one in curves(history)],
        "budgets": [
            {"epochs": budget, "done": len(done), **_spreads(done)} for budget, done in _done(history).items()
        ],
        "best_trial": history.incumbents[-1].trial if history.incumbents else None,
        "random_regret": None if against is None else {"mean": against.mean, "std": against.std},
        "drawing": str(drawing) if drawn else None, "cost": history.cost(),
    }  # fmt: skip


def print_found(spec: StudySpec, history: History, drawing: Path) -> None:
    """What was found, for people; draws the curves."""
    problem = _problem(spec)
    against = reference(problem)
    _print_searches(problem, curves(history))
    for budget, done in _done(history).items():
        _print_budget(budget, done, against)
    best = curve(history, history.best.trial)
    found = f", cell {best.hash}" if best.hash else ""
    out.print(f"best by {problem.metric}: seed {best.seed}, trial {best.trial}{found}", soft_wrap=True)
    for remark in () if against is None else against.remarks:
        out.print(f"note: {remark}", style="dim", markup=False)
    if draw(spec, history, against, drawing):
        out.print(f"the curves are drawn in {drawing}", soft_wrap=True, markup=False)


def draw(spec: StudySpec, history: History, against: Reference | None, path: Path) -> bool:
    """Draw the curves of a study, one for each budget; False if there is nothing yet, or the file cannot be written."""
    from asha_nas.analysis.curves import draw_curves  # noqa: PLC0415 - matplotlib takes a while to import

    problem = _problem(spec)
    found = {budget: over_seeds(searches) for budget, searches in by_budget(history).items()}
    several = len(spec.scheduler.ladder) > 1
    named = {
        f"{problem.optimizer}, {epochs(budget)}" if several else problem.optimizer: averaged
        for budget, averaged in found.items()
        if averaged is not None
    }
    if not named:
        return False
    try:  # what a search found is not lost for want of a drawing
        path.parent.mkdir(parents=True, exist_ok=True)
        draw_curves(path, named, None if against is None else against.mean, f"{spec.name}: {title(problem)}")
    except OSError as error:
        err.print(f"not drawn: {path}: {error.strerror or error}", style="yellow", markup=False, soft_wrap=True)
        return False
    return True


def _print_searches(problem: Search, every: list[SearchCurve]) -> None:
    """A row for each search, and the cells that were found."""
    scored = problem.table is not None
    heads = ["seed", "epochs", "one-shot", *(["valid", "test", "regret"] if scored else []), "search"]
    heads += ["simulated"] if scored else []
    metrics = _METRICS if scored else _METRICS[:1]
    rows = [
        [
            one.seed, one.budget, *(percent(one.last(metric)) for metric in metrics), _time(one.search_seconds),
            *([_time(one.simulated_seconds)] if scored else []), "" if one.state == "done" else one.state,
        ]
        for one in every
    ]  # fmt: skip
    words = "validation error of the super-net (one-shot)"
    words += "; of the found cell, by the table, errors and test regret; times" if scored else " and time of search"
    out.print(words, style="dim", soft_wrap=True)
    out.print(table([*heads, ""], rows, right=tuple(heads)))
    for one in [one for one in every if one.state == "done"][:MOST_LINES]:
        cell = " ".join(text for text in (one.hash, one.cell) if text)
        after = f", {epochs(one.budget)}" if len({one.budget for one in every}) > 1 else ""
        out.print(f"seed {one.seed}{after}: {cell}", style="dim", soft_wrap=True, markup=False)


def epochs(count: int) -> str:
    """A number of epochs in words."""
    return f"{count} epoch{'s' * (count != 1)}"


def _time(seconds: float) -> str | None:
    return None if math.isnan(seconds) else duration(seconds)


def _print_budget(budget: int, done: list[SearchCurve], against: Reference | None) -> None:
    after = f"after {epochs(budget)}"
    regret = spread([one.last(REGRET) for one in done])
    if regret is None:
        error = spread([one.last(ONE_SHOT) for one in done])
        out.print(f"{after}: one-shot validation error [bold]{_shown(error)}[/]")
        return
    words = f"{after}: test regret [bold green]{_shown(regret)}[/]"
    if against is not None:
        words += f", a random cell's is {percent(against.mean)} ± {percent(against.std)}"
    out.print(words, soft_wrap=True)


def _shown(found: Spread | None) -> str:
    if found is None:
        return "·"
    if found.seeds == 1:
        return f"{percent(found.mean)} (1 seed)"
    return f"{percent(found.mean)} ± {percent(found.std)} ({found.seeds} seeds)"


def _done(history: History) -> dict[int, list[SearchCurve]]:
    """Finished searches by budget, lowest first."""
    done = [one for one in curves(history) if one.state == "done"]
    return {b: of_b for b in history.ladder if (of_b := [one for one in done if one.budget == b])}


def _spreads(done: list[SearchCurve]) -> dict[str, Any]:
    return {metric: spread([one.last(metric) for one in done]) for metric in _METRICS}


def _values(one: SearchCurve) -> dict[str, Any]:
    return {
        "trial": one.trial, "seed": one.seed, "epochs": one.budget, "state": one.state, "cell": one.cell,
        "hash": one.hash, "search_seconds": one.search_seconds, "simulated_seconds": one.simulated_seconds,
        "metrics": {name: one.last(name) for name in one.metrics},
        "curve": {"epoch": one.epochs.tolist(), **{m: one.metrics[m].tolist() for m in _METRICS if m in one.metrics}},
    }  # fmt: skip


def _problem(spec: StudySpec) -> Search:
    assert isinstance(spec.problem, Search)
    return spec.problem
