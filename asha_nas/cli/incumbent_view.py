"""How good results came about, for people and for programs: tuned optimizers, and studies that were simulated."""

from __future__ import annotations

import math
import statistics
from pathlib import Path
from typing import Any, Final

from asha_nas import lookups
from asha_nas.analysis import History, JobRecord
from asha_nas.analysis.search import Spread, spread
from asha_nas.analysis.trajectory import Trajectory
from asha_nas.cli.output import err, out, settings_text, table
from asha_nas.live import duration
from asha_nas.live_search import percent
from asha_nas.study import StudySpec

MOST_LINES: Final = 12
"""Changes of the incumbent that are listed, the last ones."""


def print_tuned(spec: StudySpec, history: History, drawing: Path) -> None:
    """The best configuration beside the default one, and the incumbents; draws their curve."""
    rows = [_row(name, history, job) for name, job in _compared(history).items()]
    heads = ["", "trial", "epochs", "valid", "test", "regret"]
    out.print(table(heads, rows, right=tuple(heads[1:])))
    for name, job in _compared(history).items():
        out.print(f"{name}: {settings_text(history.trial(job.trial).config)}", soft_wrap=True, markup=False)
    print_incumbents(history.trajectory)
    _say_more(spec, history, drawing)


def tuned_values(spec: StudySpec, history: History, drawing: Path) -> dict[str, Any]:
    """The same for programs."""
    return {
        "study": spec.name, "state": history.state,
        **{name: _values(history, job) for name, job in _compared(history).items()},
        "incumbents": history.trajectory.to_plain(), "cost": history.cost(),
        "remarks": lookups.remarks(spec), "drawing": str(drawing) if draw(spec, history, drawing) else None,
    }  # fmt: skip


def print_repeats(spec: StudySpec, history: History, drawing: Path) -> None:
    """What a simulated study came to, over its repeats; draws their mean."""
    ends = [one.end for one in _repeats(history)]
    count = f"{len(ends)} repeats" if len(ends) > 1 else "simulated"
    evaluations, seconds = (statistics.fmean(getattr(end, name) for end in ends) for name in _TOTALS)
    workers = f"{spec.engine.workers} virtual worker{'s' * (spec.engine.workers != 1)}"
    out.print(f"{count}: {evaluations:,.0f} evaluations in {duration(seconds)} of {workers}")
    for name, found in _finals(history).items():
        error = f" ± {_se(found):.2g} (standard error)" if found.seeds > 1 else ""
        out.print(f"{name} of the best: [bold]{found.mean:.5g}[/]{error}")
    _say_more(spec, history, drawing)


def repeats_values(spec: StudySpec, history: History, drawing: Path) -> dict[str, Any]:
    """The same for programs."""
    ends = [one.end for one in _repeats(history)]
    return {
        "study": spec.name, "state": history.state, "repeats": len(ends),
        **{name: statistics.fmean(getattr(end, name) for end in ends) for name in _TOTALS},
        "best": {
            name: {"repeats": one.seeds, "mean": one.mean, "std": one.std, "standard_error": _se(one)}
            for name, one in _finals(history).items()
        },
        "remarks": lookups.remarks(spec), "drawing": str(drawing) if draw(spec, history, drawing) else None,
    }  # fmt: skip


_TOTALS: Final = ("evaluations", "clock_seconds")


def print_incumbents(found: Trajectory) -> None:
    """Each time that the best result changed."""
    names = [name for name in ("regret", "test_error", "test_loss") if name in found.metrics][:1]
    heads = ["evaluations", "epochs", "simulated time", "best", *names]
    rows = [
        [
            found.evaluations[i], found.epochs[i], duration(found.spent_seconds[i]), f"{found.loss[i]:.4f}",
            *(f"{found.metrics[name][i]:.4f}" for name in names),
        ]
        for i in range(len(found))
    ]  # fmt: skip
    out.print("\nincumbents:", style="bold")
    if len(rows) > MOST_LINES:
        out.print(f"… {len(rows) - MOST_LINES} earlier ones")
    out.print(table(heads, rows[-MOST_LINES:], right=tuple(heads)))


def draw(spec: StudySpec, history: History, path: Path) -> bool:
    """Draw how the best result came about; False if nothing has finished, or the file cannot be written."""
    from asha_nas.analysis import comparison, lines  # noqa: PLC0415 - imports SciPy
    from asha_nas.analysis.comparison_plot import draw_comparison  # noqa: PLC0415 - imports matplotlib

    if not history.found_something:
        return False
    found = lines.lines([lines.Entry.of(history)])
    timed = found[0].trajectories[0].end.spent_seconds > 0
    axis, value = comparison.find_axis("spent" if timed else "evaluations"), comparison.find_value(found, None)
    try:  # what was found is not lost for want of a drawing
        path.parent.mkdir(parents=True, exist_ok=True)
        draw_comparison(path, comparison.averaged(found, axis, value), axis, value, spec.name)
    except OSError as error:
        err.print(f"not drawn: {path}: {error.strerror or error}", style="yellow", markup=False, soft_wrap=True)
        return False
    return True


def _say_more(spec: StudySpec, history: History, path: Path) -> None:
    for remark in lookups.remarks(spec):
        out.print(f"note: {remark}", style="yellow", markup=False, soft_wrap=True)
    if draw(spec, history, path):
        out.print(f"the curve is drawn in {path}", soft_wrap=True, markup=False)


def _compared(history: History) -> dict[str, JobRecord]:
    """The best job, and of the default configuration the one with the most epochs."""
    chosen = {"best": history.best}
    defaults = [trial for trial in history.trials.values() if trial.origin == "default"]
    ended = [job for trial in defaults for job in trial.jobs if job.loss is not None]
    return {**chosen, "default": max(ended, key=lambda job: job.stop)} if ended else chosen


def _row(name: str, history: History, job: JobRecord) -> list[Any]:
    metrics = job.metrics.get(job.stop, {})
    valid = history.value(job.loss)
    assert valid is not None
    return [
        name, job.trial, job.stop, percent(valid),
        *(percent(metrics.get(metric, math.nan)) for metric in ("test_error", "regret")),
    ]  # fmt: skip


def _values(history: History, job: JobRecord) -> dict[str, Any]:
    trial = history.trial(job.trial)
    return {
        "trial": job.trial, "epochs": job.stop, "config": dict(trial.config), "origin": trial.origin,
        "metrics": job.metrics.get(job.stop, {}), "cell": job.notes.get("cell"), "hash": job.notes.get("hash"),
    }  # fmt: skip


# --- over repeats ----------------------------------------------------------------------------------


def _repeats(history: History) -> list[Trajectory]:
    return [history.repeats[number] for number in sorted(history.repeats)] or [history.trajectory]


def _finals(history: History) -> dict[str, Spread]:
    """What the last incumbents have, over repeats: the metric that is compared by, then all others."""
    found = [one for one in _repeats(history) if len(one)]
    metric = history.spec.problem.metric
    names = [metric, *sorted({name for one in found for name in one.metrics} - {metric})]
    values = {name: [one.metrics[name][-1] for one in found if name in one.metrics] for name in names}
    return {name: known for name, each in values.items() if (known := spread(each)) is not None}


def _se(found: Spread) -> float:
    return found.std / math.sqrt(found.seeds)
