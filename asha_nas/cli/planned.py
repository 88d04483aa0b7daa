"""What ``--plan`` prints."""

from __future__ import annotations

from typing import Any

from asha_nas.cli.described import described
from asha_nas.cli.output import out, print_json, size, table
from asha_nas.live import duration
from asha_nas.store import Store
from asha_nas.study import StudySpec


def print_plan(spec: StudySpec, store: Store, as_json: bool) -> None:
    """Print what a study would do."""
    from asha_nas.plan import make_plan  # noqa: PLC0415

    plan = make_plan(spec, store, spec.engine.workers or 1)
    if as_json:
        print_json({"name": spec.name, "plan": plan, "spec": spec.model_dump()})
        return
    out.print(f"[bold]{spec.name}[/]: {described(spec)}\n", soft_wrap=True)
    rows: list[list[Any]] = [[rung.rung, rung.stop, rung.jobs, rung.epochs] for rung in plan.rungs]
    rows.append(["all", None, plan.jobs, plan.epochs])
    columns = ["rung", "to epoch", "jobs", "epochs trained"]
    out.print(table(columns, rows, right=tuple(columns)))
    if plan.full_epochs is not None and plan.full_epochs > plan.epochs > 0:
        times = f"{plan.full_epochs / plan.epochs:.1f} times as many"
        out.print(f"\ntraining all {plan.trials} fully takes {plan.full_epochs} epochs, {times}")
    if plan.first is not None:
        values = ", ".join(f"{name} {value}" for name, value in plan.first.items())
        out.print(f"the default configuration comes first: {values}", soft_wrap=True, markup=False)
    if plan.hours is None:
        out.print(f"time: {plan.seconds_source}")
    else:
        out.print(
            f"time: about {duration(plan.hours * 3600)} with {plan.workers} worker{'s' * (plan.workers > 1)}"
            f" ({plan.seconds_per_epoch:.2g} s an epoch: {plan.seconds_source})"
        )
    if plan.disk_bytes is not None:
        out.print(f"disk: about {size(plan.disk_bytes)} of checkpoints, {size(plan.peak_bytes or 0)} at most at a time")
    if spec.reuse:
        out.print("note: less, by what other studies of the store have trained already (--reuse)", style="yellow")
    for warning in plan.warnings:
        out.print(f"note: {warning}", style="yellow")
