"""From a spec to a study that runs, and what is said before, during and after it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import typer

from asha_nas import searching
from asha_nas.cli.described import described
from asha_nas.cli.ending import command, print_end, print_end_json
from asha_nas.cli.files import check_picture
from asha_nas.cli.output import out
from asha_nas.cli.planned import print_plan
from asha_nas.errors import InvalidValue
from asha_nas.live import LADDER, LiveView, shown
from asha_nas.live_search import SEARCH
from asha_nas.live_simulation import SIMULATION
from asha_nas.provenance import source_hash
from asha_nas.store import Store
from asha_nas.study import (
    Curves,
    Lookup,
    Objective,
    OneShot,
    Search,
    Simulation,
    StudySpec,
    Tabulation,
)


def start(
    spec: StudySpec, store: Store, *, plan: bool, draw: Path | None, as_json: bool, processes: int | None = None
) -> None:
    """Plan a new study, or make and run it."""
    if plan:
        print_plan(spec, store, as_json)
        return
    check_draw(spec, draw)
    check_data(spec)
    from asha_nas import api  # noqa: PLC0415 - imports pandas

    go_on(api.create(spec, store=store), draw=draw, as_json=as_json, processes=processes)


def check_data(spec: StudySpec) -> None:
    """Fail now, with the remedy, rather than in every worker, if the data set or the table is not there."""
    if isinstance(spec.problem, Lookup | Curves):
        return  # making the study checks them
    if isinstance(spec.problem, OneShot):
        searching.scorer(spec.problem)  # before PyTorch is imported, which takes a while
    if not isinstance(spec.problem, Objective):
        from trials.data import catalogue, dataset  # noqa: PLC0415

        recipe = spec.problem.recipe
        loaded = catalogue.load(
            spec.problem.data, valid_fraction=recipe.valid_fraction, train_limit=recipe.train_limit,
            test=isinstance(spec.problem, Tabulation),
        )  # fmt: skip
        if isinstance(spec.problem, OneShot):
            dataset.halve(loaded.train, spec.problem.recipe.search_fraction)


def check_draw(spec: StudySpec, path: Path | None) -> None:
    """Fail now, rather than after the training, if the drawing cannot be made."""
    if path is None:
        return
    curve = isinstance(spec.engine, Simulation)
    if isinstance(spec.problem, Objective | Tabulation | Curves) and not curve:
        raise InvalidValue("--draw", str(path), "only architectures and searches can be drawn", "Leave it out.")
    check_picture(path)


def go_on(
    study: Any,
    *,
    draw: Path | None,
    as_json: bool,
    max_hours: float | None = None,
    priority: int | None = None,
    quota: int | None = None,
    processes: int | None = None,
) -> None:
    """Run a study, new or begun, and tell how it goes."""
    from asha_nas.plan import planned_epochs  # noqa: PLC0415

    spec, history = study.spec, study.history()
    if as_json:
        reason = study.run(max_hours=max_hours, priority=priority, quota=quota, processes=processes)
        print_end_json(study, draw)
        nothing = reason == "done" and not study.history().found_something
        raise typer.Exit({"interrupted": 130, "failing": 1, "full": 1}.get(reason, int(nothing)))
    goes_on = f", going on after {len(history.jobs)} jobs" if history.jobs else ""
    out.print(f"[bold]{study.name}[/]: {described(spec)}{goes_on}", soft_wrap=True)
    out.print(f"stop it with Ctrl-C or kill it; go on with: [bold]{command('resume', study)}[/]\n", soft_wrap=True)
    if json.loads(study.provenance)["source"] != source_hash():
        out.print("note: made by another version of asha-nas; each decision is compared with the log", style="dim")
    face = SIMULATION if isinstance(spec.engine, Simulation) else SEARCH if isinstance(spec.problem, Search) else LADDER
    with shown(LiveView(history, planned_epochs(spec) if max_hours is None else None, face), out) as listener:
        reason = study.run(
            [listener],
            max_hours=max_hours,
            priority=priority,
            quota=quota,
            processes=processes,
            announce=lambda url: out.print(f"Ray dashboard: http://{url}", style="dim"),
        )
    out.print()
    print_end(study, reason, draw)


def free_name(store: Store, stem: str, also_taken: Iterable[str] = ()) -> str:
    """A name that no study of the store's user has, nor one without an owner: the stem, or the stem and a number."""
    taken = {*(study.name for study in store.studies() if study.owner in ("", store.owner)), *also_taken}
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
