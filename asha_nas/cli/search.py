"""The command that runs one-shot searches: search."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from asha_nas.cli.options import (
    AddressOption,
    CheckpointsOption,
    CpusOption,
    DashboardOption,
    GpusOption,
    JsonOption,
    KeepOption,
    NameOption,
    PlanOption,
    PriorityOption,
    QuotaOption,
    RecipeOption,
    StoreOption,
    WorkersOption,
    checkpoint_options,
)
from asha_nas.cli.running import free_name, settings, start
from asha_nas.store import Store
from asha_nas.study import make_spec


def search(
    optimizer: Annotated[
        str, typer.Option("--optimizer", help="darts, darts-2nd, gdas, pc-darts, enas or random-ws.")
    ] = "gdas",
    space: Annotated[
        str, typer.Option("--space", help="Search space: s1, s2 or s3; for random-ws also darts-cnn.")
    ] = "s1",
    data: Annotated[str, typer.Option("--data", help="Data set: digits (embedded) or cifar10.")] = "digits",
    table: Annotated[
        str | None,
        typer.Option(
            "--table",
            metavar="NAME|FILE",
            help="Table that cells are looked up in; default nasbench101 on cifar10, SPACE-digits on digits (s1-digits"
            " is there).",
        ),
    ] = None,
    epochs: Annotated[
        str | None,
        typer.Option(
            "--epochs",
            metavar="N,N,…",
            help="Search epochs; several, ascending, are searches of their own. Default 50.",
        ),
    ] = None,
    seeds: Annotated[
        str, typer.Option("--seeds", metavar="SEEDS", help="A search for each: 3, or 0..5 (0 to 5), or 0,3,7.")
    ] = "0",
    variant: Annotated[
        str, typer.Option("--variant", help="corrected, or released: as the authors' code has it.")
    ] = "corrected",
    recipe: RecipeOption = None,
    name: NameOption = None,
    engine: Annotated[
        str | None,
        typer.Option(
            "--engine",
            help="ray, or inline (one after the other in this process). Default: inline for a single search without"
            " --workers and --address, which need not wait for Ray to start; else ray.",
        ),
    ] = None,
    workers: WorkersOption = None,
    cpus_per_trial: CpusOption = 1.0,
    gpus_per_trial: GpusOption = 0.0,
    address: AddressOption = None,
    priority: PriorityOption = 1,
    dashboard: DashboardOption = True,
    checkpoints: CheckpointsOption = None,
    keep_checkpoints: KeepOption = False,
    quota: QuotaOption = None,
    max_hours: Annotated[float | None, typer.Option("--max-hours", help="Hours to run.")] = None,
    draw: Annotated[
        Path | None, typer.Option("--draw", metavar="FILE", help="Where to draw the curves (.svg or .png).")
    ] = None,
    plan: PlanOption = False,
    store_url: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Search a cell with a one-shot optimizer, and look up after each epoch how good the cell is that it would choose.

    The experiment of NAS-Bench-1Shot1 (Zela et al., 2020) on a GPU is:
    --data cifar10 --space s3 --table nasbench101 --epochs 50 --seeds 0..5 --gpus-per-trial 1
    """
    store = Store(store_url)
    budgets = None if epochs is None else _numbers(epochs)
    chosen = parse_seeds(seeds)
    single = len(chosen) * len(budgets or [0]) == 1 and workers is None and address is None
    values: dict[str, Any] = {
        "name": name or free_name(store, f"{optimizer}-{space}-{data}"), "checkpoints": checkpoints,
        **checkpoint_options(keep_checkpoints, quota),
        "problem": {
            "kind": "search", "optimizer": optimizer, "space": space, "data": data, "variant": variant,
            **({} if table is None else {"table": table}),
            "recipe": settings(recipe or []), "seeds": chosen,
        },
        "scheduler": {"kind": "sweep", "max_hours": max_hours, **({} if budgets is None else {"budgets": budgets})},
        "engine": {
            "kind": engine or ("inline" if single else "ray"), "workers": workers, "cpus_per_trial": cpus_per_trial,
            "gpus_per_trial": gpus_per_trial, "address": address, "priority": priority, "dashboard": dashboard,
        },
    }  # fmt: skip
    start(make_spec(values), store, plan=plan, draw=draw, as_json=as_json)


def _numbers(text: str) -> list[int]:
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        rule = f"{text!r} must be numbers of epochs, such as 50 or 25,50,100"
        raise typer.BadParameter(rule, param_hint="--epochs") from None


def parse_seeds(text: str) -> list[int]:
    """Numbers and ranges, both ends included, with commas between them."""
    try:
        return [seed for part in text.split(",") for seed in _range(part)]
    except ValueError:
        rule = f"{text!r} must be numbers or ranges, such as 3 or 0..5 or 0,3,7"
        raise typer.BadParameter(rule, param_hint="--seeds") from None


def _range(text: str) -> range:
    first, dots, last = text.partition("..")
    low, high = int(first), int(last if dots else first)
    if low > high or high - low >= MOST_SEEDS:
        raise ValueError(text)
    return range(low, high + 1)


MOST_SEEDS = 100_000
"""In one range: a slip of the keyboard should not fill the memory."""
