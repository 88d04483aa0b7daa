"""Commands that read: ls, show, best, explain."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from asha_nas import lookups, owners
from asha_nas.analysis import History, JobRecord, TrialRecord, evaluation
from asha_nas.analysis import explain as explain_trial
from asha_nas.analysis.search import found_text
from asha_nas.analysis.stored import stored_history, stored_spec
from asha_nas.cli.options import DrawOption, JsonOption, NameArgument, StoreOption
from asha_nas.cli.output import out, print_json, settings_text, table
from asha_nas.errors import StudyUnreadable
from asha_nas.live import duration, ladder_table, reused_words
from asha_nas.sharing import Claim
from asha_nas.store import Store, StudyRecord
from asha_nas.study import (
    Curves,
    FullTraining,
    Lookup,
    OneShot,
    PartialTraining,
    Search,
    StudySpec,
    Tune,
)
from spaces import nasbench101
from spaces.graph import Graph


def open_study(name: str, store: Store) -> tuple[StudyRecord, StudySpec, History]:
    """A study and its folded log, to read it.

    Raises:
        StudyNotFound: there is none of that name.
        StudyAmbiguous: several others have one.
        StudyUnreadable: it is damaged, or another version's.
    """
    record = store.study(name)
    spec = stored_spec(store.called(record), record.spec)
    return record, spec, stored_history(record, spec, store)


def state_of(record: StudyRecord, history: History, store: Store) -> str:
    """In a word: is it running, over, or waiting to be resumed?"""
    if store.is_leased(record):
        return "running"
    return {"open": "killed", "new": "new"}.get(history.state, history.state)


def ls(
    mine: Annotated[bool, typer.Option("--mine", help="Only your own.")] = False,
    owner: Annotated[str | None, typer.Option("--owner", metavar="NAME", help="Only those of that person.")] = None,
    store_url: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the studies of the store, of all who share it."""
    store = Store(store_url, create=False)
    if mine and owner is not None:
        raise typer.BadParameter("says whose already; leave one of them out", param_hint="--mine")
    wanted = store.owner if mine else owner
    records = [record for record in store.studies() if wanted in (None, record.owner)]
    claims = {claim.study: claim for claim in store.claims()}
    rows = [_listed(store, record, claims.get(record.key)) for record in records]
    if as_json:
        print_json(rows)
    elif not rows:
        whose = "No studies yet." if wanted is None else f"No studies of {wanted} yet."
        out.print(f"{whose} Start one: [bold]asha-nas asha[/]")
    else:
        whose_column = ["owner"] * bool({record.owner for record in records} - {"", store.owner})
        shared = ["workers"] * bool(claims) + ["priority"] * any((row["priority"] or 1) != 1 for row in rows)
        columns = [*whose_column, "name", "state", "scheduler", "problem", *shared]
        columns += ["trials", "epochs", "best", "created"]
        right = ("workers", "priority", "trials", "epochs", "best")
        out.print(table(columns, [[row[c] for c in columns] for row in rows], right=right))
        for row in rows:
            if row["state"] == "unreadable":
                called = owners.shown(owners.joined(row["owner"], row["name"]), store.owner)
                out.print(f"what is wrong with it: asha-nas show {called}", style="yellow", markup=False)


def _priority(spec: StudySpec, claim: Claim | None) -> int | None:
    """Its weight among the studies of a cluster: of the driver that runs it, else as it says itself."""
    return getattr(spec.engine, "priority", None) if claim is None else claim.priority


def _listed(store: Store, record: StudyRecord, claim: Claim | None) -> dict[str, Any]:
    created = datetime.fromtimestamp(record.created).astimezone().isoformat(" ", "minutes")
    named = {"owner": record.owner, "name": record.name}
    try:
        _, spec, history = open_study(record.exact, store)
    except StudyUnreadable:
        unknown = dict.fromkeys(("scheduler", "problem", "workers", "priority", "trials", "epochs", "best"))
        return {**named, "state": "unreadable", **unknown, "created": created}
    best = history.incumbents[-1] if history.incumbents else None
    return {
        **named,
        "state": state_of(record, history, store),
        "scheduler": spec.scheduler.kind,
        "problem": _problem(spec),
        "workers": None if claim is None else claim.need.workers,
        "priority": _priority(spec, claim),
        "trials": len(history.trials),
        "epochs": history.cost().epochs,
        "best": None if best is None else round(history.value(best.loss) or 0.0, 4),
        "created": created,
    }


def _problem(spec: StudySpec) -> str:
    if isinstance(spec.problem, Search):
        return f"search by {spec.problem.optimizer} in {spec.problem.space} on {spec.problem.data}"
    if isinstance(spec.problem, Tune):
        return f"tuning {spec.problem.optimizer} in {spec.problem.space} on {spec.problem.data}"
    if isinstance(spec.problem, Lookup):
        return f"{spec.problem.space} in table {spec.problem.table}"
    if isinstance(spec.problem, Curves):
        return f"curves of {spec.problem.task}"
    data = getattr(spec.problem, "data", None)
    return f"{spec.problem.kind} on {data}" if data else spec.problem.kind


def show(name: NameArgument, store_url: StoreOption = None, as_json: JsonOption = False) -> None:
    """Show a study: its rungs, best trials, cost, failures and lost checkpoints."""
    store = Store(store_url, create=False)
    record, spec, history = open_study(name, store)
    cost = history.cost()
    claim = next((claim for claim in store.claims() if claim.study == record.key), None)
    priority = _priority(spec, claim)
    if as_json:
        print_json(
            {
                "owner": record.owner, "name": record.name, "state": state_of(record, history, store),
                "priority": priority,
                "workers": None if claim is None else claim.need.workers, "spec": json.loads(record.spec),
                "provenance": json.loads(record.provenance), "rungs": history.rungs(), "cost": cost,
                "evaluation": evaluation(history) if isinstance(spec.problem, FullTraining) else None,
                "trials": [_trial(history, trial) for trial in history.trials.values()],
            }
        )  # fmt: skip
        return
    seeds = spec.problem.seeds if isinstance(spec.problem, Search) else (spec.seed,)
    words = f"seed{'s' * (len(seeds) > 1)} {', '.join(map(str, seeds))}"
    words += f", priority {priority}" * ((priority or 1) != 1)
    words += "" if claim is None else f", {claim.need.workers} workers of a cluster"
    out.print(f"[bold]{history.name}[/]: {state_of(record, history, store)}, {len(history.trials)} trials, {words}\n")
    out.print(ladder_table(history))
    out.print()
    if history.incumbents:
        out.print(_leaders(history))
    print_cost(history)
    failures = [job for job in history.jobs.values() if job.failure or job.retries]
    for job in failures[:5]:
        last = job.failure or job.retries[-1]
        fate = "gave no result" if job.failure else "repeated"
        words = f"trial {job.trial}, rung {job.rung}: {last.kind}, {fate}: {last.reason}"
        out.print(words, style="yellow", markup=False)
    if len(failures) > 5:
        out.print(f"… and {len(failures) - 5} more jobs with failures (asha-nas show {history.name} --json)")
    losses = [f"trial {job.trial}, rung {job.rung}: {lost}" for job in history.jobs.values() if (lost := _lost(job))]
    for line in losses[:5]:
        out.print(line, style="yellow", markup=False, soft_wrap=True)
    if len(losses) > 5:
        out.print(f"… and {len(losses) - 5} more jobs with lost checkpoints (asha-nas show {history.name} --json)")
    if isinstance(spec.problem, FullTraining):
        out.print(f"test error: {evaluation(history) or 'no seed has finished yet'}")
    made = json.loads(record.provenance)
    out.print(f"made with asha-nas {made['asha-nas']} (source {made['source']}), torch {made['torch']}", style="dim")


def _lost(job: JobRecord) -> str:
    """What became of the job's checkpoints, in words; empty if nothing did."""
    words = []
    if "checkpoint_not_written" in job.notes:
        words.append(str(job.notes["checkpoint_not_written"]))
    if "damaged_checkpoint" in job.notes:
        words.append(f"checkpoint {job.notes['damaged_checkpoint']} was damaged")
    # With reused results below, a job begins before its rung's, and nothing was lost by that.
    behind = job.begin < job.start and job.notes.get("retrained_from_epoch") == job.begin
    if "retrained_from_epoch" in job.notes and not behind:
        if "damaged_checkpoint" not in job.notes:
            words.append("its last checkpoint was lost")
        words.append(f"trained again from epoch {job.notes['retrained_from_epoch']}")
    return "; ".join(words)


def _leaders(history: History) -> Any:
    ended = sorted(
        (job for job in history.jobs.values() if job.loss is not None), key=lambda job: (job.loss, -job.stop, job.trial)
    )
    first: dict[int, JobRecord] = {}
    for job in ended:
        first.setdefault(job.trial, job)
    rows = [
        [job.trial, job.stop, history.shown(job.loss), _short(history.spec, history.trial(job.trial))]
        for job in list(first.values())[:5]
    ]
    metric = history.spec.problem.metric
    named = "architecture" if history.best_trial.identity else "configuration"
    if isinstance(history.spec.problem, Search):
        named = "seed and cell"
    return table(["trial", "epochs", metric, named], rows, right=("trial", "epochs", metric))


def _short(spec: StudySpec, trial: TrialRecord) -> str:
    if isinstance(spec.problem, Search):
        job = trial.jobs[-1]
        return f"{trial.config.get('seed', '·')}  {job.notes.get('hash', found_text(job))}"
    return trial.identity or settings_text(trial.config)


def _config_text(spec: StudySpec, trial: TrialRecord) -> str:
    config = dict(trial.config)
    if isinstance(spec.problem, OneShot):
        job = trial.telling
        found = " ".join(text for text in (job.notes.get("hash"), found_text(job)) if text)
        return f"{settings_text(config)}: {found or 'nothing found yet'}"
    if isinstance(cells := config.get("cells"), list):
        return f"{len(cells)} cells, repeat {config.get('repeat', 0)}, such as {cells[0]}"
    if isinstance(spec.problem, Lookup):
        return f"{trial.identity} {config['cell']}"
    return str(config["genotype"]) if set(config) == {"genotype"} else json.dumps(config)


def _trial(history: History, trial: TrialRecord) -> dict[str, Any]:
    jobs = [
        {
            "job": job.number, "rung": job.rung, "start": job.start, "stop": job.stop, "state": job.state,
            "value": history.value(job.loss), "failure": job.failure, "retries": job.retries,
            "metrics": job.metrics, "seconds": sum(job.seconds.values()), "notes": job.notes, "reused": job.reused,
        }
        for job in trial.jobs
    ]  # fmt: skip
    return {"trial": trial.number, "config": dict(trial.config), "identity": trial.identity, "jobs": jobs}


def print_cost(history: History) -> None:
    """One line: what was spent, beside training everything fully."""
    cost = history.cost()
    if not cost.epochs and not cost.reused:
        return
    words = f"cost: {cost.epochs} epochs, {duration(cost.trial_seconds)} of training in {duration(cost.wall_seconds)}"
    words += f"; {reused_words(cost)}" if cost.reused else ""
    if cost.full_epochs is not None and cost.full_epochs > cost.epochs > 0:
        times = f"{cost.full_epochs / cost.epochs:.1f} times as many"
        words += f"; training all {cost.trials} to {history.ladder[-1]} takes {cost.full_epochs} epochs ({times})"
    if cost.retrained_epochs:
        words += f"; {cost.retrained_epochs} epochs were trained again, without a checkpoint to go on from"
    out.print(words, soft_wrap=True)


def best(
    name: NameArgument, draw: DrawOption = None, store_url: StoreOption = None, as_json: JsonOption = False
) -> None:
    """Show the best trial of a study, and draw its cell."""
    _, spec, history = open_study(name, Store(store_url, create=False))
    if as_json:
        print_best_json(spec, history, draw)
        return
    print_best(history)
    if draw is not None:
        draw_cell(spec, history.best_trial, draw)
        out.print(f"drawn in {draw}")


def print_best_json(spec: StudySpec, history: History, draw: Path | None) -> None:
    """The best trial for programs."""
    job = history.best
    trial = history.trial(job.trial)
    if draw is not None:
        draw_cell(spec, trial, draw)
    print_json(
        {
            "owner": history.owner, "study": spec.name, "state": history.state, "trial": trial.number,
            "epochs": job.stop,
            "config": dict(trial.config), "identity": trial.identity, spec.problem.metric: history.value(job.loss),
            "metrics": job.metrics.get(job.stop, {}), "reused": job.reused,
            **({"cell": found_text(job), "hash": job.notes.get("hash")} if isinstance(spec.problem, OneShot) else {}),
            **({"cell": trial.config["cell"], "hash": trial.identity} if isinstance(spec.problem, Lookup) else {}),
            **({"remarks": lookups.remarks(spec)} if isinstance(spec.problem, Lookup | Curves) else {}),
            "evaluation": evaluation(history) if isinstance(spec.problem, FullTraining) else None,
            "drawing": None if draw is None else str(draw),
        }
    )  # fmt: skip


def print_best(history: History) -> None:
    """The best trial in words."""
    job, metric = history.best, history.spec.problem.metric
    value = f"[bold green]{history.shown(job.loss)}[/]"
    out.print(f"best: trial [bold]{job.trial}[/] with {metric} {value} after {job.stop} epochs")
    if job.reused:
        out.print(f"      reused from {job.reused}, not trained here", style="dim", markup=False, soft_wrap=True)
    others = {k: v for k, v in job.metrics.get(job.stop, {}).items() if k != metric}
    if others:
        out.print("      " + ", ".join(f"{key} {_number(value)}" for key, value in others.items()), style="dim")
    out.print(_config_text(history.spec, history.trial(job.trial)), soft_wrap=True, markup=False)
    for remark in lookups.remarks(history.spec):
        out.print(f"note: {remark}", style="yellow", soft_wrap=True)


def _number(value: float) -> str:
    return f"{value:,.0f}" if value.is_integer() else f"{value:.4g}"


def draw_cell(spec: StudySpec, trial: TrialRecord, path: Path) -> None:
    """Draw the architecture of a trial, or the one that it found."""
    if not isinstance(spec.problem, PartialTraining | FullTraining | OneShot | Lookup):
        raise typer.BadParameter("only architectures can be drawn", param_hint="--draw")
    from spaces.drawing import draw  # noqa: PLC0415 - matplotlib takes a while to import

    path.parent.mkdir(parents=True, exist_ok=True)
    draw(_graphs(spec, trial), path, title=f"{spec.name}: trial {trial.number}")


def _graphs(spec: StudySpec, trial: TrialRecord) -> Sequence[Graph]:
    from spaces.darts_cell import parse_genotype  # noqa: PLC0415
    from spaces.nasbench101 import parse_cell  # noqa: PLC0415

    if isinstance(spec.problem, Lookup):
        cell = lookups.cell_of(spec.problem, trial.config)
        return (cell.pruned().graph() if isinstance(cell, nasbench101.Cell) else cell.graph(),)
    if "genotype" in trial.config:
        return parse_genotype(trial.config["genotype"]).graphs()
    found = trial.telling.notes
    return (parse_cell(found["cell"]).graph(),) if "cell" in found else parse_genotype(found["genotype"]).graphs()


def explain(
    name: NameArgument,
    trial: Annotated[int, typer.Argument(metavar="TRIAL", help="Number of the trial.")],
    store_url: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Tell why a trial was promoted, or was not."""
    _, spec, history = open_study(name, Store(store_url, create=False))
    visits = explain_trial(history, spec.scheduler, trial)
    if as_json:
        print_json({"owner": history.owner, "study": spec.name, "trial": trial, "rungs": visits})
        return
    out.print(f"[bold]trial {trial}[/] of {history.name}")
    out.print(_config_text(spec, history.trial(trial)), soft_wrap=True, markup=False, style="dim")
    for visit in visits:
        value = "" if visit.loss is None else f" {spec.problem.metric} {history.shown(visit.loss)}:"
        reused = f" (reused from {visit.reused})" if visit.reused else ""
        words = f"rung {visit.rung} ({visit.epochs} epochs):{value} {visit.verdict}{reused}"
        out.print(words, soft_wrap=True, markup=False)
