"""The command that tries the best configuration of a one-shot optimizer on other spaces: transfer."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import Annotated, Any

import typer

from asha_nas import transfer as logic
from asha_nas.analysis.search import Spread
from asha_nas.cli import show
from asha_nas.cli.options import JsonOption, NameArgument, PlanOption, StoreOption, WorkersOption
from asha_nas.cli.output import out, print_json, table
from asha_nas.cli.running import check_data
from asha_nas.cli.search import parse_seeds
from asha_nas.live import LiveView, duration, shown
from asha_nas.live_search import SEARCH, percent
from asha_nas.store import Store


def transfer(
    name: NameArgument,
    to: Annotated[
        str, typer.Option("--to", metavar="SPACES", help="Spaces to try it on, such as s1,s2; its own is allowed too.")
    ],
    seeds: Annotated[
        str,
        typer.Option("--seeds", metavar="SEEDS", help="Searches of each: so many (6 is 0 to 5), or 0..5, or 0,3,7."),
    ] = "6",
    budget: Annotated[
        int | None,
        typer.Option("--budget", min=1, help="Take the best configuration at so many search epochs; default: of all."),
    ] = None,
    epochs: Annotated[
        int | None,
        typer.Option("--epochs", min=1, help="Epochs of each search; default: those that it was best at."),
    ] = None,
    workers: WorkersOption = None,
    new_name: Annotated[
        str | None,
        typer.Option("--name", help="What the names of the new studies begin with; default STUDY-transfer."),
    ] = None,
    plan: PlanOption = False,
    store_url: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Try the best configuration that a study found for a one-shot optimizer on other spaces, beside the default one.

    Table 2 of NAS-Bench-1Shot1 (Zela et al., 2020). Each space and configuration is a study of searches of its own;
    after a crash or a stop the same command goes on.
    """
    store = Store(store_url, create=False)
    _, _, history = show.open_study(name, store)
    found = logic.tuned(history, budget)
    parts = logic.plan(
        found, to.split(","), store, seeds=_seeds(seeds), epochs=epochs, workers=workers, name=new_name
    )  # fmt: skip
    for part in parts:
        if part.state != "done":
            check_data(part.spec)
    if plan:
        _print_plan(found, parts, store, as_json)
        return
    if not as_json:
        _print_found(found)
    results = [_run(part, store, as_json) for part in parts]
    if as_json:
        print_json({**_found(found), "results": results})
    else:
        _print_results(results)


def _seeds(text: str) -> list[int]:
    """As those of ``search``, but a single number is how many."""
    if text == "0":
        raise typer.BadParameter("a single number is how many, so it must be at least 1", param_hint="--seeds")
    return parse_seeds(f"0..{int(text) - 1}" if text.isdecimal() else text)


# --- before ----------------------------------------------------------------------------------------


def _found(found: logic.Tuned) -> dict[str, Any]:
    return {"study": found.study.name, "trial": found.trial, "epochs": found.epochs, "config": dict(found.config)}


def _print_found(found: logic.Tuned) -> None:
    config = ", ".join(f"{key} {_shown(value)}" for key, value in found.config.items())
    words = f"{found.study.name}: best is trial {found.trial} after {found.epochs} epochs: {config}"
    out.print(words, soft_wrap=True, markup=False)
    if found.is_default:
        out.print("note: that is the configuration the study began with", style="yellow")


def _shown(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _print_plan(found: logic.Tuned, parts: Sequence[logic.Part], store: Store, as_json: bool) -> None:
    from asha_nas.plan import make_plan  # noqa: PLC0415 - imports PyTorch

    plans = [make_plan(part.spec, store, part.spec.engine.workers or 1) for part in parts]
    if as_json:
        studies = [
            {
                "name": part.spec.name, "space": part.space, "configuration": part.configuration, "state": part.state,
                "plan": each, "spec": part.spec.model_dump(),
            }
            for part, each in zip(parts, plans, strict=True)
        ]  # fmt: skip
        print_json({**_found(found), "studies": studies})
        return
    _print_found(found)
    rows = [
        [
            part.space, part.configuration, part.spec.name, part.state, each.jobs, each.epochs,
            None if each.hours is None else duration(each.hours * 3600),
        ]
        for part, each in zip(parts, plans, strict=True)
    ]  # fmt: skip
    heads = ["space", "configuration", "study", "", "searches", "epochs", "time"]
    out.print(table(heads, rows, right=("searches", "epochs", "time")))
    if any(each.hours is None for each in plans):
        out.print(f"time: {next(each.seconds_source for each in plans if each.hours is None)}")


# --- running ---------------------------------------------------------------------------------------


def _run(part: logic.Part, store: Store, quiet: bool) -> logic.Found:
    """Run a part, unless it is done already."""
    from asha_nas import api  # noqa: PLC0415 - imports PyTorch
    from asha_nas.plan import planned_epochs  # noqa: PLC0415

    if part.history is not None and part.state == "done":
        return logic.outcome(part, part.history)
    study = api.create(part.spec, store=store) if part.history is None else api.load(part.spec.name, store=store)
    # Not the stored one: there may be other workers now.
    engine = api.make_engine(part.spec.engine, sharing=study.sharing())
    if quiet:
        reason = study.run(engine=engine)
    else:
        goes_on = f", going on after {len(part.history.jobs)} jobs" if part.history else ""
        out.print(f"\n[bold]{part.spec.name}[/]{goes_on}", soft_wrap=True)
        view = LiveView(study.history(), planned_epochs(part.spec), SEARCH)
        with shown(view, out) as listener:
            reason = study.run([listener], engine=engine)
    if reason == "interrupted":
        if not quiet:
            out.print("interrupted; nothing is lost. Go on with the same command.")
        raise typer.Exit(130)
    if reason == "full":
        if not quiet:
            out.print(f"stopped before it is full: {study.history().shortage}", soft_wrap=True)
            out.print("make room, then go on with the same command")
        raise typer.Exit(1)
    if reason == "failing":
        if not quiet:
            words = f"asha-nas show {shlex.quote(study.name)}"
            out.print(f"stopped: job after job gave no result. See why: [bold]{words}[/]", soft_wrap=True)
            out.print("mend that, then go on with the same command")
        raise typer.Exit(1)
    return logic.outcome(part, study.history())


# --- what came of it -------------------------------------------------------------------------------


def _print_results(results: Sequence[logic.Found]) -> None:
    """A row for each space, as Table 2 of the paper has columns."""
    spaces = list(dict.fromkeys(one.space for one in results))
    by_place = {(one.space, one.configuration): one.regret for one in results}
    rows = [
        [space, *(_spread(by_place[space, which]) for which in (logic.DEFAULT, logic.TRANSFERRED))] for space in spaces
    ]
    out.print("\ntest regret of the cells found, mean ± standard deviation over seeds", style="dim")
    heads = ["space", "default", "transferred"]
    out.print(table(heads, rows, right=tuple(heads[1:])))


def _spread(found: Spread | None) -> str | None:
    if found is None:
        return None
    spread = f" ± {percent(found.std)}" if found.seeds > 1 else ""
    return f"{percent(found.mean)}{spread} ({found.seeds})"
