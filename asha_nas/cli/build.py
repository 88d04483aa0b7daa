"""The command that builds a table of one's own: table build."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from asha_nas.cli.options import (
    AddressOption,
    CheckpointsOption,
    CpusOption,
    DashboardOption,
    EngineOption,
    GpusOption,
    JsonOption,
    NameOption,
    PlanOption,
    PriorityOption,
    RecipeOption,
    SeedOption,
    StoreOption,
    WorkersOption,
)
from asha_nas.cli.running import free_name, settings, start
from asha_nas.store import Store
from asha_nas.study import make_spec
from trials import tables

BUDGETS = {"digits": [1, 2, 4], "cifar10": [4, 12, 36, 108]}
"""Epochs by data set; those of NAS-Bench-101 on CIFAR-10."""


def build(
    space: Annotated[str, typer.Option("--space", help="Whose cells: s1, s2, s3 or nasbench101.")] = "s1",
    data: Annotated[str, typer.Option("--data", help="Data set: digits (embedded) or cifar10.")] = "digits",
    budgets: Annotated[
        str | None,
        typer.Option(
            "--budgets",
            metavar="N,N,…",
            help="Epochs, ascending, each a training of its own; default 1,2,4 on digits, 4,12,36,108 on cifar10.",
        ),
    ] = None,
    repeats: Annotated[int, typer.Option("--repeats", help="Trainings of each cell at each budget.")] = 3,
    cells: Annotated[int | None, typer.Option("--cells", help="Only so many cells, drawn by the seed.")] = None,
    together: Annotated[
        int | None,
        typer.Option("--together", help="Most cells trained side by side in a job; default 81 on digits, else 1."),
    ] = None,
    to: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Where the table is written; default: with the others.")
    ] = None,
    checkpoints: CheckpointsOption = None,
    max_hours: Annotated[float | None, typer.Option("--max-hours", help="Hours to run.")] = None,
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
    plan: PlanOption = False,
    store_url: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Build a table: train every cell of a space at every budget, and write down what came of it.

    It is a study like any other: stop it, resume it (asha-nas resume), look at it (asha-nas show). The table is
    written when it is complete.
    """
    store = Store(store_url)
    wanted = BUDGETS.get(data) if budgets is None else _numbers(budgets)
    values: dict[str, Any] = {
        # A table of one's own must not hide one that is there, such as the embedded one, unless it is asked to.
        "name": name or free_name(store, f"{space}-{data}", (entry.name for entry in tables.describe())), "seed": seed,
        "checkpoints": checkpoints,
        "problem": {
            "kind": "tabulate", "space": space, "data": data, "cells": cells,
            **({} if together is None else {"together": together}),
            "table": None if to is None else str(to), "recipe": settings(recipe or []),
        },
        "scheduler": {
            "kind": "sweep", "repeats": repeats, "max_hours": max_hours,
            **({} if wanted is None else {"budgets": wanted}),
        },
        "engine": {
            "kind": engine, "workers": workers, "cpus_per_trial": cpus_per_trial,
            "gpus_per_trial": gpus_per_trial, "address": address, "priority": priority, "dashboard": dashboard,
        },
    }  # fmt: skip
    start(make_spec(values), store, plan=plan, draw=None, as_json=as_json)


def _numbers(text: str) -> list[int]:
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise typer.BadParameter(f"{text!r} must be numbers of epochs, such as 1,2,4", param_hint="--budgets") from None
