"""Commands that run studies: asha, run, resume, evaluate."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Annotated, Any

import typer

from asha_nas.analysis import History, TrialRecord
from asha_nas.analysis.search import found_text
from asha_nas.cli import show
from asha_nas.cli.ending import print_end, print_end_json
from asha_nas.cli.options import (
    AddressOption,
    CheckpointsOption,
    CpusOption,
    DashboardOption,
    DrawOption,
    EngineOption,
    GpusOption,
    JsonOption,
    KeepOption,
    NameArgument,
    NameOption,
    NewPriorityOption,
    PlanOption,
    PriorityOption,
    QuotaOption,
    RecipeOption,
    ReuseOption,
    SeedOption,
    StoreOption,
    WorkersOption,
    checkpoint_options,
    reuse_option,
)
from asha_nas.cli.output import out
from asha_nas.cli.running import check_draw, free_name, go_on, settings, start
from asha_nas.errors import NoResult, UnknownName
from asha_nas.store import Store
from asha_nas.study import Lookup, OneShot, PartialTraining, make_spec, read_spec
from asha_nas.study.size import parse_size
from trials.recipe import RECIPES

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
    priority: PriorityOption = 1,
    dashboard: DashboardOption = True,
    checkpoints: CheckpointsOption = None,
    keep_checkpoints: KeepOption = False,
    quota: QuotaOption = None,
    reuse: ReuseOption = False,
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
        "name": name or free_name(store, f"asha-{data}"), "seed": seed, "checkpoints": checkpoints,
        **checkpoint_options(keep_checkpoints, quota), **reuse_option(reuse),
        "problem": {
            "kind": SPACES[space], "data": data, "operations": operations,
            "recipe": settings(recipe or []),
        },
        "scheduler": {
            "kind": "asha", "r": r, "R": R, "eta": eta, "rungs": rungs, "promotion": promotion,
            "configs": configs, "max_epochs": max_epochs, "max_hours": max_hours,
        },
        "engine": {
            "kind": engine, "workers": workers, "cpus_per_trial": cpus_per_trial,
            "gpus_per_trial": gpus_per_trial, "address": address, "priority": priority, "dashboard": dashboard,
        },
    }  # fmt: skip
    start(make_spec(values), store, plan=plan, draw=draw, as_json=as_json)


def run(
    file: Annotated[Path, typer.Argument(metavar="STUDY.toml", help="The study, as a TOML file.")],
    name: NameOption = None,
    go_on_if_begun: Annotated[
        bool, typer.Option("--resume", help="If the study is in the store, go on with it as it is there.")
    ] = False,
    priority: NewPriorityOption = None,
    keep_checkpoints: KeepOption = False,
    quota: QuotaOption = None,
    reuse: ReuseOption = False,
    draw: DrawOption = None,
    plan: PlanOption = False,
    store_url: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Run the study that a file describes."""
    options = checkpoint_options(keep_checkpoints, quota) | reuse_option(reuse)
    spec = read_spec(file, name=name, priority=priority, **options)
    store = Store(store_url)
    if go_on_if_begun and not plan and (begun := store.mine(spec.name)) is not None:
        resume(begun.exact, priority=priority, draw=draw, store_url=store_url, as_json=as_json)
        return
    start(spec, store, plan=plan, draw=draw, as_json=as_json)


def resume(
    name: NameArgument,
    max_hours: Annotated[
        float | None, typer.Option("--max-hours", help="A new time limit, over all sessions together.")
    ] = None,
    processes: Annotated[
        int | None, typer.Option("--processes", min=1, help="That play repeats of a simulated study.")
    ] = None,
    priority: NewPriorityOption = None,
    quota: QuotaOption = None,
    draw: DrawOption = None,
    store_url: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Go on with a study after a crash, a stop, or anything else."""
    from asha_nas import api  # noqa: PLC0415 - imports pandas

    store = Store(store_url)
    study = api.load(store.study(name, verb="resume").exact, store=store)
    check_draw(study.spec, draw)
    if study.history().state == "done":
        if as_json:
            print_end_json(study, draw)
        else:
            out.print(f"{study.name} is done; nothing is left to do\n")
            print_end(study, "done", draw)
        return
    bytes_given = None if quota is None else parse_size(quota)
    go_on(
        study, draw=draw, as_json=as_json, max_hours=max_hours, priority=priority, quota=bytes_given,
        processes=processes,
    )  # fmt: skip


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
    record, spec, history = show.open_study(study, store)
    if not isinstance(spec.problem, PartialTraining | OneShot):
        rule = f"{study} searches no architectures that can be trained here"
        if isinstance(spec.problem, Lookup):
            rule = f"{study} finds cells whose test error a table tells: asha-nas best {study}"
        raise typer.BadParameter(rule, param_hint="STUDY")
    data, found = spec.problem.data, history.trial(history.best.trial if trial is None else trial)
    values = {
        "name": name or free_name(store, f"{record.name}-evaluate"), "seed": seed, "checkpoints": spec.checkpoints,
        "keep": spec.keep, "quota": spec.quota,
        "problem": {
            "kind": "evaluate", "genotype": _genotype(history, found), "data": data,
            "recipe": {**_whole_recipe(spec.problem), **settings(recipe or [])},
        },
        "scheduler": {
            "kind": "random", "configs": seeds,
            "R": EVALUATION_EPOCHS[data] if epochs is None else epochs,
        },
        "engine": {**spec.engine.model_dump(), "workers": spec.engine.workers if workers is None else workers},
        "retries": spec.retries.model_dump(),
    }  # fmt: skip
    start(make_spec(values), store, plan=plan, draw=None, as_json=as_json)


def _genotype(history: History, trial: TrialRecord) -> str:
    """The architecture that a trial is, or that it has found."""
    spec, name = history.spec, history.name
    if not isinstance(spec.problem, OneShot):
        return str(trial.config["genotype"])
    if spec.problem.space != "darts-cnn":
        rule = f"{name} finds cells of {spec.problem.space}, whose test error a table tells"
        raise typer.BadParameter(f"{rule}: asha-nas best {name}", param_hint="STUDY")
    found = found_text(trial.telling)
    if found is None:
        raise NoResult(f"trial {trial.number} of {name} has found nothing yet\nSee: asha-nas show {name}")
    return found


def _whole_recipe(problem: PartialTraining | OneShot) -> dict[str, Any]:
    """How to train from scratch, on all of the training set: a search may have looked at a part of it only."""
    recipe = RECIPES[problem.data] if isinstance(problem, OneShot) else problem.recipe
    return {**dataclasses.asdict(recipe), "threads": problem.recipe.threads, "train_limit": None}
