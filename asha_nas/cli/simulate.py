"""The command that plays studies of look-ups on a virtual clock: simulate."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from asha_nas.cli.options import JsonOption, NameOption, PlanOption, StoreOption
from asha_nas.cli.running import free_name, start
from asha_nas.store import Store
from asha_nas.study import Simulation, make_spec, read_spec


def simulate(
    file: Annotated[Path, typer.Argument(metavar="STUDY.toml", help="The study, as a TOML file.")],
    workers: Annotated[int | None, typer.Option("--workers", "-w", help="Virtual workers: jobs at a time.")] = None,
    repeats: Annotated[
        int | None, typer.Option("--repeats", help="How often it is played, repeat k from the study's seed + k.")
    ] = None,
    stragglers: Annotated[
        float | None,
        typer.Option("--stragglers", help="Jobs take 1 + |z| times as long, z normal with this standard deviation."),
    ] = None,
    failures: Annotated[
        float | None, typer.Option("--failures", help="Times an hour that a busy worker is lost, on average.")
    ] = None,
    seed: Annotated[int | None, typer.Option("--seed", help="Everything random follows from it.")] = None,
    processes: Annotated[
        int | None, typer.Option("--processes", min=1, help="That play repeats; by default one for each processor.")
    ] = None,
    name: NameOption = None,
    draw: Annotated[
        Path | None, typer.Option("--draw", metavar="FILE", help="Where to draw the incumbents (.svg or .png).")
    ] = None,
    plan: PlanOption = False,
    store_url: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Play a study on a virtual clock: any number of workers, any number of repeats, in seconds.

    For studies whose trials are look-ups (problem.kind = "table" or "curves"), or a function that reports seconds. The
    log is that of a real run, so show, best, explain and compare work on it.
    """
    spec, store = read_spec(file, seed=seed), Store(store_url)
    there = isinstance(spec.engine, Simulation)
    options = spec.engine.model_dump() if there else {"kind": "simulator", "workers": spec.engine.workers or 1}
    given = {"workers": workers, "repeats": repeats, "stragglers": stragglers, "failures": failures}
    options |= {key: value for key, value in given.items() if value is not None}
    # A rehearsal must not take the name of the study that is still to run.
    chosen = name or free_name(store, spec.name if there else f"{spec.name}-simulated")
    simulated = make_spec({**spec.model_dump(), "name": chosen, "engine": options})
    start(simulated, store, plan=plan, draw=draw, as_json=as_json, processes=processes)
