"""Commands that follow a study which runs somewhere else: logs, cancel.

A study that was submitted is a job of its cluster: what it says, and how it stands, is asked of the cluster where its
dashboard can be reached. Whatever else runs, and wherever, is followed through the store.
"""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Annotated, Final

import typer

from asha_nas import submission
from asha_nas.cli.options import DashboardAddress, JsonOption, NameArgument, StoreOption
from asha_nas.cli.output import out, print_json
from asha_nas.cli.show import open_study
from asha_nas.logs import LogLines
from asha_nas.store import Store, StudyRecord

if TYPE_CHECKING:
    from cluster.jobs import Jobs

EVERY_SECONDS: Final = 0.5
"""Between two looks into the store."""


def logs(
    name: NameArgument,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until it is over.")] = False,
    events: Annotated[bool, typer.Option("--events", help="What its log in the store says.")] = False,
    address: DashboardAddress = None,
    store_url: StoreOption = None,
) -> None:
    """Print what a submitted study says; of any other, and with --events, what its log in the store says."""
    store = Store(store_url, create=False)
    record = store.study(name)
    jobs = None if events else _jobs_of(record, address)
    if jobs is None:
        _print_events(store, record, follow)
    elif follow:
        jobs.follow(submission.job_name(record), _say)
    else:
        _say(jobs.logs(submission.job_name(record)))


def cancel(
    name: NameArgument,
    wait: Annotated[bool, typer.Option(help="Wait until it has ended.")] = True,
    address: DashboardAddress = None,
    store_url: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Stop a study, wherever it runs. Nothing is lost: submit or resume it, and it goes on."""
    store = Store(store_url, create=False)
    record = store.study(name, verb="cancel")
    called, job, jobs = store.called(record), submission.job_name(record), _jobs_of(record, address)
    running = jobs.stop(job) if jobs is not None else store.ask_to_stop(record)
    if wait and running:
        _wait(store, record, jobs)
    stands = None if jobs is None else jobs.state(job)
    state = open_study(record.exact, store)[2].state
    if as_json:
        found = {"owner": record.owner, "study": record.name, "job": job}
        print_json({**found, "was_running": running, "job_state": stands, "state": state})
    elif running:
        over = wait and not store.is_leased(record)
        out.print(f"{called} is {'interrupted' if over else 'told to stop'}; nothing is lost", soft_wrap=True)
        out.print(f"go on with: asha-nas resume {called}" if jobs is None else "go on with the same asha-nas submit")
    else:
        how = "" if stands is None else f": its job is {stands.lower()}"
        out.print(f"{called} was not running{how}", soft_wrap=True)


def _jobs_of(record: StudyRecord, address: str | None) -> Jobs | None:
    """The cluster that runs the study as a job, if it can be found. One whose address is given has to know it."""
    from cluster import jobs  # noqa: PLC0415 - imports gRPC

    if address is None and not jobs.is_known():
        return None
    found = jobs.connect(address)
    return found if address is not None or found.state(submission.job_name(record)) is not None else None


def _wait(store: Store, record: StudyRecord, jobs: Jobs | None) -> None:
    if jobs is not None:
        jobs.wait(submission.job_name(record))
        return
    while store.is_leased(record):
        time.sleep(EVERY_SECONDS)


def _print_events(store: Store, record: StudyRecord, follow: bool) -> None:
    log = LogLines()
    while True:
        running = store.is_leased(record)  # before the log is read, so that nothing is missed at its end
        for row in store.rows(record, after=log.newest):
            _say(f"{log.line(row)}\n")
        if not (follow and running):
            return
        time.sleep(EVERY_SECONDS)


def _say(words: str) -> None:
    sys.stdout.write(words)
    sys.stdout.flush()
