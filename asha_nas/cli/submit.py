"""The command that hands a study to a cluster."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from asha_nas import submission
from asha_nas.cli.options import (
    DashboardAddress,
    JsonOption,
    NameOption,
    NewPriorityOption,
    PlanOption,
    ReuseOption,
    StoreOption,
    reuse_option,
)
from asha_nas.cli.output import err, out, print_json
from asha_nas.cli.planned import print_plan
from asha_nas.cli.running import check_data
from asha_nas.cli.show import open_study
from asha_nas.errors import StudyLocked, UserError
from asha_nas.store import Store, StudyRecord
from asha_nas.store.place import ENVIRONMENT
from asha_nas.study import read_spec
from cluster import nodes

if TYPE_CHECKING:
    from cluster.jobs import Jobs


def submit(
    file: Annotated[Path, typer.Argument(metavar="STUDY.toml", help="The study, as a TOML file.")],
    address: DashboardAddress = None,
    name: NameOption = None,
    priority: NewPriorityOption = None,
    reuse: ReuseOption = False,
    plan: PlanOption = False,
    store_url: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Hand a study to a cluster and return: its head runs it from the store on, as asha-nas resume does.

    Submitted again after a crash, a stop or a cancel, it goes on.
    """
    spec = submission.on_cluster(read_spec(file, name=name, priority=priority, **reuse_option(reuse)))
    store = Store(store_url)
    if plan:
        print_plan(spec, store, as_json)
        return
    if store.has_password:
        # Ray shows a job's environment to everybody who may look at its dashboard.
        raise UserError(
            f"store {store.url}: its password would be shown with the job\n"
            "Put it into ~/.pgpass, or the file that PGPASSFILE names, on the head, and leave it out of the URL."
        )
    from asha_nas import api  # noqa: PLC0415 - imports pandas

    record = submission.existing(spec, store)
    if record is not None and store.is_leased(record):
        raise StudyLocked(f"study {spec.name!r} is running already\nFollow it: asha-nas logs {spec.name}")
    if record is not None and open_study(record.exact, store)[2].state == "done":
        out.print(f"{spec.name} is done; nothing is left to do: asha-nas show {spec.name}", soft_wrap=True)
        return
    jobs = _jobs(address)
    near = any(f"http://{node.dashboard}" == jobs.url for node in nodes.here())
    if near:
        check_data(spec)
    if record is None:
        record = store.study(api.create(spec, store=store).name)
    if store.is_file and not near:
        place = "is a file here, and the cluster's head must find it at the same path"
        err.print(f"[yellow]note:[/] the store {store.url} {place}; a database server does without", soft_wrap=True)
    job = submission.job_name(record)
    _hand_over(jobs, job, submission.job_command(record, spec), record, store)
    if as_json:
        print_json({"owner": record.owner, "study": spec.name, "job": job, "dashboard": jobs.url})
        return
    out.print(f"[bold]{spec.name}[/] is handed over to {jobs.url}, as job {job}", soft_wrap=True)
    for verb, what in (("logs", "what it says"), ("show", "what it has found"), ("cancel", "stop it; it can go on")):
        line = f"asha-nas {verb} {spec.name}"
        out.print(f"  {line:<40} # {what}", markup=False, soft_wrap=True)


def _jobs(address: str | None) -> Jobs:
    from cluster.jobs import connect  # noqa: PLC0415 - imports Ray

    return connect(address)


def _hand_over(jobs: Jobs, job: str, command: str, record: StudyRecord, store: Store) -> None:
    from cluster.jobs import JobExists  # noqa: PLC0415

    try:
        jobs.submit(job, command, {ENVIRONMENT: store.absolute_url}, {"study": record.exact})
    except JobExists:
        raise StudyLocked(
            f"study {record.name!r} is submitted already, as job {job}\nFollow it: asha-nas logs {store.called(record)}"
        ) from None
