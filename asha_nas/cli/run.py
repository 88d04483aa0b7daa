"""Commands that run studies: asha, run, resume, evaluate."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Annotated, Any

import platformdirs
import typer

from asha_nas.analysis import evaluation as evaluated
from asha_nas.cli import show
from asha_nas.cli.options import (
    AddressOption,
    CpusOption,
    DashboardOption,
    DrawOption,
    EngineOption,
    GpusOption,
    JsonOption,
    NameArgument,
    NameOption,
    PlanOption,
    RecipeOption,
    SeedOption,
    StoreOption,
    WorkersOption,
)
from asha_nas.cli.output import out, print_json, size, table
from asha_nas.errors import InvalidValue, UnknownName
from asha_nas.live import LiveView, duration, shown
from asha_nas.provenance import source_hash
from asha_nas.store import Store
from asha_nas.store.database import default_url
from asha_nas.study import FullTraining, Objective, PartialTraining, StudySpec, make_spec, read_spec

SPACES = {"darts-cnn": "darts-cnn"}
"""Search spaces that ``asha`` trains, with the kind of problem each is."""

EVALUATION_EPOCHS = {"cifar10": 600, "digits": 64}
"""Epochs of a final training, by data set; Li & Talwalkar train 600 on CIFAR-10."""


def asha(
    space: Annotated[str, typer.Option("--space", help="Search space: darts-cnn.")] = "darts-cnn",
    data: Annotated[str, typer.Option("--data", help="Data set: digits (embedded) or cifar10.")] = "digits",
    r: Annotated[int, typer.Option("-r", help="Epochs of the lowest rung.")] = 1,
    R: Annotated[int, typer.Option("-R", help="Epochs of full training.")] = 300,
    eta: Annotated[int, typer.Option("--eta", help="Reduction factor: about one in eta goes up.")] = 4,
    rungs: Annotated[
        str, typer.Option("--rungs", help="geometric (r·eta^k, capped by R) or released (Li & Talwalkar's code).")
    ] = "geometric",
    promotion: Annotated[
        str, typer.Option("--promotion", help="capped (never more than n/eta of n go up) or eager (Li et al., Alg. 2).")
    ] = "capped",
    configs: Annotated[int | None, typer.Option("--configs", help="Architectures to start.")] = None,
    max_epochs: Annotated[int | None, typer.Option("--max-epochs", help="Epochs to train in all.")] = None,
    max_hours: Annotated[float | None, typer.Option("--max-hours", help="Hours to run.")] = None,
    operations: Annotated[
        str, typer.Option("--operations", help="Operations to sample from: paper, released or darts.")
    ] = "paper",
    recipe: RecipeOption = None,
    name: NameOption = None,
    seed: SeedOption = 0,
    engine: EngineOption = "ray",
    workers: WorkersOption = None,
    cpus_per_trial: CpusOption = 1.0,
    gpus_per_trial: GpusOption = 0.0,
    address: AddressOption = None,
    dashboard: DashboardOption = True,
    checkpoints: Annotated[
        str | None, typer.Option("--checkpoints", metavar="URL", help="Folder for checkpoints that all workers reach.")
    ] = None,
    draw: DrawOption = None,
    plan: PlanOption = False,
    store_url: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Search an architecture with promotion ASHA: train many for a little, the best for longer.

    The baseline of Li & Talwalkar (2019) is: --data cifar10 -r 1 -R 300 --eta 4 --configs 700 --gpus-per-trial 1
    """
    if space not in SPACES:
        raise UnknownName("space", space, SPACES)
    if configs is None and max_epochs is None and max_hours is None:
        configs = 64
    store = Store(store_url)
    values: dict[str, Any] = {
        "name": name or _free_name(store, f"asha-{data}"), "seed": seed, "checkpoints": checkpoints,
        "problem": {
            "kind": SPACES[space], "data": data, "operations": operations,
            "recipe": _settings(recipe or []),
        },
        "scheduler": {
            "kind": "asha", "r": r, "R": R, "eta": eta, "rungs": rungs, "promotion": promotion,
            "configs": configs, "max_epochs": max_epochs, "max_hours": max_hours,
        },
        "engine": {
            "kind": engine, "workers": workers, "cpus_per_trial": cpus_per_trial,
            "gpus_per_trial": gpus_per_trial, "address": address, "dashboard": dashboard,
        },
    }  # fmt: skip
    _start(make_spec(values), store, plan=plan, draw=draw, as_json=as_json)


def run(
    file: Annotated[Path, typer.Argument(metavar="STUDY.toml", help="The study, as a TOML file.")],
    name: NameOption = None,
    draw: DrawOption = None,
    plan: PlanOption = False,
    store_url: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Run the study that a file describes."""
    spec = read_spec(file, name=name)
    _start(spec, Store(store_url), plan=plan, draw=draw, as_json=as_json)


def resume(
    name: NameArgument,
    max_hours: Annotated[
        float | None, typer.Option("--max-hours", help="A new time limit, over all sessions together.")
    ] = None,
    draw: DrawOption = None,
    store_url: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Go on with a study after a crash, a stop, or anything else."""
    from asha_nas import api  # noqa: PLC0415 - imports PyTorch

    study = api.load(name, store=Store(store_url))
    _check_draw(study.spec, draw)
    if study.history().state == "done":
        if as_json:
            show.print_best_json(study.spec, study.history(), draw)
        else:
            out.print(f"{name} is done; nothing is left to do\n")
            _print_end(study, "done", draw)
        return
    _run(study, draw=draw, as_json=as_json, max_hours=max_hours)


def evaluate(
    study: NameArgument,
    seeds: Annotated[
        int, typer.Option("--seeds", min=1, help="How often to train it, each time with another seed.")
    ] = 10,
    epochs: Annotated[
        int | None, typer.Option("--epochs", "-E", min=1, help="Epochs of each training; default 600, for digits 64.")
    ] = None,
    trial: Annotated[int | None, typer.Option("--trial", help="Which trial; by default the best.")] = None,
    recipe: RecipeOption = None,
    name: NameOption = None,
    seed: SeedOption = 0,
    workers: WorkersOption = None,
    plan: PlanOption = False,
    store_url: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Train the best architecture of a study from scratch, and report its test error over seeds.

    Trains on the whole training set, and touches the test set once, at the end of each training.
    """
    store = Store(store_url)
    _, spec, history = show.open_study(study, store)
    if not isinstance(spec.problem, PartialTraining):
        raise typer.BadParameter(f"{study} searches no architectures", param_hint="STUDY")
    chosen = history.best.trial if trial is None else trial
    problem = spec.problem.model_dump(include={"data", "recipe"})
    whole = {**problem["recipe"], "train_limit": None}  # a search may have looked at a part of the data only
    values = {
        "name": name or _free_name(store, f"{study}-evaluate"), "seed": seed, "checkpoints": spec.checkpoints,
        "problem": {
            "kind": "evaluate", "genotype": history.trial(chosen).config["genotype"], "data": problem["data"],
            "recipe": {**whole, **_settings(recipe or [])},
        },
        "scheduler": {
            "kind": "random", "configs": seeds,
            "R": EVALUATION_EPOCHS[spec.problem.data] if epochs is None else epochs,
        },
        "engine": {**spec.engine.model_dump(), "workers": spec.engine.workers if workers is None else workers},
        "retries": spec.retries.model_dump(),
    }  # fmt: skip
    _start(make_spec(values), store, plan=plan, draw=None, as_json=as_json)


def _start(spec: StudySpec, store: Store, *, plan: bool, draw: Path | None, as_json: bool) -> None:
    if plan:
        _print_plan(spec, store, as_json)
        return
    _check_draw(spec, draw)
    check_data(spec)
    from asha_nas import api  # noqa: PLC0415 - imports PyTorch

    _run(api.create(spec, store=store), draw=draw, as_json=as_json)


def check_data(spec: StudySpec) -> None:
    """Fail now, with the remedy, rather than in every worker, if the data set is not there."""
    if isinstance(spec.problem, PartialTraining | FullTraining):
        from trials.data import catalogue  # noqa: PLC0415

        recipe = spec.problem.recipe
        catalogue.load(spec.problem.data, valid_fraction=recipe.valid_fraction, train_limit=recipe.train_limit)


def _check_draw(spec: StudySpec, path: Path | None) -> None:
    """Fail now, rather than after the training, if the drawing cannot be made."""
    if path is None:
        return
    if isinstance(spec.problem, Objective):
        raise InvalidValue("--draw", str(path), "only architectures can be drawn", "Leave it out.")
    if path.suffix.lower() not in (".svg", ".png"):
        raise InvalidValue("--draw", str(path), "must end in .svg or .png")


def _run(study: Any, *, draw: Path | None, as_json: bool, max_hours: float | None = None) -> None:
    from asha_nas.plan import planned_epochs  # noqa: PLC0415 - imports PyTorch

    spec, history = study.spec, study.history()
    if as_json:
        reason = study.run(max_hours=max_hours)
        show.print_best_json(study.spec, study.history(), draw)
        raise typer.Exit(130 if reason == "interrupted" else 0)
    goes_on = f", going on after {len(history.jobs)} jobs" if history.jobs else ""
    out.print(f"[bold]{study.name}[/]: {_described(spec)}{goes_on}", soft_wrap=True)
    out.print(f"stop it with Ctrl-C or kill it; go on with: [bold]{_command('resume', study)}[/]\n", soft_wrap=True)
    if json.loads(study.provenance)["source"] != source_hash():
        out.print("note: made by another version of asha-nas; each decision is compared with the log", style="dim")
    with shown(LiveView(history, planned_epochs(spec) if max_hours is None else None), out) as listener:
        reason = study.run(
            [listener], max_hours=max_hours, announce=lambda url: out.print(f"Ray dashboard: http://{url}", style="dim")
        )
    out.print()
    _print_end(study, reason, draw)


def _described(spec: StudySpec) -> str:
    problem, ladder = spec.problem, spec.scheduler.ladder
    rungs = f"rungs at {', '.join(map(str, ladder))} epochs" if len(ladder) > 1 else f"{ladder[0]} epochs each"
    if isinstance(problem, Objective):
        return f"{spec.scheduler.kind} over {problem.objective}, {rungs}"
    network = f"{problem.recipe.cells} cells, {problem.recipe.channels} channels"
    if isinstance(problem, FullTraining):
        return f"{spec.scheduler.configs} seeds of one architecture on {problem.data} ({network}), {rungs}"
    return f"{spec.scheduler.kind} over DARTS cells on {problem.data} ({network}), {rungs}"


def _print_end(study: Any, reason: str, draw: Path | None) -> None:
    history, spec, name = study.history(), study.spec, study.name
    if reason == "interrupted":
        out.print(f"interrupted; nothing is lost. Go on with: [bold]{_command('resume', study)}[/]", soft_wrap=True)
        raise typer.Exit(130)
    if reason == "time":
        out.print("the time limit is reached; the jobs that were running have been finished")
        out.print(f"go on for longer with: [bold]{_command('resume', study)} --max-hours H[/]\n", soft_wrap=True)
    if not history.incumbents:
        out.print(f"no job gave a result; see why: [bold]{_command('show', study)}[/]", soft_wrap=True)
        raise typer.Exit(1)
    if isinstance(spec.problem, FullTraining):
        out.print(f"test error: [bold]{evaluated(history)}[/]")
        show.print_cost(history)
        return
    show.print_best(history)
    if isinstance(spec.problem, PartialTraining):
        path = draw or Path(platformdirs.user_data_dir("asha-nas")) / "drawings" / f"{name}.png"
        show.draw_cell(spec, history.best_trial, path)
        out.print(f"its cells are drawn in {path}", soft_wrap=True)
    show.print_cost(history)
    out.print("\nnext:")
    for words in (_command("show", study), _command("explain", study, str(history.best.trial))):
        out.print(f"  {words}", soft_wrap=True)
    if isinstance(spec.problem, PartialTraining):
        out.print(f"  {_command('evaluate', study, '--seeds 3')}      # from scratch, on the test set", soft_wrap=True)


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
    if plan.epochs:
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


def _free_name(store: Store, stem: str) -> str:
    taken = {study.name for study in store.studies()}
    number = 1
    while (name := stem if number == 1 else f"{stem}-{number}") in taken:
        number += 1
    return name


def _settings(pairs: list[str]) -> dict[str, Any]:
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
