"""What came of a study, when its run ends: for people, and for programs."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import typer

from asha_nas.analysis import History
from asha_nas.analysis import evaluation as evaluated
from asha_nas.cli import incumbent_view, search_view, show
from asha_nas.cli.files import drawing
from asha_nas.cli.output import out, print_json
from asha_nas.store.place import ENVIRONMENT
from asha_nas.study import FullTraining, Lookup, PartialTraining, Search, Simulation, StudySpec, Tabulation, Tune


def print_end_json(study: Any, draw: Path | None) -> None:
    """What came of a study, for programs."""
    history = study.history()
    if isinstance(study.spec.problem, Tabulation):
        path = _write_table(study) if history.state == "done" else None
        print_json({"study": study.spec.name, "state": history.state, "table": path, "cost": history.cost()})
    elif isinstance(study.spec.problem, Search):
        print_json(search_view.as_values(study.spec, history, draw or drawing(study.name)))
    elif history.found_something and isinstance(study.spec.engine, Simulation):
        print_json(incumbent_view.repeats_values(study.spec, history, draw or drawing(study.name)))
    elif history.incumbents and isinstance(study.spec.problem, Tune):
        print_json(incumbent_view.tuned_values(study.spec, history, draw or drawing(study.name)))
    else:
        show.print_best_json(study.spec, history, draw)


def print_end(study: Any, reason: str, draw: Path | None) -> None:
    """What came of a study, for people."""
    history = study.history()
    if reason == "interrupted":
        out.print(f"interrupted; nothing is lost. Go on with: [bold]{command('resume', study)}[/]", soft_wrap=True)
        raise typer.Exit(130)
    if reason == "time":
        out.print("the time limit is reached; the jobs that were running have been finished")
        out.print(f"go on for longer with: [bold]{command('resume', study, '--max-hours H')}[/]\n", soft_wrap=True)
    if reason == "full":
        out.print(f"stopped before it is full: {history.shortage}", soft_wrap=True)
        out.print("nothing is lost; the jobs that were running have been finished")
        more = "with more room" if "quota" not in history.shortage else "with more room, --quota SIZE"
        out.print(f"go on {more}: [bold]{command('resume', study)}[/]", soft_wrap=True)
        raise typer.Exit(1)
    if reason == "failing":
        out.print("stopped: job after job gave no result. What was done is kept; what was lost is done again later")
        out.print(f"see why: [bold]{command('show', study)}[/]", soft_wrap=True)
        out.print(f"mend that, then go on with: [bold]{command('resume', study)}[/]", soft_wrap=True)
        raise typer.Exit(1)
    if not history.found_something:
        out.print(f"no job gave a result; see why: [bold]{command('show', study)}[/]", soft_wrap=True)
        raise typer.Exit(1)
    _end_of(study.spec)(study, history, draw)


def command(verb: str, study: Any, *more: str) -> str:
    """A command to type next, with the store where it is not the one that is found by itself."""
    words = ["asha-nas", verb, study.name, *more]
    if not study.store.is_default and study.store.has_password:
        words.append(f"   # with the URL of the store, and its password, in {ENVIRONMENT}")
    elif not study.store.is_default:
        words.append(f"--store {shlex.quote(study.store.url)}")
    return " ".join(words)


# --- one for each kind of study --------------------------------------------------------------------


def _of_trials(study: Any, history: History, draw: Path | None) -> None:
    spec = study.spec
    show.print_best(history)
    if isinstance(spec.problem, PartialTraining) or (draw is not None and isinstance(spec.problem, Lookup)):
        path = draw or drawing(study.name)
        show.draw_cell(spec, history.best_trial, path)
        out.print(f"it is drawn in {path}", soft_wrap=True)
    show.print_cost(history)
    words = [command("show", study), command("explain", study, str(history.best.trial))]
    if isinstance(spec.problem, PartialTraining):
        words.append(f"{command('evaluate', study, '--seeds 3')}      # from scratch, on the test set")
    _print_next(*words)


def _of_evaluation(_study: Any, history: History, _draw: Path | None) -> None:
    out.print(f"test error: [bold]{evaluated(history)}[/]")
    show.print_cost(history)


def _of_table(study: Any, history: History, _draw: Path | None) -> None:
    if history.state == "done":
        file = _write_table(study)
        out.print(f"the table is in [bold]{file}[/]", soft_wrap=True)
        show.print_cost(history)
        _print_next(f"asha-nas table info {shlex.quote(file)}")


def _of_search(study: Any, history: History, draw: Path | None) -> None:
    problem = study.spec.problem
    search_view.print_found(study.spec, history, draw or drawing(study.name))
    show.print_cost(history)
    words = [command("show", study), command("best", study, "--draw cell.svg")]
    if problem.table is not None:
        name = history.best.notes["hash"]
        words += [command("correlate", study), f"asha-nas table lookup {shlex.quote(problem.table)} {name}"]
    if problem.space == "darts-cnn":
        words.append(f"{command('evaluate', study, '--seeds 3')}      # from scratch, on the test set")
    _print_next(*words)


def _of_tuning(study: Any, history: History, draw: Path | None) -> None:
    incumbent_view.print_tuned(study.spec, history, draw or drawing(study.name))
    show.print_cost(history)
    again = command("transfer", study, f"--to {study.spec.problem.space} --seeds 0..4")
    _print_next(
        command("show", study),
        command("best", study, "--draw cell.svg"),
        *([f"{again}   # both configurations again, with five seeds"] if study.spec.problem.table else []),
    )


def _of_simulation(study: Any, history: History, draw: Path | None) -> None:
    incumbent_view.print_repeats(study.spec, history, draw or drawing(study.name))
    _print_next(command("show", study), command("best", study), command("compare", study))


_ENDS: Final = (
    (FullTraining, _of_evaluation),
    (Tabulation, _of_table),
    (Search, _of_search),
    (Tune, _of_tuning),
)


def _end_of(spec: StudySpec) -> Callable[[Any, History, Path | None], None]:
    if isinstance(spec.engine, Simulation):
        return _of_simulation
    return next((end for kind, end in _ENDS if isinstance(spec.problem, kind)), _of_trials)


def _print_next(*words: str) -> None:
    out.print("\nnext:")
    for line in words:
        out.print(f"  {line}", soft_wrap=True, markup=False)


def _write_table(study: Any) -> str:
    from asha_nas import tabulation  # noqa: PLC0415

    return str(tabulation.write(study.spec, study.store.rows(study.store.study(study.name))))
