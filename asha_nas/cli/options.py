"""Options that several commands share."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any

import typer

from asha_nas.cli.output import err
from asha_nas.store import Store
from asha_nas.store.place import ENVIRONMENT, locate
from asha_nas.study.size import parse_size
from asha_nas.study.spec import MOST_PRIORITY


def names() -> list[str]:
    """Names of all studies, for shell completion: one's own as they are and, like those of others, with their owner."""
    store = Store()
    there = store.studies()
    return list(dict.fromkeys([*map(store.called, there), *(study.key for study in there)]))


def _warn_of_password(context: typer.Context, url: str | None) -> str | None:
    """Everyone on the machine may read a command line; an environment only its owner."""
    typed = url is not None and url != os.environ.get(ENVIRONMENT) and not context.resilient_parsing
    if typed and locate(url).passwords:
        err.print(
            "note: while this runs, everyone on this machine can see the store's password in the list of processes\n"
            f"Put the URL into {ENVIRONMENT} instead, or the password into ~/.pgpass.", style="yellow", soft_wrap=True,
        )  # fmt: skip
    return url


StoreOption = Annotated[
    str | None,
    typer.Option(
        "--store", metavar="URL", envvar=ENVIRONMENT, callback=_warn_of_password,
        help="Store: a database URL or an SQLite file.",
    ),
]  # fmt: skip
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]
PlanOption = Annotated[bool, typer.Option("--plan", help="Print what would run, and run nothing.")]
NameArgument = Annotated[
    str,
    typer.Argument(metavar="STUDY", help="Name of the study; OWNER/NAME for another's.", autocompletion=names),
]
NameOption = Annotated[str | None, typer.Option("--name", help="Name of the new study; by default a free one.")]
SeedOption = Annotated[int, typer.Option("--seed", help="Everything random follows from it.")]


def _runs_here(kind: str | None) -> str | None:
    if kind == "simulator":
        raise typer.BadParameter("studies are simulated by: asha-nas simulate STUDY.toml", param_hint="--engine")
    return kind


EngineOption = Annotated[
    str,
    typer.Option("--engine", callback=_runs_here, help="ray, or inline (one after the other in this process)."),
]
WorkersOption = Annotated[
    int | None, typer.Option("--workers", "-w", min=1, help="Jobs at a time; by default as many as there is room for.")
]
CpusOption = Annotated[float, typer.Option("--cpus-per-trial", help="CPUs for each job.")]
GpusOption = Annotated[float, typer.Option("--gpus-per-trial", help="GPUs for each job; may be a fraction.")]
PRIORITY = "Weight among the studies that share a cluster: 2 gets twice as many workers as 1."
PriorityOption = Annotated[int, typer.Option("--priority", min=1, max=MOST_PRIORITY, help=PRIORITY)]
NewPriorityOption = Annotated[
    int | None,
    typer.Option("--priority", min=1, max=MOST_PRIORITY, help=f"{PRIORITY[:-1]}; by default as the study says."),
]
AddressOption = Annotated[
    str | None,
    typer.Option(
        "--address", metavar="HOST:PORT", help="Ray cluster to join, or auto; else RAY_ADDRESS, else its own."
    ),
]
DashboardAddress = Annotated[
    str | None,
    typer.Option(
        "--address", metavar="URL", help="Of the cluster's dashboard; by default that of a head on this machine."
    ),
]
DashboardOption = Annotated[bool, typer.Option(help="Ray's dashboard, with a Ray of its own.")]
RecipeOption = Annotated[
    list[str] | None,
    typer.Option("--recipe", metavar="KEY=VALUE", help="Change a setting of the training recipe; may be repeated."),
]
ReuseOption = Annotated[
    bool,
    typer.Option(
        "--reuse", help="Take over results of the same trainings from other studies of the store (darts-cnn)."
    ),
]
DrawOption = Annotated[
    Path | None,
    typer.Option(
        "--draw", metavar="FILE", help="Where to draw the best cell, or the curves of searches (.svg or .png)."
    ),
]
CheckpointsOption = Annotated[
    str | None, typer.Option("--checkpoints", metavar="URL", help="Folder for checkpoints that all workers reach.")
]
KeepOption = Annotated[
    bool, typer.Option("--keep-checkpoints", help="Keep also the checkpoints of trials that cannot go on any more.")
]
QuotaOption = Annotated[
    str | None,
    typer.Option("--quota", metavar="SIZE", help="What checkpoints may take together, such as 20GB; it stops before."),
]


def reuse_option(reuse: bool) -> dict[str, Any]:
    """What ``--reuse`` sets in a study; nothing where it is not given."""
    return {"reuse": True} if reuse else {}


def checkpoint_options(keep: bool, quota: str | None) -> dict[str, Any]:
    """What ``--keep-checkpoints`` and ``--quota`` set in a study; nothing where they are not given."""
    return {
        **({"keep": "all"} if keep else {}),
        **({} if quota is None else {"quota": parse_size(quota)}),
    }
