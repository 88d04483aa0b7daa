"""The command that tunes one-shot optimizers: bohb."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from asha_nas.cli.options import (
    AddressOption,
    CheckpointsOption,
    CpusOption,
    DashboardOption,
    EngineOption,
    GpusOption,
    JsonOption,
    KeepOption,
    NameOption,
    PlanOption,
    PriorityOption,
    QuotaOption,
    RecipeOption,
    SeedOption,
    StoreOption,
    WorkersOption,
    checkpoint_options,
)
from asha_nas.cli.running import free_name, settings, start
from asha_nas.errors import UnknownName
from asha_nas.store import Store
from asha_nas.study import make_spec


@dataclass(frozen=True, slots=True)
class Budgets:
    """How much is tried unless it is said."""

    least: int
    most: int
    eta: int
    iterations: int


BUDGETS: Final = {"digits": Budgets(4, 16, 2, 12), "cifar10": Budgets(25, 100, 2, 64)}
"""By data set: 52 searches of a few seconds each; and the 280 of NAS-Bench-1Shot1 (Zela et al., 2020, appendix F)."""


def bohb(
    optimizer: Annotated[
        str, typer.Option("--optimizer", help="darts, darts-2nd, gdas, pc-darts, enas or random-ws.")
    ] = "gdas",
    space: Annotated[str, typer.Option("--space", help="Search space: s1, s2 or s3.")] = "s1",
    config_space: Annotated[
        str, typer.Option("--config-space", help="What is tuned: cs1 (2 hyperparameters), cs2 (3) or cs3 (9).")
    ] = "cs2",
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
    min_budget: Annotated[
        int | None, typer.Option("--min-budget", min=1, help="Search epochs of the lowest rung; 4 on digits, else 25.")
    ] = None,
    max_budget: Annotated[
        int | None, typer.Option("--max-budget", min=1, help="Search epochs of the highest; 16 on digits, else 100.")
    ] = None,
    eta: Annotated[int | None, typer.Option("--eta", help="Reduction factor: one in eta goes on. Default 2.")] = None,
    iterations: Annotated[
        int | None, typer.Option("--iterations", min=1, help="Brackets to run; 12 on digits, else 64.")
    ] = None,
    sampler: Annotated[
        str, typer.Option("--sampler", help="The model: kde (ours), or hpbandster (HpBandSter's own generator).")
    ] = "kde",
    random_fraction: Annotated[
        float, typer.Option("--random-fraction", help="Probability of a random configuration instead of the model's.")
    ] = 1 / 3,
    variant: Annotated[
        str, typer.Option("--variant", help="corrected, or released: as the authors' code has it.")
    ] = "corrected",
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
    checkpoints: CheckpointsOption = None,
    keep_checkpoints: KeepOption = False,
    quota: QuotaOption = None,
    draw: Annotated[
        Path | None, typer.Option("--draw", metavar="FILE", help="Where to draw the incumbents (.svg or .png).")
    ] = None,
    plan: PlanOption = False,
    store_url: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Tune a one-shot optimizer with BOHB: each configuration searches a cell, which a table scores.

    The experiment of NAS-Bench-1Shot1 (Zela et al., 2020, section 5.4) on a cluster of GPUs is:
    --data cifar10 --space s3 --table nasbench101 --workers 16 --gpus-per-trial 1
    """
    if data not in BUDGETS:
        raise UnknownName("data set", data, BUDGETS)
    usual, store = BUDGETS[data], Store(store_url)
    values: dict[str, Any] = {
        "name": name or free_name(store, f"bohb-{optimizer}-{space}-{config_space}"), "seed": seed,
        "checkpoints": checkpoints, **checkpoint_options(keep_checkpoints, quota),
        "problem": {
            "kind": "tune", "optimizer": optimizer, "space": space, "config_space": config_space, "data": data,
            "variant": variant, **({} if table is None else {"table": table}), "recipe": settings(recipe or []),
        },
        "scheduler": {
            "kind": "bohb", "r": min_budget or usual.least, "R": max_budget or usual.most,
            "eta": usual.eta if eta is None else eta, "iterations": iterations or usual.iterations,
            "sampler": sampler, "random_fraction": random_fraction, "max_hours": max_hours,
        },
        "engine": {
            "kind": engine, "workers": workers, "cpus_per_trial": cpus_per_trial,
            "gpus_per_trial": gpus_per_trial, "address": address, "priority": priority, "dashboard": dashboard,
        },
    }  # fmt: skip
    start(make_spec(values), store, plan=plan, draw=draw, as_json=as_json)
