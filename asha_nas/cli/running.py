"""From a spec to a study that runs, and what is said before, during and after it."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import typer

from asha_nas import searching
from asha_nas.analysis import History
from asha_nas.analysis import evaluation as evaluated
from asha_nas.cli import search_view, show
from asha_nas.cli.files import check_picture, drawing
from asha_nas.cli.output import out, print_json, size, table
from asha_nas.errors import InvalidValue
from asha_nas.live import LADDER, LiveView, duration, shown
from asha_nas.live_search import SEARCH
from asha_nas.provenance import source_hash
from asha_nas.store import Store
from asha_nas.store.database import default_url
from asha_nas.study import Curves, FullTraining, Lookup, Objective, PartialTraining, Search, StudySpec, Tabulation


def start(spec: StudySpec, store: Store, *, plan: bool, draw: Path | None, as_json: bool) -> None:
    """Plan a new study, or make and run it."""
    if plan:
        _print_plan(spec, store, as_json)
        return
    check_draw(spec, draw)
    check_data(spec)
    from asha_nas import api  # noqa: PLC0415 - imports pandas

    go_on(api.create(spec, store=store), draw=draw, as_json=as_json)


def check_data(spec: StudySpec) -> None:
    """Fail now, with the remedy, rather than in every worker, if the data set or the table is not there."""
    if isinstance(spec.problem, Lookup | Curves):
        return  # making the study checks them
    if isinstance(spec.problem, Search):
        searching.scorer(spec.problem)  # before PyTorch is imported, which takes a while
    if not isinstance(spec.problem, Objective):
        from trials.data import catalogue, dataset  # noqa: PLC0415

        recipe = spec.problem.recipe
        loaded = catalogue.load(
            spec.problem.data, valid_fraction=recipe.valid_fraction, train_limit=recipe.train_limit,
            test=isinstance(spec.problem, Tabulation),
        )  # fmt: skip
        if isinstance(spec.problem, Search):
            dataset.halve(loaded.train, spec.problem.recipe.search_fraction)


def check_draw(spec: StudySpec, path: Path | None) -> None:
    """Fail now, rather than after the training, if the drawing cannot be made."""
    if path is None:
        return
    if isinstance(spec.problem, Objective | Tabulation | Curves):
        raise InvalidValue("--draw", str(path), "only architectures and searches can be drawn", "Leave it out.")
    check_picture(path)


def go_on(study: Any, *, draw: Path | None, as_json: bool, max_hours: float | None = None) -> None:
    """Run a study, new or begun, and tell how it goes."""
    from asha_nas.plan import planned_epochs  # noqa: PLC0415

    spec, history = study.spec, study.history()
    if as_json:
        reason = study.run(max_hours=max_hours)
        print_end_json(study, draw)
        nothing = reason == "done" and not study.history().incumbents
        raise typer.Exit({"interrupted": 130, "failing": 1}.get(reason, int(nothing)))
    goes_on = f", going on after {len(history.jobs)} jobs" if history.jobs else ""
    out.print(f"[bold]{study.name}[/]: {_described(spec)}{goes_on}", soft_wrap=True)
    out.print(f"stop it with Ctrl-C or kill it; go on with: [bold]{_command('resume', study)}[/]\n", soft_wrap=True)
    if json.loads(study.provenance)["source"] != source_hash():
        out.print("note: made by another version of asha-nas; each decision is compared with the log", style="dim")
    face = SEARCH if isinstance(spec.problem, Search) else LADDER
    with shown(LiveView(history, planned_epochs(spec) if max_hours is None else None, face), out) as listener:
        reason = study.run(
            [listener], max_hours=max_hours, announce=lambda url: out.print(f"Ray dashboard: http://{url}", style="dim")
        )
    out.print()
    print_end(study, reason, draw)


def _described(spec: StudySpec) -> str:
    problem, ladder = spec.problem, spec.scheduler.ladder
    rungs = f"rungs at {', '.join(map(str, ladder))} epochs" if len(ladder) > 1 else f"{ladder[0]} epochs each"
    if isinstance(problem, Objective):
        return f"{spec.scheduler.kind} over {problem.objective}, {rungs}"
    if isinstance(problem, Tabulation):
        cells = "every cell" if problem.cells is None else f"{problem.cells} cells"
        return f"a table of {cells} of {problem.space} on {problem.data}, for {', '.join(map(str, ladder))} epochs"
    if isinstance(problem, Search):
        seeds = f"{len(problem.seeds)} seeds" if len(problem.seeds) > 1 else f"seed {problem.seeds[0]}"
        scored = f"cells looked up in {problem.table}" if problem.table else "no table"
        return f"{search_view.title(problem)}, {seeds}, {', '.join(map(str, ladder))} epochs; {scored}"
    if isinstance(problem, Lookup | Curves):
        return f"{spec.scheduler.kind} over {_looked_up(problem)}, {rungs}"
    network = f"{problem.recipe.cells} cells, {problem.recipe.channels} channels"
    if isinstance(problem, FullTraining):
        return (
            f"{getattr(spec.scheduler, 'configs', '')} seeds of one architecture on {problem.data} ({network}), {rungs}"
        )
    return f"{spec.scheduler.kind} over DARTS cells on {problem.data} ({network}), {rungs}"


def _looked_up(problem: Lookup | Curves) -> str:
    if isinstance(problem, Lookup):
        return f"cells of {problem.space}, looked up in {problem.table}"
    return f"recorded trainings of {problem.task}"


def print_end_json(study: Any, draw: Path | None) -> None:
    """What came of a study, for programs."""
    history = study.history()
    if isinstance(study.spec.problem, Tabulation):
        path = _write_table(study) if history.state == "done" else None
        print_json({"study": study.name, "state": history.state, "table": path, "cost": history.cost()})
    elif isinstance(study.spec.problem, Search):
        print_json(search_view.as_values(study.spec, history, draw or drawing(study.name)))
    else:
        show.print_best_json(study.spec, history, draw)


def print_end(study: Any, reason: str, draw: Path | None) -> None:
    """What came of a study, for people."""
    history, spec = study.history(), study.spec
    if reason == "interrupted":
        out.print(f"interrupted; nothing is lost. Go on with: [bold]{_command('resume', study)}[/]", soft_wrap=True)
        raise typer.Exit(130)
    if reason == "time":
        out.print("the time limit is reached; the jobs that were running have been finished")
        out.print(f"go on for longer with: [bold]{_command('resume', study)} --max-hours H[/]\n", soft_wrap=True)
    if reason == "failing":
        out.print("stopped: job after job gave no result. What was done is kept; what was lost is done again later")
        out.print(f"see why: [bold]{_command('show', study)}[/]", soft_wrap=True)
        out.print(f"mend that, then go on with: [bold]{_command('resume', study)}[/]", soft_wrap=True)
        raise typer.Exit(1)
    if not history.incumbents:
        out.print(f"no job gave a result; see why: [bold]{_command('show', study)}[/]", soft_wrap=True)
        raise typer.Exit(1)
    if isinstance(spec.problem, FullTraining):
        out.print(f"test error: [bold]{evaluated(history)}[/]")
        show.print_cost(history)
        return
    if isinstance(spec.problem, Tabulation):
        if reason == "done":
            file = _write_table(study)
            out.print(f"the table is in [bold]{file}[/]", soft_wrap=True)
            show.print_cost(history)
            out.print(f"\nnext:\n  asha-nas table info {shlex.quote(file)}", soft_wrap=True)
        return
    if isinstance(spec.problem, Search):
        _print_end_of_search(study, spec.problem, history, draw)
        return
    show.print_best(history)
    if isinstance(spec.problem, PartialTraining) or (draw is not None and isinstance(spec.problem, Lookup)):
        path = draw or drawing(study.name)
        show.draw_cell(spec, history.best_trial, path)
        out.print(f"it is drawn in {path}", soft_wrap=True)
    show.print_cost(history)
    out.print("\nnext:")
    for words in (_command("show", study), _command("explain", study, str(history.best.trial))):
        out.print(f"  {words}", soft_wrap=True)
    if isinstance(spec.problem, PartialTraining):
        out.print(f"  {_command('evaluate', study, '--seeds 3')}      # from scratch, on the test set", soft_wrap=True)


def _print_end_of_search(study: Any, problem: Search, history: History, draw: Path | None) -> None:
    search_view.print_found(study.spec, history, draw or drawing(study.name))
    show.print_cost(history)
    out.print("\nnext:")
    words = [_command("show", study), _command("best", study, "--draw cell.svg")]
    if problem.table is not None:
        name = history.best.notes["hash"]
        words += [_command("correlate", study), f"asha-nas table lookup {shlex.quote(problem.table)} {name}"]
    if problem.space == "darts-cnn":
        words.append(f"{_command('evaluate', study, '--seeds 3')}      # from scratch, on the test set")
    for line in words:
        out.print(f"  {line}", soft_wrap=True, markup=False)


def _write_table(study: Any) -> str:
    from asha_nas import tabulation  # noqa: PLC0415

    return str(tabulation.write(study.spec, study.store.rows(study.store.study(study.name))))


def _command(verb: str, study: Any, *more: str) -> str:
    """A command to type next, with the store where it is not the one that is found by itself."""
    place = [] if study.store.url == default_url() else [f"--store {shlex.quote(study.store.url)}"]
    return " ".join(["asha-nas", verb, study.name, *more, *place])


def _print_plan(spec: StudySpec, store: Store, as_json: bool) -> None:
    from asha_nas.plan import make_plan  # noqa: PLC0415

    plan = make_plan(spec, store, spec.engine.workers or 1)
    if as_json:
        print_json({"name": spec.name, "plan": plan, "spec": spec.model_dump()})
        return
    out.print(f"[bold]{spec.name}[/]: {_described(spec)}\n", soft_wrap=True)
    rows: list[list[Any]] = [[rung.rung, rung.stop, rung.jobs, rung.epochs] for rung in plan.rungs]
    rows.append(["all", None, plan.jobs, plan.epochs])
    columns = ["rung", "to epoch", "jobs", "epochs trained"]
    out.print(table(columns, rows, right=tuple(columns)))
    if plan.epochs and plan.full_epochs is not None:
        times = f"{plan.full_epochs / plan.epochs:.1f} times as many"
        out.print(f"\ntraining all {plan.rungs[0].jobs} fully takes {plan.full_epochs} epochs, {times}")
    if plan.hours is None:
        out.print(f"time: {plan.seconds_source}")
    else:
        out.print(
            f"time: about {duration(plan.hours * 3600)} with {plan.workers} worker{'s' * (plan.workers > 1)}"
            f" ({plan.seconds_per_epoch:.2g} s an epoch: {plan.seconds_source})"
        )
    if plan.disk_bytes is not None:
        out.print(f"disk: about {size(plan.disk_bytes)} of checkpoints")
    for warning in plan.warnings:
        out.print(f"note: {warning}", style="yellow")


def free_name(store: Store, stem: str, also_taken: Iterable[str] = ()) -> str:
    """A name that no study of the store has: the stem, or the stem and a number."""
    taken = {*(study.name for study in store.studies()), *also_taken}
    number = 1
    while (name := stem if number == 1 else f"{stem}-{number}") in taken:
        number += 1
    return name


def settings(pairs: list[str]) -> dict[str, Any]:
    """``KEY=VALUE`` options as values: JSON where it is JSON, else text."""
    settings: dict[str, Any] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals:
            raise typer.BadParameter(f"{pair!r} must be KEY=VALUE", param_hint="--recipe")
        try:
            settings[key] = json.loads(value)
        except json.JSONDecodeError:
            settings[key] = value
    return settings
